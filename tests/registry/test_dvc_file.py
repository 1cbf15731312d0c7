"""An entry for the model in the repository's own `dvc.yaml`, of which nothing is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from dvc.api import artifacts_show
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.change import Repository
from bot.ports.registry import Registry
from bot.registry.dvc_file import DVC_LIMIT_BYTES, with_artifact
from tests.contracts.git_workshop import Worktree, git
from tests.domain.examples import PROPERTY
from tests.registry.samples import CARD, NOON, lock

MODEL = "breast-cancer"
STAGES = """\
# how it is trained
vars: &v
  - params.yaml  # by hand
stages:
  train:
    cmd: python train.py "${seed}" # on: push
    deps: [train.py]
"""


def test_a_repository_without_one_gets_one() -> None:
    assert with_artifact(None, MODEL) == (b'artifacts:\n  "breast-cancer": {path: mlops.lock, type: model}\n')


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'artifacts: {"breast-cancer": {path: mlops.lock, type: model}}\n'),
        (
            "# only words\n",
            '# only words\nartifacts: {"breast-cancer": {path: mlops.lock, type: model}}\n',
        ),
        (
            STAGES,
            STAGES.replace("vars:", 'artifacts: {"breast-cancer": {path: mlops.lock, type: model}}\nvars:'),
        ),
        (
            "artifacts:\n    cv:  # ours\n        path: cv.pkl\n",
            'artifacts:\n    "breast-cancer": {path: mlops.lock, type: model}\n    cv:  # ours\n        path: cv.pkl\n',
        ),
        (
            "artifacts: {cv: {path: cv.pkl}}",
            'artifacts: {"breast-cancer": {path: mlops.lock, type: model}, cv: {path: cv.pkl}}',
        ),
        ("artifacts: {}\n", 'artifacts: {"breast-cancer": {path: mlops.lock, type: model}}\n'),
        ("artifacts:\nstages: {}\n", 'artifacts: {"breast-cancer": {path: mlops.lock, type: model}}\nstages: {}\n'),
        ("artifacts: null # none\n", 'artifacts: {"breast-cancer": {path: mlops.lock, type: model}} # none\n'),
        (
            '{"stages": {}}\n',
            '{artifacts: {"breast-cancer": {path: mlops.lock, type: model}}, "stages": {}}\n',
        ),
        (
            "---\r\nstages: {}\r\n",
            '---\r\nartifacts: {"breast-cancer": {path: mlops.lock, type: model}}\nstages: {}\r\n',
        ),
    ],
    ids=["empty", "comment", "stages", "block", "flow", "no artifacts", "nothing", "null", "json", "crlf"],
)  # fmt: skip
def test_each_byte_of_it_is_kept_and_the_entry_is_added(before: str, after: str) -> None:
    assert with_artifact(before.encode(), MODEL) == after.encode()


@pytest.mark.parametrize(
    "content",
    [
        b"artifacts:\n  breast-cancer:\n    path: model.pkl\n",
        b"artifacts:\n  'breast-cancer': {}\n",
        b"artifacts: [breast-cancer]\n",
        b"artifacts: breast-cancer\n",
        b"- a\n- b\n",
        b"stages: [\n",
        b"a: 1\n---\nb: 2\n",
        b"\xff\xfe\x00",
        b"x: &x {a: 1}\nartifacts: *x\n",
        b"!!python/object/apply:os.system ['touch sprung']\n",
        b"[" * 5_000,
        b"a: " + b"x" * DVC_LIMIT_BYTES,
    ],
    ids=range(12),
)
def test_what_has_an_entry_already_or_is_not_understood_stays_as_it_is(content: bytes) -> None:
    assert with_artifact(content, MODEL) is None


keys = st.text("abc-_1 é:#'\"{}[]&*!|>%@`", max_size=6)
documents = st.dictionaries(
    keys | st.just("artifacts"),
    st.none() | st.integers() | keys | st.lists(keys, max_size=2) | st.dictionaries(keys, keys, max_size=2),
    max_size=4,
)


@PROPERTY
@given(documents, st.sampled_from([None, True, False]), st.integers(2, 5))
def test_whatever_stands_in_it_stands_in_it_afterwards(
    document: dict[str, object], flow: bool | None, indent: int
) -> None:
    text = yaml.safe_dump(document, default_flow_style=flow, indent=indent, allow_unicode=True, sort_keys=False)

    changed = with_artifact(text.encode(), MODEL)

    artifacts = document.get("artifacts")
    if changed is None:
        assert artifacts is not None
        assert not isinstance(artifacts, dict) or MODEL in artifacts
    else:
        entry = {MODEL: {"path": "mlops.lock", "type": "model"}}
        assert yaml.safe_load(changed) == {**document, "artifacts": {**entry, **(artifacts or {})}}  # type: ignore[dict-item]  # it is a dict, or it would have been left


@pytest.mark.parametrize(
    "files",
    [
        {"dvc.yaml": STAGES.replace('"${seed}"', "1").replace("vars: &v\n  - params.yaml  # by hand\n", "")},
        {"dvc.yaml": "artifacts:\n  cv:\n    path: cv.pkl\n", ".dvc/config": "[core]\n    autostage = true\n"},
        {"models/breast-cancer/dvc.yaml": "stages: {}\n", "models/breast-cancer/.dvc/config": ""},
    ],
    ids=["stages", "a DVC project", "a DVC project in a folder"],
)
def test_dvc_itself_finds_the_version_beside_what_the_repository_has(
    registry: Registry, plain: Repository, worktree: Worktree, tmp_path: Path, files: dict[str, str]
) -> None:
    for path, content in files.items():
        worktree.write(path, content)
    sha = worktree.commit("With DVC", README="x")
    worktree.push("main")

    version = registry.register(plain, lock(sha=sha), card=CARD, by="alice", at=NOON)

    git(tmp_path, "clone", "--quiet", str(worktree.bare), "clone")
    shown = artifacts_show(MODEL, repo=os.fspath(tmp_path / "clone"))
    assert shown == {"rev": version.commit_sha, "path": "mlops.lock"}
    for path, content in files.items():
        kept = git(worktree.bare, "show", f"{version.commit_sha}:{path}")
        assert set(content.splitlines()) <= set(kept.splitlines())


def test_what_the_repository_says_of_its_artifact_itself_is_what_dvc_shows(
    registry: Registry, plain: Repository, worktree: Worktree, tmp_path: Path
) -> None:
    own = "artifacts:\n  breast-cancer:\n    path: models/model.pkl\n"
    worktree.write("dvc.yaml", own)
    sha = worktree.commit("With an artifact")
    worktree.push("main")

    version = registry.register(plain, lock(sha=sha), card=CARD, by="alice", at=NOON)

    git(tmp_path, "clone", "--quiet", str(worktree.bare), "clone")
    shown = artifacts_show(MODEL, repo=os.fspath(tmp_path / "clone"))
    assert shown == {"rev": version.commit_sha, "path": "models/model.pkl"}
    assert git(worktree.bare, "show", f"{version.commit_sha}:dvc.yaml") == own.strip()
