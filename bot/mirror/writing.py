"""Writing objects: a commit that adds files to another one, and tags; and pushing them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bot.domain.errors import TransientError, UserError
from bot.domain.words import listed, plain, quoted
from bot.mirror.answers import REFUSED, last_words, says
from bot.mirror.command import NETWORK_TIMEOUT_S, Finished, GitRunner
from bot.mirror.local import TAGS, LocalRepository
from bot.mirror.names import is_reference_name
from bot.mirror.objects import SUBMODULE_MODE, TREE_MODE, Objects, TreeEntry
from bot.mirror.repositories import RemoteMirror, check_sha
from bot.mirror.tags import signature_text, tag_text
from bot.mirror.trees import path_names
from bot.ports.git import BranchMoved, PushRefused, Signature, Tag, TagExists

_FILE_MODE = "100644"
_Files = Mapping[tuple[bytes, ...], str | None]
_HEADS = "refs/heads/"
# `git push --porcelain`: a flag, the reference, what came of it; the reason stands in parentheses (git-push, "OUTPUT")
_REJECTED = re.compile(r"^!\t[^\t]*\t\[[^\]]*\] ?\((?P<reason>.*)\)$", re.MULTILINE)
_TAKEN = ("already exists", "stale info", "cannot lock ref", "failed to lock", "failed to update ref", "fetch first")
_NO_PERMISSION = ("permission denied", "insufficient permission", "read-only file system")
# nothing that we know of the remote leads to the parent, so git wants to send all that came before it
_PARENT_UNKNOWN_THERE = ("unable to read", "unable to get type of object", "missing blob")


def write_commit(
    repository: LocalRepository | RemoteMirror,
    tree_id: str,
    files: Mapping[str, bytes | None],
    *,
    parent: str,
    message: str,
    by: Signature,
) -> str:
    """The new commit's id. `tree_id` is the parent's."""
    writer = repository.writer()
    blobs = {
        _names(path): None if content is None else _write(writer, "blob", content) for path, content in files.items()
    }
    with repository.objects.batch():
        tree = _write_tree(writer, repository.objects, tree_id, blobs)
    signature = signature_text(by)
    lines = (f"tree {tree}", f"parent {parent}", f"author {signature}", f"committer {signature}", "", message)
    return _write(writer, "commit", "\n".join(lines).encode("utf-8", "replace"))


def push_tags(repository: LocalRepository | RemoteMirror, tags: Sequence[Tag]) -> None:
    writer = repository.writer()
    for tag in tags:
        if not is_reference_name(tag.name):
            raise UserError(f"{quoted(tag.name)} can not be the name of a tag.")
        if writer.run("cat-file", "-e", f"{check_sha(tag.commit_sha)}^{{commit}}").status:
            repository.fetch([tag.commit_sha])
    refspecs = [f"{_write(writer, 'tag', tag_text(tag))}:{TAGS}{tag.name}" for tag in tags]
    done = _push(repository, writer, refspecs)
    if done.status:
        raise _failure(done, repository.address.shown, [tag.name for tag in tags], "tags")


def push_branch(repository: LocalRepository | RemoteMirror, branch: str, sha: str, *, expected: str | None) -> None:
    if not is_reference_name(branch):
        raise UserError(f"{quoted(branch)} can not be the name of a branch.")
    lease = f"--force-with-lease={_HEADS}{branch}:{check_sha(expected) if expected else ''}"
    done = _push(repository, repository.writer(), [f"{check_sha(sha)}:{_HEADS}{branch}"], lease)
    if not done.status:
        return
    failure = _failure(done, repository.address.shown, [branch], "branches")
    raise BranchMoved(branch) if isinstance(failure, TagExists) else failure


def _push(
    repository: LocalRepository | RemoteMirror, writer: GitRunner, refspecs: Sequence[str], *options: str
) -> Finished:
    done = _try_push(repository, writer, refspecs, *options)
    if done.status and says(done, _PARENT_UNKNOWN_THERE) and isinstance(repository, RemoteMirror):
        repository.fetch_all()  # a server that does not negotiate: what its references hold is known from now on
        done = _try_push(repository, writer, refspecs, *options)
    return done


def _try_push(
    repository: LocalRepository | RemoteMirror, writer: GitRunner, refspecs: Sequence[str], *more: str
) -> Finished:
    """With negotiation, git asks the remote whether it has the parent and sends nothing from before it, which a mirror
    without files could not do."""
    atomic = ["--atomic"] if len(refspecs) > 1 else []
    options = ("--porcelain", "--no-progress", "--no-thin", "--no-verify", "--no-follow-tags", "--no-signed")
    return writer.run(
        "push", *options, *more, *atomic, "--recurse-submodules=no", "--", repository.push_target, *refspecs,
        timeout_s=NETWORK_TIMEOUT_S, config={**repository.push_config(), "push.negotiate": "true"},
    )  # fmt: skip


def _failure(done: Finished, address: str, names: list[str], kind: str) -> Exception:
    output = done.output.decode("utf-8", "replace")
    reasons = [reason for reason in _REJECTED.findall(output) if reason != "atomic push failed"]
    may_not = says(done, _NO_PERMISSION)
    if not reasons and not (says(done, REFUSED) or may_not):
        return TransientError(f"The repository {address} can not be reached: {last_words(done)}.")
    if any(word in reason for reason in reasons for word in _TAKEN) and not may_not:
        return TagExists(", ".join(names))
    if any("unpacker error" in reason for reason in reasons) and not may_not:
        return TransientError(f"The repository {address} could not store what was pushed: {last_words(done)}.")
    return PushRefused(
        f"The repository {address} does not take {listed(names)} from the bot: {_words(done, reasons)}.",
        f"Give the bot the right to make {kind} there.",
    )


def _words(done: Finished, reasons: Sequence[str]) -> str:
    """The reason, and what the remote wrote beside it."""
    said = [line.removeprefix("remote:").strip() for line in done.error.splitlines() if line.startswith("remote:")]
    fatal = [line for line in done.error.splitlines() if line.startswith("fatal:")]
    words = [*dict.fromkeys(reasons), *filter(None, said), *([] if reasons else fatal)]
    return plain(" / ".join(words) or "no reason given", limit=400)


def _write_tree(writer: GitRunner, objects: Objects, tree_id: str | None, files: _Files) -> str:
    """The id of a tree that has the files besides what `tree_id` has. Files' contents need not be here."""
    entries = {entry.name: entry for entry in objects.tree(tree_id) or []} if tree_id else {}
    folders: dict[bytes, dict[tuple[bytes, ...], str | None]] = {}
    for path, blob_id in files.items():
        if len(path) == 1 and blob_id is None:
            entries.pop(path[0], None)
        elif len(path) == 1 and blob_id is not None:
            entries[path[0]] = TreeEntry(_FILE_MODE, path[0], blob_id)
        else:
            folders.setdefault(path[0], {})[path[1:]] = blob_id
    for name, inner in folders.items():
        there = entries.get(name)
        inside = there.id if there is not None and there.is_tree else None
        tree = _write_tree(writer, objects, inside, inner)
        entries[name] = TreeEntry(TREE_MODE, name, tree)
        if None in inner.values() and tree == _write_tree(writer, objects, None, {}):
            entries.pop(name)  # git keeps no empty folders
    rows = [b"%s %s %s\t%s\0" % (e.mode.encode(), _kind(e), e.id.encode(), e.name) for e in entries.values()]
    return _line(writer.run("mktree", "--missing", "-z", standard_input=b"".join(rows)))


def _kind(entry: TreeEntry) -> bytes:
    return b"tree" if entry.is_tree else b"commit" if entry.mode == SUBMODULE_MODE else b"blob"


def _write(writer: GitRunner, kind: str, content: bytes) -> str:
    return _line(writer.run("hash-object", "-w", "-t", kind, "--stdin", standard_input=content))


def _line(done: Finished) -> str:
    if done.status:
        raise TransientError(f"git could not write an object: {last_words(done)}.")
    return check_sha(done.output.decode("ascii").strip())


def _names(path: str) -> tuple[bytes, ...]:
    names = path_names(path)
    if not names:
        raise UserError(f"{quoted(path)} is not a path inside of a repository.")
    return tuple(names)
