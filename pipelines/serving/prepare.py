"""What a model server needs before it can start: the code at its commit, the model and no other, an environment."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipelines.serving.folder import ServerFolder
from pipelines.serving.order import Order
from pipelines.steps.code import model_folder
from pipelines.steps.environment import prepare_environment
from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.git import Checkout, GitFailed
from pipelines.steps.masking import mask_address
from pipelines.steps.model import digest_of, model_files
from pipelines.steps.prefix import open_prefix
from pipelines.steps.requirements_file import read_requirements

Say = Callable[[str], None]

# Wide, as a model's own requirements are pinned. The server program uses kserve's RESTServer, which may change with a
# minor release: 0.15.2, 0.16, 0.17, 0.19 and 0.21 were tried, and answered alike.
KSERVE = "kserve>=0.15.2,<0.22"
RUNTIMES = ("sklearn", "xgboost", "lightgbm", "onnx", "python")


@dataclass(frozen=True, slots=True)
class Prepared:
    """`code` is the model's folder in the checkout, None where there is no code."""

    python: Path
    model: Path
    code: Path | None


def prepare(order: Order, folder: ServerFolder, say: Say) -> Prepared:
    """What is there from an earlier start is used again. Raises StepFailed."""
    if order.runtime not in RUNTIMES:
        raise StepFailed(
            FailureKind.SERVING,
            f"The runtime `{order.runtime}` is not known.",
            fix=f"Let `deploy.serve` be one of {', '.join(RUNTIMES)}.",
        )
    code = _code(order, folder)
    _model(order, folder, say)
    environment = prepare_environment(
        order.environment,
        model_folder=code or folder.path,
        checkout=folder.code if code else folder.path,
        cache=Path(order.cache),
        scratch=folder.path,
        say=say,
        also=_packages(order, folder, code),
    )
    assert environment is not None  # without one the image is the environment, and this is no container
    return Prepared(environment / "bin" / "python", folder.model, code)


def _packages(order: Order, folder: ServerFolder, code: Path | None) -> list[str]:
    """What loads the model is among its own requirements, as it made the model; only ONNX files are made by others."""
    name = order.environment.get("requirements")
    lines = read_requirements(code / name, checkout=folder.code) if code is not None and name else []
    has_runtime = any(line.package.startswith("onnxruntime") for line in lines)
    return [KSERVE, "onnxruntime"] if order.runtime == "onnx" and not has_runtime else [KSERVE]


def _code(order: Order, folder: ServerFolder) -> Path | None:
    if not order.code:
        return None
    complete = folder.path / "code.complete"
    if not complete.exists():
        shutil.rmtree(folder.code, ignore_errors=True)
        checkout = Checkout(folder.code)
        try:
            checkout.fetch(order.code, order.sha)
            checkout.check_out(order.sha)
        except GitFailed as failed:
            raise StepFailed(
                FailureKind.CODE,
                f"The code of {order.sha[:12]} could not be fetched from {mask_address(order.code)}: {failed.reason}",
            ) from failed
        complete.touch()
    return model_folder(folder.code, order.model_path)


def _model(order: Order, folder: ServerFolder, say: Say) -> None:
    """The digest is looked at with each start: whoever changed the files is found out."""
    if folder.model.is_dir():
        if digest_of(folder.model, model_files(folder.model)) == order.digest:
            return
        say("The model's files here are not those that were deployed; they are fetched again.")
        shutil.rmtree(folder.model)
    prefix, _, name = order.storage.rstrip("/").rpartition("/")
    fetched = folder.path / "fetched"
    shutil.rmtree(fetched, ignore_errors=True)
    fetched.mkdir()
    if not open_prefix(prefix).get_folder(name, fetched):
        raise StepFailed(
            FailureKind.DIGEST,
            f"There is no model at {order.storage} any more.",
            fix="Train it again with `/train --force`.",
        )
    _check_digest(order, fetched)
    fetched.replace(folder.model)


def _check_digest(order: Order, fetched: Path) -> None:
    found = digest_of(fetched, model_files(fetched))
    if found != order.digest:
        raise StepFailed(
            FailureKind.DIGEST,
            f"The model in the artifact store was changed after it had been deployed: its digest is {found}, "
            f"and must be {order.digest}. It is not served.",
            fix="Find out who writes to the artifact store, then train again with `/train --force`.",
        )
