"""A real S3 server, SeaweedFS, which checks credentials and permissions.

One for all workers of pytest-xdist; the last one that ends stops it and removes its folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

PROGRAM = Path(sysconfig.get_path("scripts")) / "weed"
DEADLINE_S = 60.0
LONGEST_RUN_S = 1800  # should a test process be killed, its server ends, too
BUCKET = "artifacts"
PARTS = ("master", "volume", "filer", "s3")

# SeaweedFS counts removing as writing
PERMISSIONS = {
    "bot": ("Admin", "Read", "Write", "List", "Tagging"),
    "reader": (f"Read:{BUCKET}", f"List:{BUCKET}"),
    "blind": (f"Read:{BUCKET}", f"Write:{BUCKET}"),
}


@dataclass(frozen=True, slots=True)
class S3Server:
    port: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environ(self, user: str = "bot", *, secret: str | None = None) -> dict[str, str]:
        """What an operator would set: the names that Amazon's own tools read."""
        return {**client_environ(self.endpoint), **_key(user, secret)}

    def new_url(self) -> str:
        """A prefix that nobody else uses."""
        return f"s3://{BUCKET}/{uuid4().hex[:12]}/of models"


def client_environ(endpoint: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",  # a machine without credentials asks the cloud's own network for some
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
    }


def use(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    of_this_run = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid4().hex)
    folder = Path(tempfile.gettempdir()) / f"mlops-bot-s3-{of_this_run}"
    folder.mkdir(mode=0o700, exist_ok=True)
    with _counted(folder) as known:
        server = S3Server(known["port"]) if known["users"] else _start(folder, known)
        known["users"] += 1
    yield server
    with _counted(folder) as known:
        known["users"] -= 1
        if not known["users"]:
            _stop(folder, known)


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """With credentials that may do everything in this process's environment."""
    use(monkeypatch, s3_server.environ())
    return s3_server


def _key(user: str, secret: str | None = None) -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": f"{user}-key", "AWS_SECRET_ACCESS_KEY": secret or f"{user}-secret-0123456789abcdef"}


@contextlib.contextmanager
def _counted(folder: Path) -> Iterator[dict[str, int]]:
    """What the processes that share the server know of it, one at a time."""
    with (folder / "users.json").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        known = json.loads(file.read() or '{"users": 0, "port": 0, "pid": 0}')
        yield known
        file.truncate(0)
        file.write(json.dumps(known))


def _start(folder: Path, known: dict[str, int]) -> S3Server:
    for _ in range(3):  # a port may be taken between being found free and being used
        ports = _free_ports()
        process = _server(folder, ports)
        server = S3Server(ports["s3"])
        if _answers(server, process):
            known |= {"port": server.port, "pid": process.pid}
            _make_bucket(server)
            return server
        _kill(process.pid)
    raise RuntimeError((folder / "log").read_text()[-2000:])


def _server(folder: Path, ports: dict[str, int]) -> subprocess.Popen[bytes]:
    (folder / "files").mkdir(exist_ok=True)
    identities = [
        {
            "name": user,
            "credentials": [
                {"accessKey": _key(user)["AWS_ACCESS_KEY_ID"], "secretKey": _key(user)["AWS_SECRET_ACCESS_KEY"]}
            ],
            "actions": list(actions),
        }
        for user, actions in PERMISSIONS.items()
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    numbers = [option for part in PARTS for option in _port_options(part, ports)]
    quiet = [
        "-webdav=false",
        "-admin.ui=false",
        f"-admin.port={ports['admin']}",
        "-master.telemetry=false",
        "-s3.autoCreateBucket=false",
    ]
    quiet += ["-s3.port.iceberg=0", "-s3.port.lance=0", f"-admin.port.grpc={ports['admin.grpc']}"]
    bound = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder / 'files'}", f"-s3.config={folder / 's3.json'}"]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            ["timeout", str(LONGEST_RUN_S), str(PROGRAM), "-logtostderr=true", "mini", *bound, *numbers, *quiet],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _port_options(part: str, ports: dict[str, int]) -> list[str]:
    return [f"-{part}.port={ports[part]}", f"-{part}.port.grpc={ports[f'{part}.grpc']}"]


def _free_ports() -> dict[str, int]:
    names = [name for part in (*PARTS, "admin") for name in (part, f"{part}.grpc")]
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in names]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return {name: one.getsockname()[1] for name, one in zip(names, sockets, strict=True)}


def _answers(server: S3Server, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(server.endpoint, timeout=5)
        except urllib.error.HTTPError:  # it wants credentials
            return True
        except OSError:
            time.sleep(0.05)
    return False


def _make_bucket(server: S3Server) -> None:
    import s3fs

    key = _key("bot")
    files = s3fs.S3FileSystem(
        key=key["AWS_ACCESS_KEY_ID"],
        secret=key["AWS_SECRET_ACCESS_KEY"],
        endpoint_url=server.endpoint,
        skip_instance_cache=True,
    )
    files.mkdir(BUCKET)
    deadline = time.monotonic() + DEADLINE_S
    while True:  # its parts find one another within a second or two
        try:
            files.pipe_file(f"{BUCKET}/.ready", b"")
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _stop(folder: Path, known: dict[str, int]) -> None:
    _kill(known["pid"])
    shutil.rmtree(folder, ignore_errors=True)
    for left in Path(tempfile.gettempdir()).glob("seaweedfs-*.sock"):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as other:
            if other.connect_ex(str(left)):  # nobody listens there
                left.unlink()


def _kill(pid: int) -> None:
    """The server and the `timeout` that started it; it would take 20 s to end by itself."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
