"""What the registry reads: tags of the bot, of people, of other tools, and of nobody good."""

from __future__ import annotations

from bot.domain.change import Repository
from bot.domain.version import VersionNumber
from bot.lock_file import LOCK_LIMIT_BYTES, render_lock
from bot.ports.registry import Record, Registry
from tests.contracts.git_workshop import Worktree, git
from tests.mirror.http_remote import HttpRemote
from tests.registry.samples import TAG, assign, lock, register


def test_versions_come_by_number_and_models_of_one_repository_beside_each_other(
    registry: Registry, repository: Repository, trained: str
) -> None:
    for model, number in (("b", "1.10.0"), ("b", "1.9.0"), ("a", "1.9.1"), ("b", "2.0.0")):
        wanted = VersionNumber(*map(int, number.split(".")))
        register(registry, repository, lock(sha=trained, model=model, number=wanted))

    record = registry.read(repository)

    assert [f"{one.model} {one.number}" for one in record.versions] == ["b v1.9.0", "a v1.9.1", "b v1.10.0", "b v2.0.0"]
    assert record.numbers == {"a": VersionNumber(1, 9, 1), "b": VersionNumber(2, 0, 0)}
    assert len({one.commit_sha for one in record.versions}) == 4


def test_what_was_taken_back_is_left_out_and_its_numbers_stay_taken(
    registry: Registry, repository: Repository, trained: str, worktree: Worktree
) -> None:
    first = register(registry, repository, lock(sha=trained, number=VersionNumber(1, 0, 0)))
    second = register(registry, repository, lock(sha=trained, number=VersionNumber(1, 1, 0)))
    for serial, version in enumerate([first, second, first], start=1):
        assign(registry, repository, version.commit_sha, serial)
    worktree.git("fetch", "--quiet", "--tags")
    for name, version in (("breast-cancer@v1.1.0!", second), ("breast-cancer#production!#9", first)):
        worktree.git("tag", "-a", "-m", "x", name, version.commit_sha, GIT_COMMITTER_DATE="1800000000 +0000")
    worktree.push("--tags")

    record = registry.read(repository)

    assert record == Record((first,), (), {"breast-cancer": VersionNumber(1, 1, 0)}, {"breast-cancer": 9})
    assert record.next_serial("breast-cancer") == 10


def test_foreign_tags_are_ignored(registry: Registry, repository: Repository, trained: str, worktree: Worktree) -> None:
    version = register(registry, repository, lock(sha=trained))
    names = [
        "v1.0.0", "release-2026", "breast-cancer", "breast-cancer@", "breast-cancer@1.0.0", "breast-cancer@v1.0",
        "breast-cancer@v1.0.0-rc.1", "breast-cancer@v01.0.0", "breast-cancer@v9999999999.0.0",
        "breast-cancer@deprecated", "models=breast-cancer@v1.0.0", "Breast@v1.0.0", "x-@v1.0.0",
        "breast-cancer#", "breast-cancer#production#007", "breast-cancer#production#0", "breast-cancer#Prod#1",
        "breast-cancer#production#9999999999", "a/breast-cancer@v1.0.0", "breast-cancer@v1.0.0/x",
        "breast-cancer@v2.0.0\u202e", "é@v1.0.0", "$(touch x)@v1.0.0".replace(" ", "_"), "x" * 64 + "@v1.0.0",
    ]  # fmt: skip
    for name in names:
        worktree.git("tag", "-a", "-m", "x", name, trained)
    worktree.git("tag", "breast-cancer@v7.0.0", trained)  # without an annotation, which GTO leaves out, too
    worktree.push("--tags")

    assert registry.read(repository) == Record(
        (version,), (), {"breast-cancer": VersionNumber(1, 3, 0)}, {"breast-cancer": 0}
    )


def by_hand(worktree: Worktree, name: str, parent: str, **files: str | bytes) -> str:
    worktree.git("checkout", "--quiet", "--detach", parent)
    for path, content in files.items():
        worktree.write(path.replace("_", "."), content)
    sha = worktree.commit("By hand")
    worktree.git("tag", "-a", "-m", "by hand", name, sha)
    worktree.push(f"refs/tags/{name}")
    return sha


def test_a_version_that_the_bot_did_not_make_or_that_was_changed_says_what_is_wrong(
    registry: Registry, repository: Repository, trained: str, worktree: Worktree
) -> None:
    good = register(registry, repository, lock(sha=trained))
    text = render_lock(lock(sha=trained, number=VersionNumber(6, 0, 0))).decode()
    worktree.git("tag", "-a", "-m", "x", "breast-cancer@v2.0.0", trained)
    worktree.git("fetch", "--quiet", "origin", f"refs/tags/{TAG}")
    worktree.git("tag", "-a", "-m", "x", "breast-cancer@v3.0.0", good.commit_sha)
    worktree.push("--tags")
    by_hand(worktree, "breast-cancer@v4.0.0", trained, mlops_lock="not json")
    by_hand(worktree, "breast-cancer@v5.0.0", trained, mlops_lock=b" " * (LOCK_LIMIT_BYTES + 1))
    by_hand(worktree, "breast-cancer@v6.0.0", good.commit_sha, mlops_lock=text)

    versions = registry.read(repository).versions

    assert versions[0] == good
    assert [(str(one.number), one.by, one.lock) for one in versions[1:]] == [
        (f"v{number}.0.0", "Grace", None) for number in range(2, 7)
    ]
    assert [one.problem for one in versions[1:]] == [
        "Its commit has no mlops.lock: the tag was not made by the bot.",
        "Its mlops.lock is that of `breast-cancer@v1.3.0`: the tag was moved or copied by hand.",
        "mlops.lock is not JSON: Expecting value: line 1 column 1 (char 0).",
        "mlops.lock is larger than 262144 bytes.",
        "Its mlops.lock is about another commit than the one that its own commit follows.",
    ]


def test_an_assignment_that_somebody_made_by_hand_is_one(
    registry: Registry, repository: Repository, trained: str, worktree: Worktree
) -> None:
    version = register(registry, repository, lock(sha=trained))
    worktree.git("fetch", "--quiet", "origin", f"refs/tags/{TAG}")
    worktree.git("tag", "-a", "-m", "x", "breast-cancer#production", version.commit_sha)
    worktree.push("--tags")

    made = registry.read(repository).assignments

    assert [(one.tag, one.by, one.deployment_id) for one in made] == [("breast-cancer#production", "Grace", "")]


def test_thousands_of_tags_are_read_with_three_questions_and_then_with_one(
    registry: Registry, http: HttpRemote, worktree: Worktree, trained: str
) -> None:
    many(worktree, trained, 1_000)
    repository = Repository("github/acme/models", http.address, "main")
    http.seen.clear()

    record = registry.read(repository)
    first = len(http.seen)
    again = registry.read(repository)

    assert len(record.versions) == len(record.assignments) == 1_000
    assert {version.problem for version in record.versions} == {""}
    assert record.next_serial("breast-cancer") == 1_001
    assert again == record
    assert first <= 6  # two requests each: what the server can, and the question
    assert len(http.seen) - first <= 2


def many(worktree: Worktree, trained: str, count: int) -> None:
    """Versions and assignments, in one go."""
    parts = []
    for number in range(1, count + 1):
        content = render_lock(lock(sha=trained, number=VersionNumber(1, number, 0))).decode()
        who = f"bot <bot@localhost> {1_700_000_000 + number} +0000"
        parts.append(
            f"commit refs/heads/versions\nmark :{number}\ncommitter {who}\ndata 1\nx\nfrom {trained}\n"
            f"M 100644 inline mlops.lock\ndata {len(content.encode())}\n{content}\n"
            f"tag breast-cancer@v1.{number}.0\nfrom :{number}\ntagger {who}\ndata 1\nx\n"
            f"tag breast-cancer#production#{number}\nfrom :{number}\ntagger {who}\ndata 1\nx\n"
            "reset refs/heads/versions\n\n"
        )
    stream = worktree.path.parent / "stream"
    stream.write_text("".join(parts))
    git(
        worktree.bare.parent,
        "-c",
        "alias.load=!cat stream | git --git-dir=remote.git fast-import --quiet --force",
        "load",
    )
