"""`mlops-bot validate`"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.cli import main

GOOD = """\
version: 1
on: {push: [main, "release/*"]}
models:
  churn:
    path: models/churn
    watch: ["libs/**", shared]
    data: {repo: ../datasets.git, rev: v1, path: churn.csv}
    environment: {requirements: requirements.txt}
    secrets: [WANDB_API_KEY]
    params: {depth: {type: integer, default: 3}}
    train: {run: python train.py, resources: {cpu: 1.5, memory: 512Mi, gpu: 1}, timeout: 1h30m}
    evaluate:
      run: |
        python prepare.py
        python evaluate.py
      gates: [auc >= 0.8, auc >= base - 0.01]
    deploy: {serve: sklearn, environments: {staging: {}, production: {approvals: 2}}}
    monitor: {schedule: "@daily"}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a valid project file; the command runs there."""
    (tmp_path / "models" / "churn").mkdir(parents=True)
    (tmp_path / "models" / "churn" / "requirements.txt").write_text("scikit-learn\n")
    (tmp_path / "mlops.yaml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def validate(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["mlops-bot", "validate", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_a_valid_file_is_told_in_what_it_does(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate(monkeypatch) == 0

    assert (
        capsys.readouterr().out
        == """\
mlops.yaml is valid: 1 model.

churn
  trains on  pushes to main, release/* and each change, when models/churn, libs/** or shared changed
  data       churn.csv of ../datasets.git at v1
  train      python train.py (at most 1h30m, 1.5 cores, 512 MiB, 1 GPU)
  evaluate   python prepare.py … (at most 1h)
  gates      auc >= 0.8; auc >= base - 0.01
  comments   /train churn depth=3 (may set depth)
  secrets    WANDB_API_KEY, where the server allows them
  deploys to staging, production after 2 approvals
  monitors   at 0 0 * * * (UTC)
"""
    )


def test_a_file_without_gates_is_told_that_nothing_is_judged(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "other.yaml").write_text("version: 1\non: {change: false}\nmodels: {a: {train: {run: x}}}\n")

    assert validate(monkeypatch, "other.yaml") == 0

    assert (
        capsys.readouterr().out
        == """\
other.yaml is valid: 1 model.

a
  trains on  pushes to the default branch, when anything changed
  train      x (at most 1h)
  gates      none: the metrics are shown, and not judged
"""
    )


def test_problems_end_with_2_and_stand_with_line_caret_and_fix(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "mlops.yaml").write_text(GOOD.replace("auc >= 0.8", "auc => 0.8").replace("version: 1", "version: 3"))

    assert validate(monkeypatch, str(project)) == 2

    path = project / "mlops.yaml"
    assert (
        capsys.readouterr().out
        == f"""\
{path}:1:10 version
  Found the number `3`, expected `1`.
   1 | version: 3
     |          ^
  fix: Write `1`.

{path}:16:19 models.churn.evaluate.gates[0]
  `=>` is not a comparison.
  16 |       gates: [auc => 0.8, auc >= base - 0.01]
     |                   ^
  fix: Write `>=`.

2 problems in {path}
"""
    )


def test_what_the_file_names_has_to_be_there(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "models" / "churn" / "requirements.txt").rename(project / "models" / "churn" / "requirments.txt")

    assert validate(monkeypatch, "--format", "github") == 2

    assert capsys.readouterr().out == (
        "::error file=mlops.yaml,line=8,col=33,title=mlops.yaml::models.churn.environment.requirements: "
        "There is no file `requirements.txt` (from `models/churn`) here. Write `requirments.txt`.\n"
    )


def test_a_folder_that_is_not_there_is_named_with_the_nearest(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "models" / "churn").rename(project / "models" / "churn2")

    assert validate(monkeypatch) == 2

    out = capsys.readouterr().out
    assert "There is no folder `models/churn` here.\n" in out
    assert "fix: Write `models/churn2`.\n" in out


def test_programs_get_json_for_either_outcome(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert validate(monkeypatch, "--format", "json") == 0
    good = json.loads(capsys.readouterr().out)
    (project / "mlops.yaml").write_bytes(b"\xff")
    assert validate(monkeypatch, "--format", "json") == 2
    bad = json.loads(capsys.readouterr().out)

    assert good == {
        "path": "mlops.yaml",
        "valid": True,
        "problems": [],
        "models": [{"name": "churn", "path": "models/churn"}],
    }
    assert (bad["valid"], [problem["line"] for problem in bad["problems"]]) == (False, [1])


def test_where_there_is_no_file_the_way_to_one_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert validate(monkeypatch) == 2
    nothing = capsys.readouterr().err
    Path("mlops.yml").touch()
    assert validate(monkeypatch) == 2
    misnamed = capsys.readouterr().err

    assert nothing == (
        "error: There is no mlops.yaml.\n  fix: Write one with `mlops-bot init`, or name another place.\n"
    )
    assert misnamed == ("error: There is no mlops.yaml, but mlops.yml.\n  fix: Rename it: `mv mlops.yml mlops.yaml`.\n")


def test_a_file_that_tries_to_colour_the_terminal_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mlops.yaml").write_text('version: 1\nmodels: {a: {train: {run: "\\e[31mred\\e[2J"}}}\n')

    assert validate(monkeypatch, str(tmp_path)) == 0

    assert "\x1b" not in capsys.readouterr().out


POLICY = (
    'version: 1\nrepositories:\n  - {match: ["plain/*"], secrets: {WANDB_API_KEY: {env: WANDB}}, engines: [local]}\n'
)


def test_a_servers_policy_is_told_in_what_it_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("policy.yaml").write_text(POLICY)

    assert validate(monkeypatch, "--policy", "policy.yaml") == 0
    text = capsys.readouterr().out
    assert validate(monkeypatch, "--policy", "policy.yaml", "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)

    assert (
        text
        == """\
policy.yaml is valid: 1 entry.

plain/*
  secrets    WANDB_API_KEY from the variable WANDB
  engines    local
"""
    )
    assert document == {"path": "policy.yaml", "valid": True, "problems": [], "entries": [{"match": ["plain/*"]}]}


def test_a_servers_policy_with_problems_ends_with_2_and_their_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("policy.yaml").write_text(POLICY.replace("engines", "engine"))

    assert validate(monkeypatch, "--policy", "policy.yaml", "--format", "github") == 2
    assert validate(monkeypatch, "--policy", "gone.yaml") == 2
    assert validate(monkeypatch, "--policy", "policy.yaml", ".") == 2

    told = capsys.readouterr()
    assert told.out == (
        "::error file=policy.yaml,line=3,col=66,title=policy.yaml::repositories[0]: The key `engine` is not known "
        "here; expected `match`, `secrets`, `environments`, `allowed_environments`, `engines`, `images`, `resources` "
        "or `override`. Write `engines`.\n"
    )
    assert "error: gone.yaml can not be read: No such file or directory." in told.err
    assert "Name a PATH, or a policy file, one at a time." in told.err
