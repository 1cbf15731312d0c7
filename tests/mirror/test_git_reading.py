"""The Git port: what is read of repositories."""

from __future__ import annotations

from bot.mirror import GitMirror
from tests.contracts.git_workshop import Worktree, git


def test_a_branch_a_tag_a_sha_and_head_are_resolved_as_they_are_now(
    mirror: GitMirror, address: str, worktree: Worktree
) -> None:
    first = worktree.commit(a="1")
    worktree.git("tag", "light")
    worktree.git("tag", "--annotate", "--message", "x", "v1.0")
    worktree.git("tag", "--annotate", "--message", "x", "nested", "v1.0")
    worktree.push("main", "--tags")
    names = ["main", "light", "v1.0", "nested", "HEAD", first, first[:8], "refs/heads/main"]

    before = {mirror.resolve(address, name) for name in names}
    second = worktree.commit(a="2")
    worktree.push("main")

    assert before == {first}
    assert {mirror.resolve(address, name) for name in ("main", "HEAD", second)} == {second}


def test_a_tag_does_not_take_the_place_of_a_branch(mirror: GitMirror, address: str, worktree: Worktree) -> None:
    good = worktree.commit(a="1")
    worktree.push("main")
    worktree.commit(a="2")
    worktree.git("tag", "main")
    worktree.push("refs/tags/main")

    assert mirror.resolve(address, "main") == good


def test_the_default_branch_is_the_one_that_head_names(mirror: GitMirror, address: str, worktree: Worktree) -> None:
    worktree.commit(a="1")
    worktree.push("main", "main:trunk")
    git(worktree.bare, "symbolic-ref", "HEAD", "refs/heads/trunk")

    assert mirror.default_branch(address) == "trunk"


def test_where_head_names_no_branch_main_is_the_default_one(mirror: GitMirror, worktree: Worktree) -> None:
    git(worktree.bare, "symbolic-ref", "HEAD", "refs/heads/master")
    nothing_pushed = mirror.default_branch(str(worktree.bare))
    worktree.commit(a="1")
    worktree.push("main", "main:other")

    assert nothing_pushed == "master"
    assert mirror.default_branch(str(worktree.bare)) == "main"


def test_a_commit_is_read_with_its_words_author_and_parents(
    mirror: GitMirror, address: str, worktree: Worktree
) -> None:
    first = worktree.commit("First\n\nBecause é.", a="1")
    second = worktree.commit("Second", a="2")
    worktree.push("main")

    told = mirror.commit(address, first)

    assert (told.message, told.author_name, told.author_email, told.parents) == (
        "First\n\nBecause é.\n",
        "Ada",
        "ada@example.com",
        (),
    )
    assert mirror.commit(address, second).parents == (first,)


def test_files_are_read_as_they_were_at_a_commit(mirror: GitMirror, address: str, worktree: Worktree) -> None:
    worktree.write("models/a/mlops.yaml", "version: 1\n")
    worktree.write("large", b"x" * 5000)
    worktree.write("binary", b"\0\xff\n")
    worktree.write("-dash", "dash")
    worktree.write("pointer.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    worktree.write(".gitattributes", "*.bin filter=lfs\n*.txt text eol=crlf\n")
    worktree.write("lines.txt", "a\n")
    sha = worktree.commit()
    worktree.push("main")
    worktree.commit(large="changed")
    worktree.push("main")

    def read(path: str, limit_bytes: int = 1000) -> bytes | None:
        return mirror.read(address, sha, path, limit_bytes=limit_bytes)

    assert read("models/a/mlops.yaml") == read("./models//a/mlops.yaml") == b"version: 1\n"
    assert read("large") == b"x" * 1001
    assert read("large", limit_bytes=5000) == b"x" * 5000
    assert read("binary") == b"\0\xff\n"
    assert read("-dash") == b"dash"
    assert read("pointer.bin") == b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    assert read("lines.txt") == b"a\n"


def test_a_huge_file_is_cut_and_the_next_question_is_answered(
    mirror: GitMirror, address: str, worktree: Worktree
) -> None:
    worktree.write("huge", b"abcdefgh" * 500_000)
    worktree.write("small", "s")
    sha = worktree.commit()
    worktree.push("main")

    assert mirror.read(address, sha, "huge", limit_bytes=9) == b"abcdefghab"
    assert mirror.read(address, sha, "small", limit_bytes=9) == b"s"


def test_changed_paths_name_each_file_that_differs(mirror: GitMirror, address: str, worktree: Worktree) -> None:
    for name in ("kept", "edited", "removed", "a/moved", "a/kept", "becomes-folder", "script", "ünï\tcode"):
        worktree.write(name, f"{name}\n")
    before = worktree.commit()
    worktree.write("edited", "new")
    worktree.write("ünï\tcode", "new")
    (worktree.path / "removed").unlink()
    (worktree.path / "b").mkdir()
    (worktree.path / "a/moved").rename(worktree.path / "b/moved")
    (worktree.path / "becomes-folder").unlink()
    worktree.write("becomes-folder/inner", "1")
    (worktree.path / "script").chmod(0o755)
    after = worktree.commit()
    worktree.push("main")

    changed = mirror.changed_paths(address, before, after)

    assert changed == [
        "a/moved", "b/moved", "becomes-folder", "becomes-folder/inner", "edited", "removed", "script", "ünï\tcode",
    ]  # fmt: skip
    assert mirror.changed_paths(address, after, before) == changed
    assert mirror.changed_paths(address, after, after) == []


def test_the_merge_base_is_the_newest_common_commit(mirror: GitMirror, address: str, worktree: Worktree) -> None:
    fork_point = worktree.commit(a="1")
    worktree.branch("side")
    side = worktree.commit(b="1")
    worktree.branch("main", "main")
    main = worktree.commit(a="2")
    worktree.git("checkout", "--quiet", "--orphan", "island")
    island = worktree.commit(c="1")
    worktree.push("main", "side", "island")

    assert mirror.merge_base(address, main, side) == fork_point
    assert mirror.merge_base(address, fork_point, side) == fork_point
    assert mirror.merge_base(address, side, side) == side
    assert mirror.merge_base(address, main, island) is None


def test_commits_between_are_those_that_the_base_lacks_oldest_first(
    mirror: GitMirror, address: str, worktree: Worktree
) -> None:
    base = worktree.commit("base", a="1")
    worktree.branch("side")
    worktree.commit("first", b="1")
    worktree.commit("second", b="2")
    head = worktree.commit("third", b="3")
    worktree.push("main", "side")

    def messages(base: str | None, limit: int) -> list[str]:
        return [commit.message.strip() for commit in mirror.commits_between(address, base, head, limit=limit)]

    assert messages(base, 10) == ["first", "second", "third"]
    assert messages(base, 1) == ["first"]
    assert messages(None, 10) == ["base", "first", "second", "third"]
    assert messages(head, 10) == []


def test_a_tree_digest_is_equal_exactly_when_the_covered_files_are(
    mirror: GitMirror, address: str, worktree: Worktree
) -> None:
    worktree.write("model/train.py", "1")
    worktree.write("model/deep/x.sql", "1")
    worktree.write("libs/a.py", "1")
    worktree.write("other.txt", "1")
    shas = [worktree.commit()]
    for path, content in (("other.txt", "2"), ("libs/a.py", "2"), ("model/deep/x.sql", "2"), ("model/train.py", "2")):
        worktree.write(path, content)
        shas.append(worktree.commit())
    (worktree.path / "model/train.py").chmod(0o755)
    shas.append(worktree.commit())
    worktree.push("main")

    def steps_that_differ(*paths: str) -> list[int]:
        digests = [mirror.tree_digest(address, sha, paths) for sha in shas]
        return [step for step in range(1, len(shas)) if digests[step] != digests[step - 1]]

    assert steps_that_differ(".") == [1, 2, 3, 4, 5]
    assert steps_that_differ("model") == [3, 4, 5]
    assert steps_that_differ("./model/") == [3, 4, 5]
    assert steps_that_differ("model/train.py") == [4, 5]
    assert steps_that_differ("libs/**") == [2]
    assert steps_that_differ("**/*.sql") == [3]
    assert steps_that_differ("model/*") == [4, 5]
    assert steps_that_differ("**") == [1, 2, 3, 4, 5]
    assert steps_that_differ("model", "libs/**") == [2, 3, 4, 5]
    assert steps_that_differ("missing", "../x", "/model", "-x", "model/train.py/**") == []


def test_a_tree_digest_depends_on_names_and_not_on_how_paths_are_given(
    mirror: GitMirror, address: str, worktree: Worktree
) -> None:
    worktree.write("a/x", "1")
    before = worktree.commit()
    (worktree.path / "a/x").rename(worktree.path / "a/y")
    after = worktree.commit()
    worktree.push("main")

    assert mirror.tree_digest(address, before, ["."]) != mirror.tree_digest(address, after, ["."])
    assert mirror.tree_digest(address, before, ["a"]) == mirror.tree_digest(address, before, ["a/x", "a/**", "**/x"])
