"""How fast webhooks are accepted: the real service on SQLite with its loop at work, and clients on raw sockets.

The deliveries tell of pushes to watched repositories, so that the loop has to look into git for each. They are the
service's own plain-git webhooks, padded to the size of GitHub's comment events.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot.forges.plain.auth import signature
from tests.bench import bare_receiver, lone_receiver
from tests.bench.served import HOOK_SECRET, Served, serving, settle
from tests.bench.table import Row, say
from tests.bench.webhook_clients import full_load, paced, quantile
from tests.web.kit import HOOK_SECRET as LONE_SECRET

CONNECTIONS = 32
PACED_PER_S = 300
REPOSITORIES = 16
PADDING = "x" * 6000
IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")


def measure(*, quick: bool) -> list[Row]:
    seconds = 3.0 if quick else 6.0
    with tempfile.TemporaryDirectory(prefix="mlops-bot-bench-") as folder:
        with bare_receiver.serving(Path(folder)) as port:
            bare = full_load(port, bodies([f"plain/r{n}" for n in range(REPOSITORIES)]), CONNECTIONS, seconds)
        with lone_receiver.serving(Path(folder) / "lone") as port:
            lone = full_load(port, bodies(["plain/models"], secret=LONE_SECRET), CONNECTIONS, seconds)
        with _watching(Path(folder) / "home") as (served, keys, sha):
            at_pace = paced(served.port, bodies(keys, sha), PACED_PER_S, seconds)
            say(f"  at {PACED_PER_S}/s: p50 {quantile(at_pace, 0.5) * 1000:.1f} ms; {_handled(served)}")
            full = full_load(served.port, bodies(keys, sha), CONNECTIONS, seconds)
            say(f"  at full load: {_handled(served)}")
    accepted, beside_loop, bare_accepted = (len(latencies) / seconds for latencies in (lone, full, bare))
    return [
        Row(
            f"webhooks accepted, durable, {CONNECTIONS} connections", accepted, "/s", 3500, "at least",
            reference=bare_accepted, reference_name="ASGI + sqlite3", ratio=accepted / bare_accepted,
        ),
        Row("  p99 at that load", quantile(lone, 0.99) * 1000, "ms"),
        Row(
            "  the same while the loop works them off", beside_loop, "/s",
            reference=bare_accepted, reference_name="ASGI + sqlite3", ratio=beside_loop / bare_accepted,
        ),
        Row(f"webhooks at {PACED_PER_S}/s while the loop works, p99", quantile(at_pace, 0.99) * 1000, "ms", 10),
    ]  # fmt: skip


def bodies(repositories: list[str], sha: str = "a" * 40, *, secret: str = HOOK_SECRET) -> list[tuple[bytes, str]]:
    """What the hook would send for each repository, and its signature."""
    ref = {"ref": "refs/heads/main", "before": "0" * 40, "after": sha}
    texts = [
        json.dumps({"repository": key, "pusher": "ada", "refs": [ref], "padding": PADDING}).encode()
        for key in repositories
    ]
    return [(text, signature(secret, text)) for text in texts]


@contextmanager
def _watching(home: Path) -> Iterator[tuple[Served, list[str], str]]:
    """A service that watches some repositories with a commit each, and has seen them."""
    repositories = home / "repositories"
    repositories.mkdir(parents=True)
    first = repositories / "r0.git"
    seed = home / "seed"
    for command in (
        ["git", "init", "--quiet", "--initial-branch=main", str(seed)],
        ["git", "-C", str(seed), *IDENTITY, "commit", "--quiet", "--allow-empty", "--message", "Begin"],
        ["git", "clone", "--quiet", "--bare", str(seed), str(first)],
    ):  # fmt: skip
        subprocess.run(command, check=True)
    for number in range(1, REPOSITORIES):
        subprocess.run(["cp", "-r", str(first), str(repositories / f"r{number}.git")], check=True)
    with serving(home) as served:
        settle(served)
        ((sha,),) = served.rows("SELECT DISTINCT sha FROM heads")
        yield served, [f"plain/r{number}" for number in range(REPOSITORIES)], str(sha)


def _handled(served: Served) -> str:
    ((stored, handled),) = served.rows("SELECT count(*), sum(next_check_at IS NULL) FROM deliveries")
    return f"{stored} stored, of which the loop has handled {handled}"
