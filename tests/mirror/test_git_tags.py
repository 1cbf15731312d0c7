"""The Git port: commits beside the branches, and tags, listed and made."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.mirror import GitMirror
from bot.ports.git import Signature, Tag, TagExists
from tests.contracts.git_workshop import Worktree, git
from tests.mirror.http_remote import HttpRemote
from tests.mirror.tag_samples import BOT, NAME, hook, tag


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
