"""Which requests come from where they should: known host names, and this very site."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from bot.settings import Settings

UNKNOWN_HOST = "This service is not known under this host name. Its operator can name it in MLOPS_BOT_PUBLIC_URL."


def known_hosts(settings: Settings) -> frozenset[str]:
    """Names under which this service may be asked for, lower case. Addresses made of digits are always fine."""
    public = urlsplit(settings.public_url).hostname or ""
    return frozenset({"localhost", settings.host.lower(), public.lower()} - {""})


def is_known_host(host_header: str, known: frozenset[str]) -> bool:
    """Guards against DNS rebinding, for which an attacker needs a *name* that resolves to us."""
    try:
        host = urlsplit(f"//{host_header}").hostname or ""
    except ValueError:
        return False
    return host in known or _is_ip_address(host)


def comes_from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Whether another site made the browser send this. Programs send neither header, and have no cookie either."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
