"""A working tree, run without a service."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pipelines
from bot.domain.change import Change, ChangeState, Repository
from bot.engines.local import LocalEngine
from bot.mirror import GitMirror, Worktree, open_worktree, snapshot
from bot.ports.registry import Registry
from bot.ports.store import Kind
from bot.registry import GitRegistry
from bot.settings import Settings
from bot.store import open_store
from bot.usecases import run_loop
from bot.usecases.world import World
from bot.wiring.shared import RUN_FOLDERS_KEPT_DAYS, Hints, lent_to_steps, make_lane, make_world, utc_now
from bot.worker import Worker


@dataclass(frozen=True, slots=True)
class LocalBot:
    """What runs a working tree without a service. The tree is seen as a change of the branch it would be merged into,
    or as that branch's own commit when it is checked out and clean. `committed_sha` is what is checked out, None before
    the first commit; the change's head holds what is not committed besides. `registry` reads the tags of the tree's own
    repository; the world has none, for it registers nothing."""

    world: World
    repository: Repository
    change: Change
    changed: threading.Event
    is_target_itself: bool
    committed_sha: str | None
    registry: Registry


@contextmanager
def build_local(settings: Settings, folder: Path) -> Iterator[LocalBot]:
    """Everything lives below `<home>/local/<hash of the tree's path>`, so that trees do not see each other's runs."""
    tree = open_worktree(folder)
    home = settings.home / "local" / sha256(str(tree.root).encode()).hexdigest()[:16]
    home.mkdir(parents=True, exist_ok=True)
    changed = threading.Event()
    hints = Hints()

    def on_change(run_id: str) -> None:
        hints.run_changed(run_id)
        changed.set()

    with ExitStack() as closing:
        engine = LocalEngine(
            home,
            places=settings.local_places,
            packages=pipelines.package_path("train").parent,
            clock=utc_now,
            on_change=on_change,
            cache=settings.home / "cache",
            lent=lent_to_steps(settings, "file://"),  # its artifacts are in a folder, whatever the service's are
        )
        closing.callback(engine.close)
        engine.start()  # it imports kfp while git looks at the tree
        repository = Repository(f"local/{tree.root.name}", str(tree.root), tree.default_branch, tree.origin)
        change = _change(repository, tree, snapshot(tree.root))
        store = open_store(f"sqlite:///{home / 'runs.sqlite3'}", exclusive=False)
        closing.callback(store.close)
        git = GitMirror(home, allow_local=True)
        closing.callback(git.close)
        world = make_world(
            settings, store, engine, git, forges={}, artifacts_url=(home / "artifacts").as_uri(), listens=False
        )
        hints.world = world
        lane = make_lane(Kind.RUN, run_loop.run_tasks, run_loop.give_up, world, threads=1, batch=10)
        worker = Worker(store, [lane], utc_now)
        store.on_commit_due = worker.wake
        closing.callback(worker.stop)
        worker.start()
        is_target_itself = tree.is_clean and tree.branch == tree.default_branch
        yield LocalBot(world, repository, change, changed, is_target_itself, tree.head_sha, GitRegistry(git))
        engine.prune(timedelta(days=RUN_FOLDERS_KEPT_DAYS))


def _change(repository: Repository, tree: Worktree, sha: str) -> Change:
    return Change(
        repository=repository.key,
        number=1,
        title="working tree",
        author=tree.author or "you",
        source_branch=tree.branch,
        target_branch=tree.default_branch,
        head_sha=sha,
        from_fork=False,
        state=ChangeState.OPEN,
        opened_at=utc_now(),
    )
