"""What the service lends of its own environment to the steps of runs on this machine, and to the keepers of models.

Two kinds, neither of which the model's own code is given. What reaches the artifact store is lent by itself, to the
bot's own reading and writing there and to nothing else. What an operator names in MLOPS_BOT_STEP_ENV is lent to the
steps' tools as well: DVC, above all, whose remotes may need credentials.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bot.domain.errors import UserError
from bot.domain.words import quoted
from pipelines.steps import store_environment

SETTING = "MLOPS_BOT_STEP_ENV"
OWN_PREFIX = "MLOPS_BOT_"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# Sources: botocore's configuration variables (boto3 guide, "Configuration"), google-auth's and gcsfs's, those of
# azure-identity and adlfs. `FSSPEC_…` are fsspec's own.
_AMAZON = re.compile(r"AWS_[A-Z0-9_]+|FSSPEC_S3[A-Z0-9_]*")
_GOOGLE = re.compile(
    r"GOOGLE_[A-Z0-9_]+|GCLOUD_PROJECT|CLOUDSDK_[A-Z0-9_]+|GCE_METADATA_[A-Z0-9_]+|STORAGE_EMULATOR_HOST|FSSPEC_G[A-Z0-9_]*"
)
_AZURE = re.compile(r"AZURE_[A-Z0-9_]+|IDENTITY_(?:ENDPOINT|HEADER)|MSI_[A-Z]+|FSSPEC_A[A-Z0-9_]*")
STORE_VARIABLES: Mapping[str, re.Pattern[str]] = {
    **dict.fromkeys(("s3", "s3a"), _AMAZON),
    **dict.fromkeys(("gs", "gcs"), _GOOGLE),
    **dict.fromkeys(("abfs", "abfss", "az", "adl"), _AZURE),
}
# Found below HOME, which a step has one of its own of
_FILES_AT_HOME: Mapping[str, tuple[re.Pattern[str], str]] = {
    "AWS_SHARED_CREDENTIALS_FILE": (_AMAZON, ".aws/credentials"),
    "AWS_CONFIG_FILE": (_AMAZON, ".aws/config"),
    "GOOGLE_APPLICATION_CREDENTIALS": (_GOOGLE, ".config/gcloud/application_default_credentials.json"),
}


def step_names(text: str) -> tuple[str, ...]:
    """The setting's value to names. Raises UserError."""
    names = tuple(dict.fromkeys(text.replace(",", " ").split()))
    for name in names:
        if not _VARIABLE.fullmatch(name) or name.startswith(OWN_PREFIX):
            raise UserError(
                f"{SETTING} names {quoted(name)}, which is no variable that steps may have.",
                "Name variables of the service, with commas between: `AWS_PROFILE,AWS_CONFIG_FILE`.",
            )
    return names


def lent(artifacts_url: str, names: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Variables for steps' processes, the names among them that are for the artifact store alone."""
    named = {name: environ[name] for name in names if name in environ}
    for_store = {name: value for name, value in _for_store(artifacts_url, environ).items() if name not in named}
    if not for_store:
        return named
    return {**named, **for_store, store_environment.NAMES: ",".join(sorted(for_store))}


def secret_values(variables: Mapping[str, str]) -> list[str]:
    """Those that must be masked."""
    return store_environment.secret_values(variables, frozenset(variables) - {store_environment.NAMES})


def _for_store(artifacts_url: str, environ: Mapping[str, str]) -> dict[str, str]:
    wanted = STORE_VARIABLES.get(artifacts_url.partition("://")[0])
    if wanted is None:
        return {}
    found = {name: value for name, value in environ.items() if wanted.fullmatch(name)}
    for name, (kind, path) in _FILES_AT_HOME.items():
        file = Path(environ["HOME"]) / path if environ.get("HOME") else None
        if kind is wanted and name not in found and file is not None and file.is_file():
            found[name] = str(file)
    return found
