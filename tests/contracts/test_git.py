"""The Git port, on a repository of this machine and on a mirror of a remote one."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from git_workshop import Worktree, git

from bot.domain.errors import TransientError, UserError
from bot.mirror import GitMirror, repositories

# runs on this machine what ssh would run on the other one
SSH = """#!/bin/sh
for command; do :; done
echo "$command" >> {log}
exec sh -c "$command"
"""


@pytest.fixture
def worktree(tmp_path: Path) -> Worktree:
    return Worktree(tmp_path / "work", tmp_path / "remote.git")


@pytest.fixture(params=["local", "remote"])
def address(request: pytest.FixtureRequest, worktree: Worktree, remote_address: str) -> str:
    return str(worktree.bare) if request.param == "local" else remote_address


@pytest.fixture
def calls(tmp_path: Path) -> Callable[[], int]:
    """How often the remote was asked."""
    return lambda: (tmp_path / "ssh.log").read_text().count("\n") if (tmp_path / "ssh.log").exists() else 0


@pytest.fixture
def remote_address(tmp_path: Path, worktree: Worktree, monkeypatch: pytest.MonkeyPatch) -> str:
    program = tmp_path / "ssh"
    program.write_text(SSH.format(log=tmp_path / "ssh.log"))
    program.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(program))
    monkeypatch.setenv("GIT_SSH_VARIANT", "ssh")
    return f"ssh://git.example.com{worktree.bare}"


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[GitMirror]:
    mirror = GitMirror(tmp_path / "home", allow_local=True)
    yield mirror
    mirror.close()


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


@pytest.mark.parametrize(
    "rev",
    ["gone", "", "-x", "--upload-pack=touch x", "main~1", "main:a", "@{u}", "a..b", ":/x", "a\nb", "a\0b", "*",
     "é\ud800", "refs/heads/*", "abcdef1", "x" * 2000],
)  # fmt: skip
def test_what_names_no_commit_is_refused_by_its_name(
    mirror: GitMirror, address: str, worktree: Worktree, rev: str
) -> None:
    worktree.commit(a="1")
    worktree.push("main")

    with pytest.raises(UserError) as refused:
        mirror.resolve(address, rev)

    assert "has no branch, tag or commit" in refused.value.problem
    assert refused.value.fix == "Check its spelling, and that it was pushed."


def test_a_branch_named_like_an_option_is_read_like_any_other(
    mirror: GitMirror, address: str, worktree: Worktree
) -> None:
    names = ["--upload-pack=x", "-q", "<script>", "ünïcode/$(id)"]
    sha = worktree.commit(a="1")
    worktree.push(*(f"HEAD:refs/heads/{name}" for name in names))

    assert {name: mirror.resolve(address, name) for name in names} == dict.fromkeys(names, sha)
    assert mirror.heads(address) == dict.fromkeys(names, sha)


def test_branches_whose_names_are_not_text_are_left_out(mirror: GitMirror, worktree: Worktree) -> None:
    sha = worktree.commit(a="1")
    worktree.push("main")
    Path(os.fsdecode(os.fsencode(worktree.bare) + b"/refs/heads/\xff")).write_text(sha + "\n")

    assert mirror.heads(str(worktree.bare)) == {"main": sha}


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


def test_what_is_no_file_reads_as_none(mirror: GitMirror, address: str, worktree: Worktree) -> None:
    worktree.write("folder/file", "1")
    (worktree.path / "link").symlink_to("folder/file")
    (worktree.path / "out").symlink_to("/etc/passwd")
    (worktree.path / "linked").symlink_to("folder")
    sha = worktree.commit()
    worktree.push("main")
    paths = ["missing", "folder", "folder/", "folder/file/x", "link", "out", "linked/file", "../x", "..", "",
             "/folder/file", ".", "a\0b", "folder\nfile", ":folder/file", "HEAD:folder/file", "é\ud800"]  # fmt: skip

    read = {path: mirror.read(address, sha, path, limit_bytes=10) for path in paths}

    assert read == dict.fromkeys(read)


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


def test_a_commit_that_was_never_pushed_is_named(mirror: GitMirror, address: str, worktree: Worktree) -> None:
    worktree.commit(a="1")
    worktree.push("main")

    with pytest.raises(UserError) as refused:
        mirror.fetch(address, ["0123456789" * 4])

    assert "has no commit `0123456789012345678901234567890123456789`" in refused.value.problem
    assert refused.value.fix == "Was it pushed?"


@pytest.mark.parametrize("sha", ["main", "-x", "--all", "a" * 39, "A" * 40, ""])
def test_only_whole_ids_are_taken_for_commits(mirror: GitMirror, address: str, worktree: Worktree, sha: str) -> None:
    worktree.commit(a="1")
    worktree.push("main")

    with pytest.raises(UserError, match="is not a commit's id"):
        mirror.commit(address, sha)


@pytest.mark.parametrize(
    "address",
    ["ext::sh -c touch% x", "git://example.com/x", "http://example.com/x", "fd::17", "-oProxyCommand=x", "ftp://h/x",
     "--upload-pack=x", "ssh://-oProxyCommand=x/y", "ssh://-l@host/x", "git@-host:x", "git@host:-x", "folder/x", "",
     "https://", "https://host:port/x", "https://ho st/x", "https://host/x\n--x", "file://host/x", "transport::address",
     "https://host/\ud800"],
)  # fmt: skip
def test_an_address_that_git_might_misunderstand_is_refused(mirror: GitMirror, address: str) -> None:
    with pytest.raises(UserError) as refused:
        mirror.resolve(address, "HEAD")

    assert refused.value.fix


@pytest.mark.parametrize("address", ["/tmp", "file:///tmp"])
def test_folders_of_the_machine_are_read_only_where_that_is_allowed(tmp_path: Path, address: str) -> None:
    with pytest.raises(UserError, match="which it does not read"):
        GitMirror(tmp_path / "home", allow_local=False).resolve(address, "HEAD")


def test_a_folder_without_a_repository_is_named(mirror: GitMirror, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no git repository at `.*/nothing`\."):
        mirror.resolve(f"file://{tmp_path}/nothing", "HEAD")


def test_a_host_that_can_not_be_reached_is_tried_again_later_and_shows_no_password(mirror: GitMirror) -> None:
    with pytest.raises(TransientError) as failed:
        mirror.resolve("https://ada:s3cr3t-word@127.0.0.1:1/x.git", "HEAD")

    assert "The repository `https://127.0.0.1:1/x.git` can not be reached" in failed.value.problem
    assert "s3cr3t-word" not in failed.value.problem


def test_a_remote_repository_that_does_not_exist_is_the_users_error(mirror: GitMirror, remote_address: str) -> None:
    with pytest.raises(UserError, match="can not be read"):
        mirror.resolve(remote_address + "-gone", "HEAD")


def test_a_host_that_hangs_is_given_up_together_with_its_helpers(
    mirror: GitMirror, tmp_path: Path, worktree: Worktree, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "hang"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(program))
    monkeypatch.setattr(repositories, "NETWORK_TIMEOUT_S", 1.0)

    with pytest.raises(TransientError, match="took longer than 1 s"):
        mirror.resolve("ssh://git.example.com/x", "HEAD")

    assert ended(int((tmp_path / "pid").read_text()))


def ended(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


def test_the_mirror_holds_no_contents_until_they_are_read_and_asks_the_remote_once(
    mirror: GitMirror, remote_address: str, worktree: Worktree, tmp_path: Path, calls: Callable[[], int]
) -> None:
    worktree.write("a", "content of a")
    worktree.write("b", "content of b")
    sha = worktree.commit()
    worktree.push("main")
    mirror.fetch(remote_address, [sha])
    folder = next((tmp_path / "home/mirrors").glob("*.git"))

    def blobs() -> int:
        return git(folder, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)").split().count("blob")

    held = [blobs()]
    mirror.tree_digest(remote_address, sha, ["."])
    asked = calls()
    for _ in range(2):
        assert mirror.read(remote_address, sha, "a", limit_bytes=100) == b"content of a"
        held.append(blobs())

    assert held == [0, 1, 1]
    assert (asked, calls()) == (1, 2)


def test_a_mirror_stays_small_in_number_of_packs(
    mirror: GitMirror, remote_address: str, worktree: Worktree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repositories, "PACK_LIMIT", 3)
    shas = []
    for number in range(8):
        shas.append(worktree.commit(a=str(number)))
        worktree.push("main")
        mirror.fetch(remote_address, [shas[-1]])
    folder = next((tmp_path / "home/mirrors").glob("*.git"))

    assert len(list((folder / "objects/pack").glob("*.pack"))) <= 4
    assert [mirror.read(remote_address, sha, "a", limit_bytes=9) for sha in shas] == [b"%d" % n for n in range(8)]


def test_many_threads_and_two_processes_worth_of_mirrors_get_right_answers(
    tmp_path: Path, address: str, worktree: Worktree
) -> None:
    shas = [worktree.commit(a=str(number)) for number in range(6)]
    worktree.push("main")
    mirrors = [GitMirror(tmp_path / "home", allow_local=True) for _ in range(2)]
    wrong: list[object] = []

    def ask(mirror: GitMirror) -> None:
        for number, sha in enumerate(shas):
            read = mirror.read(address, sha, "a", limit_bytes=9)
            if read != b"%d" % number:
                wrong.append((sha, read))

    threads = [threading.Thread(target=ask, args=(mirror,)) for mirror in mirrors * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for mirror in mirrors:
        mirror.close()

    assert wrong == []


def test_a_git_process_that_was_killed_is_replaced(mirror: GitMirror, address: str, worktree: Worktree) -> None:
    sha = worktree.commit(a="1")
    worktree.push("main")
    mirror.read(address, sha, "a", limit_bytes=9)
    for child in psutil.Process().children():
        if child.cmdline()[:1] == ["git"] and "cat-file" in child.cmdline():
            child.kill()
            child.wait(10)

    assert mirror.read(address, sha, "a", limit_bytes=9) == b"1"


def test_a_repository_that_was_made_anew_is_read_anew(mirror: GitMirror, worktree: Worktree, tmp_path: Path) -> None:
    address = str(worktree.bare)
    sha = worktree.commit(a="1")
    worktree.push("main")
    mirror.resolve(address, "main")
    worktree.bare.rename(tmp_path / "old.git")
    anew = Worktree(tmp_path / "anew", worktree.bare)
    other = anew.commit("other", a="2")
    anew.push("main")

    assert mirror.resolve(address, "main") == other
    assert other != sha


def test_what_a_repository_configures_is_not_run(
    mirror: GitMirror, worktree: Worktree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(trap.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "gitconfig").write_text(f"[core]\n\tfsmonitor = {trap}\n[diff]\n\texternal = {trap}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    first = worktree.commit(a="1")
    second = worktree.commit(a="2")
    worktree.push("main")
    for key in ("core.fsmonitor", "core.sshCommand", "core.pager", "diff.external", "filter.x.smudge", "core.gitProxy"):
        git(worktree.bare, "config", key, str(trap))
    address = str(worktree.bare)

    mirror.changed_paths(address, first, second)
    mirror.merge_base(address, first, second)
    mirror.commits_between(address, first, second, limit=9)
    mirror.read(address, mirror.resolve(address, "main"), "a", limit_bytes=9)

    assert not (tmp_path / "sprung").exists()


def test_a_mirror_that_is_made_in_a_hook_reads_the_repository_that_it_is_asked_for(
    tmp_path: Path, worktree: Worktree, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = worktree.commit(a="1")
    worktree.push("main")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "elsewhere"))

    mirror = GitMirror(tmp_path / "home", allow_local=True)

    assert mirror.resolve(str(worktree.bare), "main") == sha
    mirror.close()
