"""The policy file as it is now, whatever happens to it; and secrets, read when they are needed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.domain.errors import UserError
from bot.domain.server_policy import RepositoryPolicy
from bot.policies import SECRET_LIMIT_BYTES, Policies

KEY = "plain/models"


def write(file: Path, entry: str) -> None:
    """Put the file in place in one step, as a careful operator does."""
    new = file.with_suffix(".new")
    new.write_text(f'version: 1\nrepositories:\n  - match: ["plain/*"]\n{entry}')
    new.replace(file)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    write(path, "    engines: [local]\n")
    return path


def open_policies(file: Path | None, environ: dict[str, str] | None = None, told: list[str] | None = None) -> Policies:
    heard = told if told is not None else []
    return Policies(file, environ=environ or {}, on_secrets=heard.extend)


def test_without_a_file_nothing_is_asked_and_no_secret_is_given():
    policies = open_policies(None)

    assert policies.of(KEY) == RepositoryPolicy()
    assert policies.secrets_of(KEY, ()) == {}
    assert policies.check() == "none"


def test_a_file_that_is_wrong_at_the_start_is_refused_with_all_its_errors(file: Path):
    file.write_text("version: 2\nrepositories: {}\n")

    with capture_logs() as lines, pytest.raises(UserError) as raised:
        open_policies(file)

    assert lines == []
    assert raised.value.problem == (
        f"MLOPS_BOT_POLICY_FILE, {file}: The policy file has 2 problems:\n"
        "line 1, column 10: version: Found the number `2`, expected `1`. Write `1`.\n"
        "line 2, column 15: repositories: Found `name: value` pairs, expected a list. Write a list: `[one, two]`."
    )
    assert raised.value.fix == f"`mlops-bot validate --policy {file}` shows each with its line."


def test_a_file_that_is_not_there_at_the_start_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match=r"policy\.yaml can not be read: No such file or directory\."):
        open_policies(tmp_path / "policy.yaml")


def test_a_changed_file_counts_at_once(file: Path):
    policies = open_policies(file)
    assert policies.of(KEY).engines == ("local",)

    write(file, "    engines: [kubeflow]\n")
    assert policies.of(KEY).engines == ("kubeflow",)

    before = file.stat()
    file.write_text(file.read_text().replace("kubeflow", "local   "))  # as long as before,
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # within one tick of the file system's clock
    assert policies.of(KEY).engines == ("local",)


def test_a_new_file_that_is_wrong_leaves_the_last_good_one_in_force_and_is_said_loudly_once(file: Path):
    policies = open_policies(file)
    write(file, "    engine: [local]\n")

    with capture_logs() as lines:
        assert [policies.of(KEY).engines for _ in range(3)] == [("local",)] * 3
        with pytest.raises(UserError, match="The key `engine` is not known here"):
            policies.check()

    assert [(line["event"], line["log_level"]) for line in lines] == [("policy_invalid_last_good_one_counts", "error")]
    assert "The key `engine` is not known here" in lines[0]["problem"]

    write(file, "    engines: [kubeflow]\n")
    assert policies.of(KEY).engines == ("kubeflow",)
    assert policies.check() == f"1 entry in {file}"


def test_a_file_that_went_away_leaves_the_last_good_one_in_force_until_it_comes_back(file: Path):
    policies = open_policies(file)
    content = file.read_bytes()
    file.unlink()

    assert policies.of(KEY).engines == ("local",)
    with pytest.raises(UserError, match="can not be read: No such file or directory"):
        policies.check()

    file.write_bytes(content)
    assert policies.check() == f"1 entry in {file}"


def test_secrets_are_read_when_they_are_asked_for_and_told_to_the_masks_line_by_line(file: Path, tmp_path: Path):
    (tmp_path / "key").write_text("first line\nsecond line\n")
    write(file, f"    secrets: {{WANDB: {{env: W}}, KEY: {{file: {tmp_path / 'key'}}}}}\n")
    environ, told = {"W": "wandb-1"}, []
    policies = open_policies(file, environ, told)

    assert policies.secrets_of(KEY, ("WANDB", "KEY")) == {"WANDB": "wandb-1", "KEY": "first line\nsecond line"}
    assert set(told) == {"wandb-1", "first line\nsecond line", "first line", "second line"}

    environ["W"] = "wandb-2"
    (tmp_path / "key").write_text("rotated\n")
    assert policies.secrets_of(KEY, ("WANDB", "KEY")) == {"WANDB": "wandb-2", "KEY": "rotated"}
    assert {"wandb-2", "rotated"} <= set(told)
    assert policies.check_secrets() == "2 with values"


def test_invariant_9_only_the_secrets_that_a_repository_may_have_are_given(file: Path):
    write(file, "    secrets: {WANDB: {env: W}, OTHER: {env: O}}\n")
    policies = open_policies(file, {"W": "wandb-1", "O": "other-1"})

    assert policies.secrets_of(KEY, ("WANDB",)) == {"WANDB": "wandb-1"}
    with pytest.raises(UserError) as refused:
        policies.secrets_of(KEY, ("WANDB", "THIRD"))
    with pytest.raises(UserError) as foreign:
        policies.secrets_of("github/acme/churn", ("WANDB",))

    assert refused.value.problem == "The server's policy does not let `plain/models` have `THIRD`."
    assert foreign.value.problem == "The server's policy does not let `github/acme/churn` have `WANDB`."


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{env: UNSET}", "the variable `UNSET` is not set."),
        ("{env: EMPTY}", "the variable `EMPTY` is not set."),
        ("{env: SHORT}", "the variable `SHORT` holds fewer than 4 characters, which could not be kept out of logs."),
        ("{file: %s/gone}", "the file `%s/gone` can not be read (No such file or directory)."),
        ("{file: %s}", "the file `%s` can not be read (Is a directory)."),
        ("{file: %s/blank}", "the file `%s/blank` is empty."),
        ("{file: %s/pipe}", "the file `%s/pipe` is empty."),
        ("{file: %s/binary}", "the file `%s/binary` is not UTF-8."),
        ("{file: %s/nul}", "the file `%s/nul` holds a NUL character, which no program can be given."),
        ("{file: %s/huge}", "the file `%s/huge` is larger than 65,536 bytes."),
    ],
)
def test_a_secret_without_a_value_is_named_with_its_place_and_never_with_what_is_there(
    source: str, words: str, file: Path
):
    folder = file.parent
    (folder / "blank").write_text(" \n")
    os.mkfifo(folder / "pipe")
    (folder / "binary").write_bytes(b"value\xff")
    (folder / "nul").write_bytes(b"value\0value")
    (folder / "huge").write_text("v" * (SECRET_LIMIT_BYTES + 1))
    write(file, f"    secrets: {{KEY: {source.replace('%s', str(folder))}, WANDB: {{env: W}}}}\n")
    policies = open_policies(file, {"W": "wandb-1", "EMPTY": "", "SHORT": "abc"})

    with pytest.raises(UserError) as raised:
        policies.secrets_of(KEY, ("WANDB", "KEY"))
    with pytest.raises(UserError) as checked:
        policies.check_secrets()

    expected = f"`KEY`: {words.replace('%s', str(folder))}"
    assert raised.value.problem == f"A secret has no value on this server. {expected}"
    assert checked.value.problem == expected
    for shown in (str(raised.value), str(checked.value)):
        assert not {"wandb-1", "abc"} & set(shown.split())
        assert "value\0" not in shown
