"""The post-receive hook: it tells the service, and a push never feels it."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.domain.change import ChangeSeen, PushReceived
from bot.forges.plain import notify
from bot.forges.plain.auth import signature
from tests.contracts.git_workshop import git
from tests.contracts.plain_world import SECRET, PlainWorld, Receiver

MARK = "# This hook belongs to mlops-bot"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PlainWorld]:
    world = PlainWorld(tmp_path)
    yield world
    world.close()


def write_hook(path: Path, text: str, *, executable: bool = True) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755 if executable else 0o644)


def test_a_push_is_told_with_all_its_branches_and_signed(world: PlainWorld) -> None:
    first = world.worktree.commit(a="1")

    world.worktree.push("main", "main:other")

    message = world.receiver.next()
    told = json.loads(message.body)
    zero = "0" * 40
    assert message.path == "/webhooks/plain"
    assert message.headers["x-mlops-bot-signature"] == signature(SECRET, message.body)
    assert len(message.headers["x-mlops-bot-delivery"]) == 36
    assert told["repository"] == "plain/models"
    assert told["refs"] == [
        {"ref": "refs/heads/main", "before": zero, "after": first},
        {"ref": "refs/heads/other", "before": zero, "after": first},
    ]
    assert told["pusher"] == notify.pusher()


def test_the_pusher_reads_where_to_follow_it(world: PlainWorld) -> None:
    world.worktree.commit(a="1")

    answer = world.worktree.push("main")

    assert f"remote: mlops-bot: {world.receiver.url}/repositories/plain/models" in answer
    assert answer.count("remote:") == 1


def test_the_hook_and_its_file_hold_no_secret(world: PlainWorld) -> None:
    hook = (world.worktree.bare / "hooks/post-receive").read_text()

    assert SECRET not in hook
    assert world.receiver.url not in hook
    assert (world.home / "hook/secret").read_text() == SECRET
    assert (world.home / "hook/secret").stat().st_mode & 0o077 == 0


def test_a_push_succeeds_in_silence_while_no_service_was_ever_there(world: PlainWorld) -> None:
    (world.home / "service-url").unlink()
    world.worktree.commit(a="1")

    assert "remote:" not in world.worktree.push("main")


@pytest.mark.parametrize("gone", ["hook/notify.py", "hook/secret", "hook"])
def test_a_push_succeeds_when_the_bots_home_is_broken(world: PlainWorld, gone: str) -> None:
    (world.home / gone).rename(world.home / "moved")
    sha = world.worktree.commit(a="1")

    world.worktree.push("main")

    assert git(world.worktree.bare, "rev-parse", "main") == sha


def test_a_push_does_not_wait_for_a_service_that_hangs(world: PlainWorld) -> None:
    """The push has ended while the hook's message still has no answer."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        world.publish(f"http://127.0.0.1:{silent.getsockname()[1]}")
        world.worktree.commit(a="1")

        world.worktree.push("main")

        connection, _ = silent.accept()
        with connection:
            assert connection.recv(100).startswith(b"POST /webhooks/plain HTTP/1.1\r\n")


def test_a_service_that_fails_for_a_moment_is_told_again_under_the_same_id(world: PlainWorld) -> None:
    flaky = Receiver(503, 500)
    world.publish(flaky.url)
    world.worktree.commit(a="1")

    world.worktree.push("main")

    ids = {flaky.next().headers["x-mlops-bot-delivery"] for _ in range(3)}
    flaky.close()
    assert len(ids) == 1


def test_a_service_that_starts_a_moment_later_is_told(world: PlainWorld) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    world.publish(f"http://127.0.0.1:{port}")
    world.worktree.commit(a="1")

    world.worktree.push("main")
    world.publish(world.receiver.url)

    assert world.receiver.next().path == "/webhooks/plain"


def test_a_push_of_very_many_branches_is_told_in_parts(world: PlainWorld) -> None:
    world.worktree.commit(a="1")
    count = notify.REFS_PER_MESSAGE + 1

    world.worktree.push(*(f"main:refs/heads/b{number}" for number in range(count)))

    parts = [json.loads(world.receiver.next().body)["refs"] for _ in range(2)]
    assert sorted(len(part) for part in parts) == [1, count - 1]
    assert len({ref["ref"] for part in parts for ref in part}) == count


def test_a_hook_that_was_there_keeps_working(world: PlainWorld, tmp_path: Path) -> None:
    hooks = world.worktree.bare / "hooks"
    (hooks / "post-receive").unlink()
    write_hook(hooks / "lib.sh", f"cat > {tmp_path}/seen")
    write_hook(hooks / "post-receive", 'echo hello; . "$(dirname "$0")/lib.sh"; exit 3')

    world.new_forge().repositories()
    sha = world.worktree.commit(a="1")
    answer = world.worktree.push("main")

    assert (tmp_path / "seen").read_text() == f"{'0' * 40} {sha} refs/heads/main\n"
    assert "remote: hello" in answer
    assert world.receiver.next().path == "/webhooks/plain"


def test_two_hooks_that_came_one_after_the_other_both_keep_working(world: PlainWorld, tmp_path: Path) -> None:
    hook = world.worktree.bare / "hooks/post-receive"
    for name in ("first", "second"):
        hook.unlink()
        write_hook(hook, f"touch {tmp_path}/{name}")
        world.new_forge().repositories()
    world.worktree.commit(a="1")

    world.worktree.push("main")

    assert (tmp_path / "first").exists()
    assert (tmp_path / "second").exists()
    assert world.receiver.next().path == "/webhooks/plain"


def test_a_hook_that_is_a_link_keeps_working(world: PlainWorld, tmp_path: Path) -> None:
    hook = world.worktree.bare / "hooks/post-receive"
    hook.unlink()
    write_hook(hook.with_name("shared"), f"touch {tmp_path}/linked")
    hook.symlink_to("shared")
    world.new_forge().repositories()
    world.worktree.commit(a="1")

    world.worktree.push("main")

    assert (tmp_path / "linked").exists()
    assert MARK not in hook.with_name("shared").read_text()


def test_a_hook_that_was_switched_off_stays_off(world: PlainWorld, tmp_path: Path) -> None:
    hook = world.worktree.bare / "hooks/post-receive"
    hook.unlink()
    write_hook(hook, f"touch {tmp_path}/ran", executable=False)
    world.new_forge().repositories()
    world.worktree.commit(a="1")

    world.worktree.push("main")

    assert world.receiver.next()
    assert not (tmp_path / "ran").exists()


def test_an_older_hook_of_ours_is_brought_up_to_date_and_not_chained(world: PlainWorld) -> None:
    hook = world.worktree.bare / "hooks/post-receive"
    current = hook.read_text()
    hook.write_text(f"#!/bin/sh\n{MARK}, an older one\nexit 1\n")

    world.new_forge().repositories()

    assert hook.read_text() == current
    assert os.access(hook, os.X_OK)
    assert [path.name for path in hook.parent.glob("post-receive*")] == ["post-receive"]


def test_hooks_that_repositories_share_are_left_alone(world: PlainWorld, tmp_path: Path) -> None:
    hooks = world.worktree.bare / "hooks"
    hooks.rename(tmp_path / "shared-hooks")
    (tmp_path / "shared-hooks/post-receive").unlink()
    hooks.symlink_to(tmp_path / "shared-hooks")

    found = world.new_forge().repositories()

    assert [repository.key for repository in found] == ["plain/models"]
    assert list((tmp_path / "shared-hooks").glob("post-receive*")) == []


def test_names_of_the_home_that_a_shell_would_read_are_only_names(tmp_path: Path) -> None:
    folder = tmp_path / "it's $(touch pwned) `touch pwned`"
    folder.mkdir()
    world = PlainWorld(folder)
    world.worktree.commit(a="1")

    world.worktree.push("main")

    assert world.receiver.next().path == "/webhooks/plain"
    assert list(tmp_path.rglob("pwned")) == []
    world.close()


def test_pushes_at_the_same_time_are_all_told(world: PlainWorld) -> None:
    world.worktree.commit(a="1")
    threads = [
        threading.Thread(target=world.worktree.push, args=(f"main:refs/heads/b{number}",)) for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    told = {json.loads(world.receiver.next().body)["refs"][0]["ref"] for _ in threads}

    assert told == {f"refs/heads/b{number}" for number in range(4)}


def test_tags_and_notes_are_of_no_interest(world: PlainWorld) -> None:
    world.worktree.commit(a="1")
    world.worktree.git("tag", "v1")
    world.worktree.git("notes", "add", "-m", "x")

    world.worktree.push("refs/tags/v1", "refs/notes/commits")

    message = world.receiver.next()
    assert world.forge.open_envelope(message.headers, message.body) is None
    assert world.forge.changes(world.repository) == []


@pytest.mark.parametrize(
    "name",
    ["--upload-pack=x", "-x", "<script>alert(1)</script>", "$(id)", "`id`", "{{7+7}}", "ünï/cöde", "a'b\"c",
     "refs/heads/main", "heads/main", "a" * 200],
)  # fmt: skip
def test_a_branch_of_any_name_is_a_change(world: PlainWorld, name: str) -> None:
    world.worktree.commit("base", a="1")
    world.push("main")
    head = world.worktree.commit("hostile", a="2")

    told = world.push(f"HEAD:refs/heads/{name}")

    assert [event.branch for event in told if isinstance(event, PushReceived)] == [name]
    seen = [event.change for event in told if isinstance(event, ChangeSeen)]
    assert [(change.source_branch, change.head_sha, change.title) for change in seen] == [(name, head, "hostile")]
    assert world.forge.heads(world.repository)[name] == head
