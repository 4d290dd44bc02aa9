"""OpenStack Swift with its S3 interface, all of it in one process on loopback.

Run with the Python of an environment that has swift: ``python -W ignore s3_server.py FOLDER``. The
first line that it prints is its address; SIGTERM ends it.
"""

import sys
from pathlib import Path

from swift.common.utils import NullLogger, monkey_patch, set_swift_dir

monkey_patch()

import eventlet  # noqa: E402 - after the patch
import eventlet.wsgi  # noqa: E402
from swift.common.ring import RingData  # noqa: E402
from swift.common.wsgi import SwiftHttpProtocol, loadapp  # noqa: E402

ACCESS_KEY, SECRET_KEY = "test:tester", "testing-secret"
SERVERS = ("proxy", "account", "container", "object")
FILTERS = (
    *("catch_errors", "gatekeeper", "healthcheck", "listing_formats"),
    *("bulk", "s3api", "tempauth", "copy", "slo"),
)
OPTIONS = {
    "proxy": "account_autocreate = true",
    "s3api": "location = us-east-1",
    "tempauth": f"user_{ACCESS_KEY.replace(':', '_')} = {SECRET_KEY} .admin",
}


def configuration(server: str, folder: Path) -> str:
    """The paste configuration of one of the servers."""
    filters = FILTERS if server == "proxy" else ()
    lines = [
        "[DEFAULT]",
        f"swift_dir = {folder}",
        f"devices = {folder}/node",
        f"recon_cache_path = {folder}",
        "mount_check = false",
        "fallocate_reserve = 0",
        "log_level = ERROR",
        f"[pipeline:main]\npipeline = {' '.join(filters)} {server}-server",
        f"[app:{server}-server]\nuse = egg:swift#{server}\n{OPTIONS.get(server, '')}",
    ]
    lines += [
        f"[filter:{name}]\nuse = egg:swift#{name}\n{OPTIONS.get(name, '')}" for name in filters
    ]
    return "\n".join(lines) + "\n"


def main(folder: Path) -> None:
    """Serve until told to end."""
    (folder / "node" / "device").mkdir(parents=True)
    hashing = "[swift-hash]\nswift_hash_path_suffix = tests\n"
    policy = "[storage-policy:0]\nname = one\ndefault = yes\n"
    (folder / "swift.conf").write_text(hashing + policy)
    sockets = {name: eventlet.listen(("127.0.0.1", 0), backlog=512) for name in SERVERS}
    for name, socket in sockets.items():
        (folder / f"{name}.conf").write_text(configuration(name, folder))
        device = {
            "id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": socket.getsockname()[1],
            "device": "device", "weight": 1.0, "meta": "",
        }  # fmt: skip
        RingData([[0, 0]], [device], 31).save(str(folder / f"{name}.ring.gz"))
    set_swift_dir(str(folder))
    serving = [
        eventlet.spawn(
            eventlet.wsgi.server, socket, loadapp(str(folder / f"{name}.conf")), NullLogger(),
            protocol=SwiftHttpProtocol, capitalize_response_headers=False,
        )
        for name, socket in sockets.items()
    ]  # fmt: skip
    print(f"127.0.0.1:{sockets['proxy'].getsockname()[1]}", flush=True)
    serving[0].wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
