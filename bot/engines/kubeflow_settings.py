"""What the bot must be told to run pipelines on a cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.domain.errors import UserError
from bot.domain.words import quoted

SERVICE_ACCOUNT_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_ADDRESS = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")


@dataclass(frozen=True, slots=True)
class KubeflowSettings:
    """`url` is what `/apis/v2beta1` comes after. `image` runs the steps: it holds this package. Files of tokens are
    read for each call. `kubernetes_url` "" means that the bot can not keep secrets for runs."""

    url: str
    image: str
    namespace: str = "kubeflow"
    token_file: Path | None = None
    cookie_file: Path | None = None
    ca_file: Path | None = None
    ui_url: str = ""
    image_pull_secret: str = ""
    service_account: str = ""
    exchanges_credentials: bool = True  # steps can reach the bot, which gives them tokens when they need them
    kubernetes_url: str = ""
    kubernetes_token_file: Path | None = None
    kubernetes_ca_file: Path | None = None


def read_settings(environ: Mapping[str, str]) -> KubeflowSettings:
    """Raises UserError for a value that can not be meant."""
    url = _address(environ, "MLOPS_BOT_KUBEFLOW_URL")
    if not url:
        raise UserError(
            "MLOPS_BOT_KUBEFLOW_URL is missing.",
            "Name the API server of Kubeflow Pipelines, such as `http://ml-pipeline.kubeflow:8888`.",
        )
    image = environ.get("MLOPS_BOT_KUBEFLOW_IMAGE", "").strip()
    if not image:
        raise UserError(
            "MLOPS_BOT_KUBEFLOW_IMAGE is missing.",
            "Name the image of the runner, which holds mlops-bot's steps (deploy/images/runner.Dockerfile).",
        )
    kubernetes_url = _address(environ, "MLOPS_BOT_KUBERNETES_URL")
    is_inside = not kubernetes_url and "KUBERNETES_SERVICE_HOST" in environ
    return KubeflowSettings(
        url=url.removesuffix("/apis/v2beta1"),
        image=image,
        namespace=_name(environ, "MLOPS_BOT_KUBEFLOW_NAMESPACE") or "kubeflow",
        token_file=_path(environ, "MLOPS_BOT_KUBEFLOW_TOKEN_FILE"),
        cookie_file=_path(environ, "MLOPS_BOT_KUBEFLOW_COOKIE_FILE"),
        ca_file=_path(environ, "MLOPS_BOT_KUBEFLOW_CA_FILE"),
        ui_url=_address(environ, "MLOPS_BOT_KUBEFLOW_UI_URL"),
        image_pull_secret=_name(environ, "MLOPS_BOT_KUBEFLOW_IMAGE_PULL_SECRET"),
        service_account=_name(environ, "MLOPS_BOT_KUBEFLOW_SERVICE_ACCOUNT"),
        exchanges_credentials=_exchanges(environ),
        kubernetes_url=_inside_address(environ) if is_inside else kubernetes_url,
        kubernetes_token_file=_path(environ, "MLOPS_BOT_KUBERNETES_TOKEN_FILE")
        or (SERVICE_ACCOUNT_FOLDER / "token" if is_inside else None),
        kubernetes_ca_file=_path(environ, "MLOPS_BOT_KUBERNETES_CA_FILE")
        or (SERVICE_ACCOUNT_FOLDER / "ca.crt" if is_inside else None),
    )


def _exchanges(environ: Mapping[str, str]) -> bool:
    how = environ.get("MLOPS_BOT_KUBEFLOW_CREDENTIALS", "").strip() or "exchange"
    if how not in ("exchange", "secret"):
        raise UserError(f"MLOPS_BOT_KUBEFLOW_CREDENTIALS is {quoted(how)}.", "Use `exchange` or `secret`.")
    return how == "exchange"


def _inside_address(environ: Mapping[str, str]) -> str:
    """Kubernetes tells each pod where its API is."""
    host = environ["KUBERNETES_SERVICE_HOST"]
    port = environ.get("KUBERNETES_SERVICE_PORT_HTTPS", "443")
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def _address(environ: Mapping[str, str], name: str) -> str:
    text = environ.get(name, "").strip().rstrip("/")
    if text and not _ADDRESS.fullmatch(text):
        raise UserError(
            f"{name} is {quoted(text)}.", "Write an address such as `https://kubeflow.example.com/pipeline`."
        )
    return text


def _name(environ: Mapping[str, str], name: str) -> str:
    """A name that Kubernetes takes."""
    text = environ.get(name, "").strip()
    if text and not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", text):
        raise UserError(f"{name} is {quoted(text)}.", "Write a name of Kubernetes: small letters, digits and `-`.")
    return text


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    text = environ.get(name, "").strip()
    return Path(text).expanduser().absolute() if text else None
