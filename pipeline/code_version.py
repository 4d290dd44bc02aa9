"""One hash of all the source that a step uses: what makes caching notice changed code.

What counts, for the step whose module is ``components.<step>.component``:

* every module of ``components`` and ``frhead_core`` that it reaches through import statements
  wherever they stand, also inside functions, together with the ``__init__`` of their packages;
* where a module is imported by a name that is only known later,
  ``import_module(f"package.{name}")``, every module of that package;
* every other file in the folders of the reached modules, or in folders within them that are no
  packages, that one of the reached modules names, or that no module beside it names at all (then
  nobody can tell who reads it). A template that only the report names is no reason to train again.

What does not: recipes (they are parameters of the steps), texts for people (``.md``), the step's
``metadata.yaml``, and installed packages, whose versions the model records. Comments count, as it
would take a parser to tell them from code and nothing is lost but time.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

LOCAL_PACKAGES = ("components", "frhead_core")
_NOT_DATA = (".py", ".md")
_STEP_DESCRIPTION = "metadata.yaml"
_RECIPES = "benchmarks"


def code_version(step: str) -> str:
    """Version of the code that a step uses: 16 hex digits, the same on every machine.

    Args:
        step: Name of the step's folder in ``components``.
    """
    return source_version(f"components.{step}.component", package_root())


def package_root() -> Path:
    """The folder that holds the local packages, in a checkout or installed."""
    spec = importlib.util.find_spec(LOCAL_PACKAGES[0])
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"package {LOCAL_PACKAGES[0]} is not installed as files")
    return Path(spec.submodule_search_locations[0]).parent


def source_version(module: str, root: Path) -> str:
    """Version of a module and all it reaches below ``root``."""
    files = source_files(module, root)
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.relative_to(root).as_posix()):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def source_files(module: str, root: Path) -> set[Path]:
    """The files that :func:`source_version` reads."""
    modules = _import_closure(module, root)
    folders = {file.parent for file in modules}
    return modules | {data for folder in folders for data in _data_files(folder, modules)}


def _import_closure(module: str, root: Path) -> set[Path]:
    reached: set[Path] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        file = _module_file(name, root)
        if file is None or file in reached:
            continue
        reached.add(file)
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        text = file.read_text(encoding="utf-8")
        waiting += _imported_names(text, package)
        for folder in _packages_of_any_name(text):
            waiting += [f"{folder}.{path.stem}" for path in _modules_in(folder, root)]
        # Importing a.b.c runs a and a.b first.
        waiting += [name.rpartition(".")[0]] if "." in name else []
    return reached


def _module_file(name: str, root: Path) -> Path | None:
    if name.partition(".")[0] not in LOCAL_PACKAGES:
        return None
    place = root.joinpath(*name.split("."))
    candidates = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


@cache
def _imported_names(text: str, package: str) -> list[str]:
    """Names that may be modules: ``from a import b`` gives both ``a`` and ``a.b``."""
    names = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            origin = importlib.util.resolve_name(base, package) if node.level else base
            names += [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
    return names


@cache
def _packages_of_any_name(text: str) -> list[str]:
    """Packages of which ``import_module(f"package.{name}")`` takes a module by its name."""
    packages = []
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Call(
                func=ast.Name("import_module") | ast.Attribute(attr="import_module"),
                args=[ast.JoinedStr(values=[ast.Constant(str(start)), *_]), *_],
            ) if start.endswith("."):
                packages.append(start.removesuffix("."))
    return packages


def _modules_in(package: str, root: Path) -> Iterable[Path]:
    if package.partition(".")[0] not in LOCAL_PACKAGES:
        return []
    return root.joinpath(*package.split(".")).glob("*.py")


def _data_files(folder: Path, reached: set[Path]) -> Iterator[Path]:
    """Files beside modules, or in folders beside them, that the reached modules may read."""
    if folder.name == _RECIPES:
        return
    modules = list(folder.glob("*.py"))
    for file in _other_files(folder):
        naming = {module for module in modules if _names(module, file.name)}
        if not naming or naming & reached:
            yield file


def _other_files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and path.name != "__pycache__" and not (path / "__init__.py").exists():
            yield from _other_files(path)
        elif path.is_file() and path.suffix not in _NOT_DATA and path.name != _STEP_DESCRIPTION:
            yield path


def _names(module: Path, file_name: str) -> bool:
    return any(file_name in text for text in _string_literals(module.read_text(encoding="utf-8")))


@cache
def _string_literals(text: str) -> list[str]:
    return [
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
