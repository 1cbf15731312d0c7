"""The Git port: commits beside the branches, and tags, listed and made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.errors import TransientError, UserError
from bot.mirror import GitMirror
from bot.ports.git import PushRefused, Signature, Tag, TagExists
from tests.contracts.git_workshop import Worktree, git
from tests.mirror.http_remote import PUSH_TOKEN, READ_TOKEN, HttpRemote

BOT = Signature("mlops-bot", "mlops-bot@localhost", datetime(2026, 11, 25, 12, tzinfo=UTC))
NAME = "churn@v1.0.0"
RECEIVED = "#!/bin/sh\n{command}\n"


def tag(commit_sha: str, name: str = NAME, message: str = "Version v1.0.0 of churn\n", by: Signature = BOT) -> Tag:
    return Tag(name, commit_sha, message, by)


def hook(bare: Path, name: str, command: str) -> None:
    file = bare / "hooks" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(RECEIVED.format(command=command))
    file.chmod(0o755)


@pytest.fixture
def parent(worktree: Worktree) -> str:
    worktree.write("models/churn/train.py", "train")
    worktree.write("run.sh", "#!/bin/sh")
    (worktree.path / "run.sh").chmod(0o755)
    (worktree.path / "link").symlink_to("run.sh")
    sha = worktree.commit(README="read me")
    worktree.push("main")
    return sha


@pytest.fixture
def http(worktree: Worktree) -> Iterator[HttpRemote]:
    git(worktree.bare, "config", "http.receivepack", "true")
    with HttpRemote(worktree.bare).running() as remote:
        yield remote


@pytest.fixture
def lent(http: HttpRemote, tmp_path: Path) -> Iterator[GitMirror]:
    """A mirror that is lent tokens for the remote."""
    mirror = GitMirror(
        tmp_path / "lent",
        allow_local=False,
        credentials=http.reading,
        push_credentials=http.pushing,
        http_origins=[http.origin],
    )
    yield mirror
    mirror.close()


def test_a_commit_adds_files_to_its_parent_and_is_held_by_its_tag_alone(
    mirror: GitMirror, address: str, worktree: Worktree, parent: str
) -> None:
    files = {"mlops.lock": b"{}\n", "models/churn/card.md": b"# churn", ".dvc/config": b"", "README": b"other"}

    sha = mirror.write_commit(address, parent, files, message="Version v1.0.0\n", by=BOT)
    mirror.push_tags(address, [tag(sha)])

    bare = worktree.bare
    assert git(bare, "diff", "--name-status", parent, sha).split("\n") == [
        "A\t.dvc/config",
        "M\tREADME",
        "A\tmlops.lock",
        "A\tmodels/churn/card.md",
    ]
    assert git(bare, "show", f"{NAME}:models/churn/card.md") == "# churn"
    assert git(bare, "show", "--no-patch", "--format=%P|%an <%ae> %aI|%cn %cI|%s", sha) == (
        f"{parent}|mlops-bot <mlops-bot@localhost> 2026-11-25T12:00:00+00:00|mlops-bot 2026-11-25T12:00:00+00:00"
        "|Version v1.0.0"
    )
    assert git(bare, "cat-file", "-p", f"refs/tags/{NAME}").split("\n") == [
        f"object {sha}",
        "type commit",
        f"tag {NAME}",
        "tagger mlops-bot <mlops-bot@localhost> 1795608000 +0000",
        "",
        "Version v1.0.0 of churn",
    ]
    assert git(bare, "for-each-ref", "--contains", sha, "--format=%(refname)") == f"refs/tags/{NAME}"
    assert git(bare, "fsck", "--strict", "--no-dangling") == ""


def test_the_same_again_has_the_same_ids_and_is_no_second_push(
    mirror: GitMirror, address: str, worktree: Worktree, parent: str, tmp_path: Path
) -> None:
    files = {"b": b"2", "a": b"1"}
    first = mirror.write_commit(address, parent, files, message="x\n", by=BOT)
    mirror.push_tags(address, [tag(first)])
    held = git(worktree.bare, "rev-parse", f"refs/tags/{NAME}")
    other = GitMirror(tmp_path / "other", allow_local=True)

    second = other.write_commit(address, parent, dict(reversed(files.items())), message="x\n", by=BOT)
    other.push_tags(address, [tag(second)])
    other.close()

    assert second == first
    assert git(worktree.bare, "rev-parse", f"refs/tags/{NAME}") == held


def test_a_tag_that_differs_from_the_one_that_is_there_is_not_made_nor_are_those_beside_it(
    mirror: GitMirror, address: str, worktree: Worktree, parent: str
) -> None:
    mirror.push_tags(address, [tag(parent)])
    held = git(worktree.bare, "rev-parse", f"refs/tags/{NAME}")

    for other in (tag(parent, message="other"), tag(parent, by=replace(BOT, name="somebody"))):
        with pytest.raises(TagExists, match=NAME):
            mirror.push_tags(address, [tag(parent, "churn#production#1"), other])

    assert git(worktree.bare, "for-each-ref", "--format=%(objectname) %(refname)", "refs/tags") == (
        f"{held} refs/tags/{NAME}"
    )


def test_of_two_that_push_at_the_same_instant_one_is_told_that_the_tag_is_there(
    mirror: GitMirror, address: str, worktree: Worktree, parent: str
) -> None:
    mirror.push_tags(address, [tag(parent, "first")])
    other = git(worktree.bare, "rev-parse", "refs/tags/first")
    hook(worktree.bare, "pre-receive", f"env -u GIT_QUARANTINE_PATH git update-ref 'refs/tags/{NAME}' {other}")

    with pytest.raises(TagExists):
        mirror.push_tags(address, [tag(parent)])

    assert git(worktree.bare, "rev-parse", f"refs/tags/{NAME}") == other


def test_tags_are_listed_with_what_they_say_as_they_are_now(
    mirror: GitMirror, address: str, worktree: Worktree, parent: str
) -> None:
    mirror.push_tags(address, [tag(parent), tag(parent, "churn#production#1", "Assign\n\nDeployment: dep-1\n")])
    later = worktree.commit(a="2")
    worktree.git("tag", "-a", "-m", "by hand é", "churn@v2.0.0", later)
    worktree.git("tag", "churn@v3.0.0")  # without an annotation
    worktree.git("tag", "-a", "-m", "of a tree", "churn@v4.0.0", "HEAD^{tree}")
    worktree.git("tag", "-a", "-m", "of a tag", "churn@v5.0.0", "churn@v2.0.0")
    worktree.push("main", "--tags")
    before = mirror.tags(address, named=lambda name: name.startswith("churn"))
    git(worktree.bare, "update-ref", "-d", f"refs/tags/{NAME}")
    worktree.git("tag", "--force", "-a", "-m", "moved", "churn@v2.0.0", parent)
    worktree.push("--tags")
    grace = Signature("Grace", "grace@example.com", datetime.fromtimestamp(1700000000, UTC))

    after = mirror.tags(address, named=lambda name: name.startswith("churn"))

    by_hand = Tag("churn@v2.0.0", later, "by hand é\n", grace)
    assignment = Tag("churn#production#1", parent, "Assign\n\nDeployment: dep-1\n", BOT)
    assert before == [assignment, tag(parent), by_hand]
    assert after == [assignment, replace(by_hand, commit_sha=parent, message="moved\n")]


def test_only_tags_whose_name_is_wanted_are_fetched(
    mirror: GitMirror, remote_address: str, worktree: Worktree, parent: str, tmp_path: Path
) -> None:
    worktree.git("checkout", "--quiet", "--orphan", "elsewhere")
    foreign = worktree.commit("Another history")
    worktree.git("tag", "-a", "-m", "x", "release-1", foreign)
    worktree.git("tag", "-a", "-m", "x", NAME, parent)
    worktree.push("--tags")

    listed = mirror.tags(remote_address, named=lambda name: "@" in name)

    folder = next((tmp_path / "home/mirrors").glob("*.git"))
    assert [(one.name, one.commit_sha) for one in listed] == [(NAME, parent)]
    assert foreign not in git(folder, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()


def test_hostile_tags_are_read_as_text_or_left_out(
    mirror: GitMirror, address: str, worktree: Worktree, parent: str
) -> None:
    bare = worktree.bare

    def raw(name: str | bytes, text: str) -> None:
        (worktree.path / "tag-text").write_bytes(text.encode("utf-8", "surrogateescape"))
        made = git(bare, "hash-object", "-w", "-t", "tag", "--literally", str(worktree.path / "tag-text"))
        path = bare / "refs" / "tags" / (name if isinstance(name, str) else name.decode("utf-8", "surrogateescape"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made + "\n")

    head = f"object {parent}\ntype commit\ntag x\n"
    raw("--upload-pack=touch sprung".replace(" ", "-"), f"{head}tagger a <b> 1 +0000\n\n1")
    raw("$(touch-sprung);`x`", f"{head}tagger a <b> 1 +0000\n\n2")
    raw(b"n\xff\xfe", f"{head}tagger a <b> 1 +0000\n\n3")
    raw("no-tagger", f"{head}\n4")
    raw("far-future", f"{head}tagger <<>> 99999999999999999999 +0000\n\n5")
    raw("year-10000", f"{head}tagger a <b> 999999999999 +0000\n\n6")
    raw("huge", f"{head}tagger a <b> 1 +0000\n\n{'x' * 1_000_000}")
    raw("binary", f"{head}tagger \udcff\x01 <b> 1 +0000\n\n\udcff\x00")
    raw("empty", "")
    a = Signature("a", "b", datetime.fromtimestamp(1, UTC))
    nobody = Signature("", "", datetime.fromtimestamp(0, UTC))

    listed = {one.name: one for one in mirror.tags(address, named=lambda _name: True)}

    assert len(listed.pop("huge").message) < 70_000
    assert list(listed.values()) == [
        Tag("$(touch-sprung);`x`", parent, "2", a),
        Tag("--upload-pack=touch-sprung", parent, "1", a),
        Tag("binary", parent, "\ufffd\ufffd", Signature("\ufffd\x01", "b", a.at)),
        Tag("far-future", parent, "5", nobody),
        Tag("no-tagger", parent, "4", nobody),
        Tag("year-10000", parent, "6", replace(a, at=nobody.at)),
    ]


def test_one_file_at_many_commits_is_read_with_one_fetch(
    mirror: GitMirror, http: HttpRemote, lent: GitMirror, worktree: Worktree
) -> None:
    shas = [worktree.commit(a=f"content {number}", b="1") for number in range(5)]
    worktree.git("rm", "-q", "a")
    shas.append(worktree.commit(b="2"))
    worktree.push("main")
    lent.fetch(http.address, [shas[-1]])
    http.seen.clear()

    read = lent.read_each(http.address, shas, "a", limit_bytes=100)

    assert read == {**{sha: b"content %d" % number for number, sha in enumerate(shas[:5])}, shas[5]: None}
    assert len(http.seen) <= 3
    assert mirror.read_each(str(worktree.bare), shas[:2], "a", limit_bytes=100) == {
        shas[0]: b"content 0",
        shas[1]: b"content 1",
    }


def test_a_push_to_a_folder_is_like_anybodys_its_hooks_are_asked_and_told(
    mirror: GitMirror, worktree: Worktree, parent: str, tmp_path: Path
) -> None:
    hook(worktree.bare, "update", f'echo "$1" >> {tmp_path}/asked')
    hook(worktree.bare, "post-receive", f"cat >> {tmp_path}/told")
    trap = tmp_path / "elsewhere.git"
    git(tmp_path, "init", "--quiet", "--bare", str(trap))
    git(worktree.bare, "config", f"url.{trap}.pushInsteadOf", str(worktree.bare))
    git(worktree.bare, "config", f"remote.{worktree.bare}.url", str(trap))

    mirror.push_tags(str(worktree.bare), [tag(parent)])

    assert (tmp_path / "asked").read_text() == f"refs/tags/{NAME}\n"
    assert (tmp_path / "told").read_text().split()[2] == f"refs/tags/{NAME}"
    assert git(trap, "for-each-ref") == ""


def test_a_working_tree_and_a_repository_of_sha256_take_tags_too(mirror: GitMirror, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    git(tmp_path, "init", "--quiet", "--object-format=sha256", "--initial-branch=main", str(folder))
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "x")
    parent = git(folder, "rev-parse", "HEAD")

    sha = mirror.write_commit(str(folder), parent, {"a": b"1"}, message="x\n", by=BOT)
    mirror.push_tags(str(folder), [tag(sha)])

    assert git(folder, "show", f"{NAME}:a") == "1"
    assert len(sha) == 64


@pytest.mark.parametrize("event", ["pre-receive", "update"])
def test_a_repository_that_takes_no_tags_says_why_in_its_own_words(
    mirror: GitMirror, address: str, worktree: Worktree, parent: str, event: str
) -> None:
    hook(
        worktree.bare, event, "echo 'GitLab: You are not allowed to create this tag as it is `protected`.' >&2; exit 1"
    )

    with pytest.raises(PushRefused) as refused:
        mirror.push_tags(address, [tag(parent)])

    assert f"does not take `{NAME}` from the bot: " in refused.value.problem
    assert "You are not allowed to create this tag as it is 'protected'." in refused.value.problem
    assert refused.value.fix == "Give the bot the right to make tags there."
    assert git(worktree.bare, "for-each-ref", "refs/tags") == ""


def test_a_push_over_http_uses_the_token_that_may_push_and_shows_it_to_nobody(
    lent: GitMirror, http: HttpRemote, worktree: Worktree, parent: str, tmp_path: Path
) -> None:
    hook(worktree.bare, "pre-receive", f"cat /proc/[0-9]*/cmdline /proc/[0-9]*/cmdline > {tmp_path}/processes; exit 0")

    sha = lent.write_commit(http.address, parent, {"mlops.lock": b"{}"}, message="x\n", by=BOT)
    lent.push_tags(http.address, [tag(sha)])

    assert git(worktree.bare, "rev-parse", f"refs/tags/{NAME}^{{commit}}") == sha
    assert f"read {READ_TOKEN}" in http.seen
    assert {line for line in http.seen if line.startswith("push")} == {f"push {PUSH_TOKEN}"}
    written = [file.read_bytes() for file in (tmp_path / "lent").rglob("*") if file.is_file()]
    for secret in (PUSH_TOKEN, READ_TOKEN):
        assert secret.encode() not in (tmp_path / "processes").read_bytes()
        assert not [content for content in written if secret.encode() in content]
    assert b"push" in (tmp_path / "processes").read_bytes()


def test_a_token_that_may_not_push_is_named_as_the_reason(lent: GitMirror, http: HttpRemote, parent: str) -> None:
    http.forbidden = "Permission to acme/models.git denied to mlops-bot[bot]."

    with pytest.raises(PushRefused) as refused:
        lent.push_tags(http.address, [tag(parent)])

    assert "Permission to acme/models.git denied to mlops-bot[bot]." in refused.value.problem
    assert "error: 403" in refused.value.problem


def test_a_remote_that_can_not_be_reached_is_tried_again_later(tmp_path: Path, parent: str, worktree: Worktree) -> None:
    http = HttpRemote(worktree.bare)
    mirror = GitMirror(tmp_path / "lent", allow_local=False, credentials=http.pushing, http_origins=[http.origin])
    with http.running():
        mirror.fetch(http.address, [parent])

    with pytest.raises(TransientError, match="can not be reached"):
        mirror.push_tags(http.address, [tag(parent)])
    with pytest.raises(TransientError, match="can not be reached"):
        mirror.tags(http.address, named=lambda _name: True)
    mirror.close()


def test_a_tag_of_a_commit_that_nobody_has_is_not_made(mirror: GitMirror, address: str, worktree: Worktree) -> None:
    worktree.commit(a="1")
    worktree.push("main")

    with pytest.raises(UserError, match=f"has no commit `{'a' * 40}`"):
        mirror.push_tags(address, [tag("a" * 40)])
    with pytest.raises(UserError, match="can not be the name of a tag"):
        mirror.push_tags(address, [tag("a" * 40, name="..")])


def big(worktree: Worktree) -> str:
    """A commit of many large files, on a branch that is deleted later."""
    for number in range(300):
        worktree.write(f"folder-{number % 20}/file-{number}", f"{number} " * 5_000)
    worktree.commit("Big")
    worktree.push("main")
    worktree.branch("work")
    sha = worktree.commit("Work", change="1")
    worktree.push("work")
    return sha


def stored(bare: Path) -> dict[Path, int]:
    files = [*bare.glob("objects/??/*"), *bare.glob("objects/pack/*.pack")]
    return {file: file.stat().st_size for file in files}


@pytest.mark.parametrize("is_old", [False, True], ids=["negotiating", "old"])
def test_a_mirror_without_files_pushes_a_child_of_a_big_commit_and_fetches_none(
    lent: GitMirror, http: HttpRemote, worktree: Worktree, tmp_path: Path, is_old: bool
) -> None:
    parent = big(worktree)
    lent.fetch(http.address, [parent])
    worktree.git("checkout", "--quiet", "main")
    worktree.commit("Later", later="1")
    worktree.push("main", *([] if is_old else [":work"]))  # the one is reached from a branch, the other from nothing
    git(worktree.bare, "gc", "--quiet")
    before = stored(worktree.bare)
    http.is_old = is_old

    sha = lent.write_commit(http.address, parent, {"mlops.lock": b"{}"}, message="x\n", by=BOT)
    lent.push_tags(http.address, [tag(sha)])

    folder = next((tmp_path / "lent/mirrors").glob("*.git"))
    kinds = git(folder, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)").split()
    assert git(worktree.bare, "show", f"{NAME}:mlops.lock") == "{}"
    assert kinds.count("blob") == 1
    assert sum(stored(worktree.bare).values()) - sum(before.values()) < 20_000
