"""pip's configuration files, which uv does not read: where a company's packages come from stands there."""

from __future__ import annotations

import configparser
import os
import pwd
import sys
from contextlib import suppress
from pathlib import Path

_KEYS = {
    "index-url": "PIP_INDEX_URL",
    "extra-index-url": "PIP_EXTRA_INDEX_URL",
    "find-links": "PIP_FIND_LINKS",
    "constraint": "PIP_CONSTRAINT",
}


def from_pip_config() -> dict[str, str]:
    """What the files say, under the names of pip's variables. Later files count more, as in pip."""
    found: dict[str, str] = {}
    for path in _files():
        config = configparser.ConfigParser(strict=False, interpolation=None)
        try:
            config.read(path, encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            for key, variable in _KEYS.items():
                if value := config.get(section, key, fallback="").strip():
                    found[variable] = " ".join(value.split())
    return found


def _files() -> list[Path]:
    """Source: pip's documentation, "Configuration", for Linux."""
    if os.environ.get("PIP_CONFIG_FILE") == os.devnull:
        return []
    home = Path(os.environ.get("HOME") or "/")
    with suppress(KeyError):
        home = Path(pwd.getpwuid(os.getuid()).pw_dir)  # HOME is the run's own
    named = os.environ.get("PIP_CONFIG_FILE")
    return [
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        home / ".config" / "pip" / "pip.conf",
        Path(sys.prefix) / "pip.conf",
        *([Path(named)] if named else []),
    ]
