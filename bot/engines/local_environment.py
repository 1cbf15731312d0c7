"""What a run inherits of the service's environment: little, by an explicit list."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

CALLBACK_TOKEN = "MLOPS_BOT_CALLBACK_TOKEN"  # noqa: S105 - the name of a variable, not a token
GIT_CREDENTIALS = "MLOPS_BOT_GIT_CREDENTIALS"  # JSON: clone address to {username, password}
SECRET_PREFIX = "MLOPS_BOT_SECRET_"  # noqa: S105 - the same
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# Where programs and certificates are, which way out of the network, and where packages come from.
INHERITED = re.compile(
    r"PATH|LANG|LANGUAGE|LC_[A-Z]+|TZ"
    r"|SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|GIT_SSL_CAINFO"
    r"|(?:http|https|no|all|HTTP|HTTPS|NO|ALL)_(?:proxy|PROXY)"
    r"|PIP_(?:INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|TRUSTED_HOST|CERT|CLIENT_CERT|PROXY|CONFIG_FILE"
    r"|DEFAULT_TIMEOUT|RETRIES|CONSTRAINT)"
    r"|UV_(?:INDEX(?:_[A-Z0-9_]+)?|DEFAULT_INDEX|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|INSECURE_HOST|INDEX_STRATEGY"
    r"|NATIVE_TLS|SYSTEM_CERTS|OFFLINE|CACHE_DIR|LINK_MODE|CONFIG_FILE|CONSTRAINT|HTTP_TIMEOUT|HTTP_RETRIES"
    r"|KEYRING_PROVIDER|CONCURRENT_[A-Z]+|PYTHON_DOWNLOADS|PYTHON_INSTALL_MIRROR|PYTHON_INSTALL_DIR"
    r"|PYTHON_PREFERENCE)"
)


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": os.defpath} | {name: value for name, value in environ.items() if INHERITED.fullmatch(name)}


def check_secrets(secrets: Mapping[str, str]) -> None:
    """Raises ValueError for one that can not be a variable."""
    for name, value in secrets.items():
        if not VARIABLE.fullmatch(name) or "\0" in value:
            raise ValueError(f"secret {name!r} can not be an environment variable")


def of_run(
    base: Mapping[str, str], *, run_id: str, scratch: Mapping[str, Path], cache: Path, secrets: Mapping[str, str]
) -> dict[str, str]:
    own = {
        "HOME": str(scratch["home"]),
        "TMPDIR": str(scratch["tmp"]),
        "MLOPS_BOT_CACHE": str(cache),
        "MLOPS_BOT_WORKDIR": str(scratch["work"]),
        "MLOPS_BOT_RUN_ID": run_id,
    }
    for name, value in secrets.items():
        if name == GIT_CREDENTIALS:
            own[f"{GIT_CREDENTIALS}_FILE"] = str(_secret_file(scratch["work"] / "git-credentials.json", value))
            continue
        own[name if name == CALLBACK_TOKEN else SECRET_PREFIX + name] = value
    return {**base, **own}


def _secret_file(path: Path, content: str) -> Path:
    """Readable by its owner alone; the fetch step removes it before any code of the model runs."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    return path
