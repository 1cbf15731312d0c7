"""What a repository holds that a project file would name: scripts, data, requirements, DVC stages."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from posixpath import basename, dirname, join, normpath, relpath
from shlex import quote

from bot.yaml_file import read_yaml

TRAIN_SCRIPTS = ("train.py", "training.py", "train_model.py")
EVALUATE_SCRIPTS = ("evaluate.py", "evaluation.py", "eval.py", "evaluate_model.py")
# folders that hold the code of the folder above them
CODE_FOLDERS = ("src", "scripts", "code")
DATA_SUFFIXES = (".csv", ".parquet", ".tsv", ".jsonl", ".feather", ".npz", ".arrow")
# folders whose scripts are not the project's own, or not meant to be its models
PASSED_OVER = ("venv", "env", "node_modules", "site-packages", "build", "dist", "tests", "test", "docs", "examples")
MOST_MODELS = 50

Read = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class FoundModel:
    """Paths are from the repository's root, but `requirements`, which is from `path`. "" and () where nothing is."""

    name: str
    path: str
    scripts: tuple[str, ...]
    train: str
    evaluate: str = ""
    env: tuple[tuple[str, str], ...] = ()
    requirements: str = ""
    data: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    knows_the_world: bool = True  # its scripts name the variables of a step


@dataclass(frozen=True, slots=True)
class Survey:
    models: tuple[FoundModel, ...]
    python: str = ""


def survey(paths: Iterable[str], read: Read, *, name: str) -> Survey:
    """`paths` are all files from the root; `read` gives a file's content, `name` is the repository's."""
    files = sorted(path for path in paths if not set(path.split("/")[:-1]) & set(PASSED_OVER))
    folders = sorted({dirname(path) for path in files if basename(path) in (*TRAIN_SCRIPTS, "dvc.yaml")})
    found: dict[str, FoundModel] = {}
    for folder in folders:
        model = _model(folder, files, read, name)
        if model is not None and len(found) < MOST_MODELS:
            found.setdefault(model.path, model)
    return Survey(tuple(_with_distinct_names(list(found.values()))), _python(files, read))


def model_name(text: str) -> str:
    """A name that a model may have, made of any text."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-") or "model"


@dataclass(frozen=True, slots=True)
class _Home:
    """The folder that a script's model lives in, and how its scripts are run from there."""

    path: str
    package: str = ""  # the dotted name of the folder of the script, when it is part of a package
    import_path: str = ""  # where that package is found, from `path`


def _model(folder: str, files: Sequence[str], read: Read, repository: str) -> FoundModel | None:
    train = _first(folder, TRAIN_SCRIPTS, files)
    home = _home(folder, files) if train else _Home(folder or ".")
    stages = _stages(join(home.path, "dvc.yaml"), read)
    if not train and not stages:
        return None
    evaluate = _first(folder, EVALUATE_SCRIPTS, files)
    scripts = tuple(script for script in (train, evaluate) if script)
    return FoundModel(
        name=model_name(repository if home.path == "." else basename(home.path)),
        path=home.path,
        scripts=scripts or (normpath(join(home.path, "dvc.yaml")),),
        train=_dvc_command(files, read) if stages else _command(home, train),
        evaluate=_command(home, evaluate) if evaluate and not stages else "",
        env=(("PYTHONPATH", home.import_path),) if home.import_path not in ("", ".") else (),
        requirements=_requirements(home.path, files, read),
        data=_data(home.path, files),
        stages=stages,
        knows_the_world=all(_names_the_world(read(script) or b"") for script in scripts),
    )


def _first(folder: str, names: Sequence[str], files: Sequence[str]) -> str:
    return next((path for path in (join(folder, name) for name in names) if path in files), "")


def _home(folder: str, files: Sequence[str]) -> _Home:
    root = folder
    while root and join(root, "__init__.py") in files:
        root = dirname(root)
    path = dirname(root) if basename(root) in CODE_FOLDERS else root
    package = relpath(folder or ".", root or ".").replace("/", ".") if root != folder else ""
    return _Home(path or ".", package, relpath(root or ".", path or ".") if package else "")


def _command(home: _Home, script: str) -> str:
    if home.package:
        return f"python -m {home.package}.{basename(script).removesuffix('.py')}"
    return f"python {quote(relpath(script, home.path))}"


def _stages(dvc_yaml: str, read: Read) -> tuple[str, ...]:
    content = read(normpath(dvc_yaml))
    document = read_yaml(content) if content else None
    stages = document.get("stages") if isinstance(document, dict) else None
    return tuple(stages) if isinstance(stages, dict) else ()


def _dvc_command(files: Sequence[str], read: Read) -> str:
    config = (read(".dvc/config") or b"") if ".dvc/config" in files else b""
    return "dvc repro --pull" if b"remote" in config else "dvc repro"


def _requirements(path: str, files: Sequence[str], read: Read) -> str:
    """The nearest file of requirements, at or above the model's folder; as seen from there."""
    folder = path
    while True:
        for candidate in ("requirements.txt", "pyproject.toml"):
            file = normpath(join(folder, candidate))
            if file in files and (candidate != "pyproject.toml" or _has_dependencies(read(file) or b"")):
                return relpath(file, path)
        if folder in ("", "."):
            return ""
        folder = dirname(folder)


def _has_dependencies(pyproject: bytes) -> bool:
    try:
        project = tomllib.loads(pyproject.decode()).get("project", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False
    return isinstance(project, dict) and bool(project.get("dependencies"))


def _data(path: str, files: Sequence[str]) -> tuple[str, ...]:
    """What DVC tracks, else what lies in a data folder; the model's own first."""
    below = "" if path == "." else f"{path}/"
    tracked = [file.removesuffix(".dvc") for file in files if file.endswith(".dvc") and basename(file) != ".dvc"]
    plain = [file for file in files if file.endswith(DATA_SUFFIXES) and "data" in dirname(file).split("/")]
    candidates = tracked or plain
    own = [file for file in candidates if file.startswith(below)]
    return tuple(own or candidates)


def _names_the_world(script: bytes) -> bool:
    return b"MLOPS_" in script or b"SM_" in script


def _python(files: Sequence[str], read: Read) -> str:
    content = (read(".python-version") or b"") if ".python-version" in files else b""
    match = re.match(rb"\s*(?:cpython-)?(3\.[0-9]{1,2})(?:\.[0-9]+)?\s*$", content)
    return match.group(1).decode() if match else ""


def _with_distinct_names(models: list[FoundModel]) -> Iterable[FoundModel]:
    taken: set[str] = set()
    names = [model.name for model in models]
    for model in models:
        name = model.name if names.count(model.name) == 1 else model_name(model.path)
        number = 2
        while name in taken:
            name, number = f"{name[:60].rstrip('-')}-{number}", number + 1
        taken.add(name)
        yield replace(model, name=name)
