"""Tells the service what was pushed. Started by the post-receive hook, in the background, as `python -I -S` with the
standard library alone: a copy of this file lies in the bot's home folder.

`notify.py <home> <repository key>`, with git's lines `<before> <after> <ref>` as standard input. Says nothing and never
fails: what is not delivered is found when the service compares the repository the next time.
"""

import contextlib
import hashlib
import hmac
import http.client
import json
import os
import pwd
import sys
import time
import urllib.parse
import uuid
from pathlib import Path

TIMEOUT_S = 2.0
PAUSES_S = (0.2, 0.5, 1.0, 3.0, 5.0)
REFS_PER_MESSAGE = 500  # keeps a message far below the service's limit of 25 MB


def main() -> None:
    home, repository = Path(sys.argv[1]), sys.argv[2]
    with contextlib.suppress(OSError):
        os.setsid()  # the end of the pusher's terminal or ssh session is not ours
    refs = pushed_refs(sys.stdin.buffer.read())
    for start in range(0, len(refs), REFS_PER_MESSAGE):
        send(home, repository, refs[start : start + REFS_PER_MESSAGE])


def pushed_refs(lines: bytes) -> list[dict[str, str]]:
    refs = []
    for line in lines.splitlines():
        with contextlib.suppress(ValueError):  # a name that is not UTF-8 is of no interest to the service
            before, after, ref = line.decode("utf-8").split(" ", 2)
            refs.append({"ref": ref, "before": before, "after": after})
    return refs


def send(home: Path, repository: str, refs: list[dict[str, str]], pauses_s: tuple[float, ...] = PAUSES_S) -> bool:
    """Whether the service has stored it. It knows a message that is sent again by its delivery id.

    No `refs` at all ask the service to look at the whole repository.
    """
    body = json.dumps({"repository": repository, "refs": refs, "pusher": pusher()}).encode()
    delivery = str(uuid.uuid4())
    for pause_s in (*pauses_s, None):
        status = 0
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            status = post(home, body, delivery)
        if 200 <= status < 300:
            return True
        if 400 <= status < 500 or pause_s is None:
            return False
        time.sleep(pause_s)
    return False


def post(home: Path, body: bytes, delivery: str) -> int:
    url = urllib.parse.urlsplit((home / "service-url").read_text(encoding="ascii").strip())
    secret = (home / "hook" / "secret").read_bytes().strip()
    signature = hmac.new(secret, body, hashlib.sha256).hexdigest()
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=TIMEOUT_S)
    headers = {
        "content-type": "application/json",
        "x-mlops-bot-event": "push",
        "x-mlops-bot-delivery": delivery,
        "x-mlops-bot-signature": f"sha256={signature}",
    }
    with contextlib.closing(connection):
        connection.request("POST", f"{url.path}/webhooks/plain", body, headers)
        return connection.getresponse().status


def pusher() -> str:
    """Who pushes: as a web server or gitolite says, else the user of this machine."""
    named = os.environ.get("REMOTE_USER") or os.environ.get("GL_USER")
    if named:
        return named[:100]
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""


if __name__ == "__main__":
    main()
