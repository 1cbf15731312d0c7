"""What the bot must be told to let models serve on a cluster: applied to it, or committed for Argo CD or Flux."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.domain.errors import UserError
from bot.domain.words import quoted

SERVICE_ACCOUNT_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
MODES = ("knative", "standard")
_ADDRESS = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """Where Kubernetes' API is. The token's file is read for each call, since what is in it rotates."""

    url: str
    token_file: Path | None = None
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class ServingSettings:
    """`cluster` None means that it can not be read. `mode` "" is found out. `image` serves what KServe has no runtime
    for: it holds this package's `pipelines`. `repository` "" means that manifests are applied, not committed.
    `address` is where models answer in a cluster that can not be read, with `{name}`, `{environment}`, `{model}`."""

    namespace: str
    cluster: ClusterAccess | None = None
    mode: str = ""
    image: str = ""
    service_account: str = ""
    repository: str = ""
    branch: str = "main"
    folder: str = "mlops-bot"
    proposes: bool = False
    address: str = ""


def read_settings(environ: Mapping[str, str], *, commits: bool) -> ServingSettings:
    """Raises UserError for a value that can not be meant."""
    cluster = _cluster(environ)
    mode = environ.get("MLOPS_BOT_SERVING_MODE", "").strip()
    if mode not in ("", *MODES):
        raise UserError(f"MLOPS_BOT_SERVING_MODE is {quoted(mode)}.", "Use `knative` or `standard`, or leave it out.")
    if not commits and cluster is None:
        raise UserError(
            "MLOPS_BOT_SERVING is `kserve`, and the bot does not run in a cluster.",
            "Name its API in MLOPS_BOT_KUBERNETES_URL, and a token in MLOPS_BOT_KUBERNETES_TOKEN_FILE.",
        )
    address = environ.get("MLOPS_BOT_SERVING_ADDRESS", "").strip().rstrip("/")
    if commits and cluster is None and not (mode and address):
        raise UserError(
            "MLOPS_BOT_SERVING is `gitops`, and the bot can not see the cluster.",
            "Say how KServe serves there in MLOPS_BOT_SERVING_MODE (`knative` or `standard`), and where models answer "
            "in MLOPS_BOT_SERVING_ADDRESS, such as `http://{name}.models.example.com`.",
        )
    repository = environ.get("MLOPS_BOT_SERVING_REPOSITORY", "").strip()
    if commits and not repository:
        raise UserError(
            "MLOPS_BOT_SERVING_REPOSITORY is missing.",
            "Name the clone address of the repository that Argo CD or Flux brings to the cluster.",
        )
    return ServingSettings(
        namespace=_name(environ, "MLOPS_BOT_SERVING_NAMESPACE") or "models",
        cluster=cluster,
        mode=mode,
        image=environ.get("MLOPS_BOT_SERVING_IMAGE", "").strip(),
        service_account=_name(environ, "MLOPS_BOT_SERVING_SERVICE_ACCOUNT"),
        repository=repository if commits else "",
        branch=environ.get("MLOPS_BOT_SERVING_BRANCH", "").strip() or "main",
        folder=environ.get("MLOPS_BOT_SERVING_FOLDER", "").strip().strip("/") or "mlops-bot",
        proposes=_is_yes(environ, "MLOPS_BOT_SERVING_PROPOSE"),
        address=_template(address),
    )


def _template(text: str) -> str:
    try:
        shown = text.format(name="n", environment="e", model="m")
    except (KeyError, IndexError, ValueError):
        shown = "?"
    if text and not _ADDRESS.fullmatch(shown):
        raise UserError(
            f"MLOPS_BOT_SERVING_ADDRESS is {quoted(text)}.",
            "Write an address such as `http://{name}.models.example.com`; there are `{environment}` and `{model}` too.",
        )
    return text


def _cluster(environ: Mapping[str, str]) -> ClusterAccess | None:
    """Kubernetes tells each pod where its API is, and gives it a token."""
    url = environ.get("MLOPS_BOT_KUBERNETES_URL", "").strip().rstrip("/")
    if url and not _ADDRESS.fullmatch(url):
        raise UserError(
            f"MLOPS_BOT_KUBERNETES_URL is {quoted(url)}.", "Write an address such as `https://kubernetes.default.svc`."
        )
    token_file = _path(environ, "MLOPS_BOT_KUBERNETES_TOKEN_FILE")
    ca_file = _path(environ, "MLOPS_BOT_KUBERNETES_CA_FILE")
    if url:
        return ClusterAccess(url, token_file, ca_file)
    host = environ.get("KUBERNETES_SERVICE_HOST", "")
    if not host:
        return None
    port = environ.get("KUBERNETES_SERVICE_PORT_HTTPS", "443")
    return ClusterAccess(
        f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        token_file or SERVICE_ACCOUNT_FOLDER / "token",
        ca_file or SERVICE_ACCOUNT_FOLDER / "ca.crt",
    )


def _name(environ: Mapping[str, str], name: str) -> str:
    text = environ.get(name, "").strip()
    if text and not _NAME.fullmatch(text):
        raise UserError(f"{name} is {quoted(text)}.", "Write a name of Kubernetes: small letters, digits and `-`.")
    return text


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    text = environ.get(name, "").strip()
    return Path(text).expanduser().absolute() if text else None


def _is_yes(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "").strip().lower()
    if text not in ("", "yes", "no"):
        raise UserError(f"{name} is {quoted(text)}.", "Use `yes` or `no`.")
    return text == "yes"
