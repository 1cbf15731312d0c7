"""What of a clone address reaches command lines, which everybody on the machine can read."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import pytest

from bot.mirror.address import parse_address


@pytest.mark.parametrize(
    ("text", "url", "credentials"),
    [
        ("https://example.com/a/b.git", "https://example.com/a/b.git", ""),
        ("https://example.com:8443/b", "https://example.com:8443/b", ""),
        ("https://ada:p%40ss@example.com/b", "https://example.com/b", "ada:p@ss"),
        ("https://t0ken@example.com/b", "https://example.com/b", "t0ken:"),
        ("https://[::1]:8443/b", "https://[::1]:8443/b", ""),
        ("ssh://git@example.com:2222/b", "ssh://git@example.com:2222/b", ""),
        ("ssh://git:password@example.com/b", "ssh://git@example.com/b", ""),
        ("git@example.com:acme/b.git", "git@example.com:acme/b.git", ""),
    ],
)
def test_a_remote_address_keeps_its_credentials_out_of_the_url(text: str, url: str, credentials: str) -> None:
    address = parse_address(text, allow_local=False)

    scheme, _, encoded = address.authorization.rpartition(" ")
    assert address.url == url
    assert b64decode(encoded).decode() == credentials
    assert scheme == ("Authorization: Basic" if credentials else "")
    assert address.local_path is None


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/srv/git/models.git", "/srv/git/models.git"),
        ("file:///srv/with%20space", "/srv/with space"),
        ("file://localhost/srv/x", "/srv/x"),
    ],
)
def test_a_folder_is_read_in_place(text: str, path: str) -> None:
    assert parse_address(text, allow_local=True).local_path == Path(path)
