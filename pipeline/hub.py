"""Models on the Hugging Face Hub: what is uploaded, and what is refused to be downloaded.

Only the files of a model go either way (:data:`MODEL_FILES`), under our own names. Credentials come
from the environment variable ``HF_TOKEN`` and from nowhere else.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from frhead_core.errors import InputError
from frhead_core.files import replaced_directory
from frhead_core.optional import require_extra
from frhead_core.training.artifact import MODEL_FILES, ModelArtifact, is_model

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TOKEN = "HF_TOKEN"
ENDPOINT = "HF_ENDPOINT"
_PLAIN_NAME = re.compile(r"[\w.-]+")
# Formats that are pickles, or may be; reading one can run whatever it says.
_PICKLES = (
    *(".bin", ".ckpt", ".dill", ".joblib", ".mar", ".npy", ".npz", ".pckl"),
    *(".pickle", ".pkl", ".pt", ".pt2", ".pth", ".ptl"),
)


def upload_model(
    directory: Path, repository: str, *, public: bool = False, licence: str | None = None
) -> str:
    """Upload a model; the repository is made if there is none, and then holds this model alone.

    Args:
        directory: The model; it is read strictly first, all weights included.
        repository: ``owner/name`` on the Hub.
        public: Whether a repository that is made may be seen by everybody.
        licence: The Hub's name of a licence, for the model card; None leaves the card as it is.

    Returns:
        Address of the commit.

    Raises:
        InputError: If the model or its card cannot be read, there is no token, or the Hub refuses.
    """
    require_extra("hub", "huggingface_hub")
    model = _opened(directory)
    api = _api(required=True)
    with tempfile.TemporaryDirectory(prefix="frhead-hub-") as staging:
        folder = Path(staging)
        _copy(directory, folder)
        _finish_card(folder / "README.md", licence)
        with _asking(repository, "upload to"):
            api.create_repo(repository, private=not public, exist_ok=True)
            commit = api.upload_folder(
                repo_id=repository,
                folder_path=folder,
                delete_patterns=list(MODEL_FILES),
                commit_message=f"{model.recipe.name}, {model.modality}",
            )
    return str(commit.commit_url)


def download_model(repository: str, output: Path, *, revision: str | None = None) -> ModelArtifact:
    """Download a model and open it strictly before it gets its name.

    Args:
        repository: ``owner/name`` on the Hub.
        output: The model directory to make, in the place of an older model.
        revision: Branch, tag or commit; None for the newest.

    Returns:
        The model at its place.

    Raises:
        InputError: If the repository is no model of this program, holds a file that may be a
            pickle, or cannot be reached; or if ``output`` holds something else.
    """
    require_extra("hub", "huggingface_hub")
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - an extra

    api = _api(required=False)
    with _asking(repository, "download from"):
        found = api.model_info(repository, revision=revision)
    names = _wanted(repository, [entry.rfilename for entry in found.siblings or ()])
    with replaced_directory(output, is_model) as temporary:
        with tempfile.TemporaryDirectory(prefix="frhead-hub-") as staging:
            with _asking(repository, "download from"):
                snapshot_download(
                    repository,
                    revision=found.sha,  # what was looked at is what is fetched
                    local_dir=staging,
                    allow_patterns=names,
                    token=api.token,
                    endpoint=api.endpoint,
                )
            _copy(Path(staging), temporary)
        _opened(temporary, said_of=repository)
    return ModelArtifact.open(output)


def _opened(directory: Path, said_of: str | None = None) -> ModelArtifact:
    """A model whose records and weights have all been read; problems are told of a repository."""
    try:
        model = ModelArtifact.open(directory)
        for which in model.kept_weights():
            model.load(which)
        model.history()
    except InputError as error:
        if said_of is None or error.file is None:
            raise
        raise InputError(
            error.problem,
            file=f"{said_of}/{Path(error.file).name}",
            line=error.line,
            field=error.field,
            found=error.found,
            expected=error.expected,
        ) from error
    return model


def _copy(source: Path, target: Path) -> None:
    for path in sorted(source.iterdir()):
        if path.is_file() and _is_ours(path.name):
            shutil.copyfile(path, target / path.name)


def _is_ours(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in MODEL_FILES)


def _wanted(repository: str, names: Sequence[str]) -> list[str]:
    """The files of a model in a repository that holds nothing to be afraid of."""
    pickles = [name for name in names if PurePosixPath(name).suffix.lower() in _PICKLES]
    if pickles:
        raise InputError(
            "holds files that may be pickles; nothing was downloaded",
            file=repository,
            found=", ".join(sorted(pickles)[:5]),
            expected="weights as .safetensors only",
        )
    wanted = [name for name in names if _PLAIN_NAME.fullmatch(name) and _is_ours(name)]
    for needed in ("metadata.json", "recipe.yaml", "last.safetensors"):
        if needed not in wanted:
            raise InputError(
                "is no model of this program",
                file=repository,
                found=", ".join(sorted(names)[:10]) or "nothing",
                expected=needed,
            )
    return wanted


def _finish_card(path: Path, licence: str | None) -> None:
    """Check the model card as the Hub's library reads it, and put a licence into it."""
    from huggingface_hub import ModelCard  # noqa: PLC0415 - an extra

    try:
        card = ModelCard.load(path)
    except Exception as error:  # the library raises many kinds for what is no card
        raise InputError(
            f"is no model card that the Hub reads ({_one_line(error)})", file=path.name
        ) from error
    if licence is not None:
        card.data.license = licence
        card.data.license_name = None
        card.save(path)


def _api(*, required: bool) -> HfApi:
    from huggingface_hub import HfApi  # noqa: PLC0415 - an extra

    token = os.environ.get(TOKEN)
    if required and not token:
        raise InputError(
            f"the environment variable {TOKEN} is not set",
            hint="Make a token with write access in the settings of your account on the Hub",
        )
    # False, not None: no token that lies somewhere on this machine is used.
    return HfApi(endpoint=os.environ.get(ENDPOINT), token=token or False)


@contextmanager
def _asking(repository: str, what: str) -> Iterator[None]:
    """Turn what goes wrong on the way into one message; the client raises many kinds."""
    try:
        yield
    except Exception as error:
        raise InputError(f"cannot {what} the Hub: {_one_line(error)}", file=repository) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
