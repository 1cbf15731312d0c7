"""What a file means, and how errors look to programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.domain.gate import Gate, Incumbent
from bot.domain.project import (
    Canary,
    Data,
    Deploy,
    DeployEnvironment,
    Environment,
    Model,
    Project,
    Resources,
    Split,
    Step,
)
from bot.project_file import PROJECT_FILE_LIMIT_BYTES, ProjectFileError, load_project
from bot.yaml_file import FileProblem, format_github, format_json

VALID = Path(__file__).parents[2] / "schemas" / "examples" / "valid"
HEAD = "version: 1\nmodels:\n  churn:\n    train: {run: python train.py}\n"


def errors(text: str | bytes) -> tuple[FileProblem, ...]:
    with pytest.raises(ProjectFileError) as raised:
        load_project(text if isinstance(text, bytes) else text.encode())
    return raised.value.errors


def test_the_file_of_the_design_means_what_the_design_says() -> None:
    project = load_project((VALID / "everything.yaml").read_bytes())

    assert project == Project(
        push_branches=("main", "release/*"),
        on_change=True,
        models=(
            Model(
                name="breast-cancer",
                path="models/breast-cancer",
                watch=("libs/**",),
                data=Data("https://git.example.com/acme/datasets.git", "v2", "breast_cancer.csv"),
                split=Split(0.25, 7),
                environment=Environment("3.11", "requirements.txt"),
                env={"OMP_NUM_THREADS": "2"},
                secrets=("WANDB_API_KEY",),
                params={
                    "n_estimators": {"type": "integer", "default": 200, "minimum": 10, "maximum": 2000},
                    "criterion": {"enum": ["gini", "entropy", "log_loss"], "default": "gini"},
                },
                train=Step("python train.py", Resources(2.0, 4 * 1024**3, 0), 7200),
                evaluate=Step("python evaluate.py", Resources(0.5, 512 * 1024**2, 0), 5400),
                gates=(
                    Gate("accuracy >= 0.93", "accuracy", ">=", 0.93),
                    Gate("accuracy >= production - 0.005", "accuracy", ">=", 0.005, Incumbent.PRODUCTION, "-"),
                    Gate("log_loss <= base * 1.1", "log_loss", "<=", 1.1, Incumbent.BASE, "*"),
                ),
                deploy=Deploy(
                    "sklearn",
                    {
                        "staging": DeployEnvironment(),
                        "production": DeployEnvironment(
                            approvals=1,
                            approvers=("@acme/ml-leads", "alice"),
                            only_merged=True,
                            canary=Canary((10, 50, 100), hold_s=600.0, max_error_rate=0.02, max_latency_ms=200.0),
                        ),
                    },
                    Resources(1.0, 1024**3),
                ),
                monitor_schedule="17 * * * *",
            ),
        ),
    )


def test_the_least_file_has_the_defaults_of_the_design() -> None:
    project = load_project((VALID / "minimal.yaml").read_bytes())

    assert project == Project(models=(Model(name="churn", train=Step("python train.py", Resources(), 3600)),))
    assert (project.push_branches, project.on_change, project.models[0].path) == ((), True, ".")


def test_on_yes_no_and_dates_are_words() -> None:
    project = load_project((VALID / "words-of-yaml-1-2.yaml").read_bytes())

    model = project.models[0]
    assert project.push_branches == ("on", "yes", "no")
    assert (model.name, model.data) == ("2024", Data("", "2024", "2024-11-24"))
    assert model.env == {"DEBUG": "yes", "NORWAY": "no", "SWITCH": "on", "COUNT": "3", "EMPTY": ""}
    assert {name: fragment["default"] for name, fragment in model.params.items()} == {
        "answer": "no",
        "octal": 15,
        "tiny": 1e-5,
        "off": False,
    }


def test_an_alias_repeats_a_whole_value_and_paths_lose_their_dots() -> None:
    churn, ltv = load_project((VALID / "monorepo-with-anchors.yaml").read_bytes()).models

    assert (ltv.train, ltv.evaluate, ltv.gates) == (churn.train, churn.evaluate, churn.gates)
    assert (ltv.name, ltv.path, ltv.watch) == ("ltv-2", "models/ltv", ("libs/*/src/**", "shared"))
    assert churn.environment.requirements == "../../requirements.txt"


def test_a_canary_has_the_usual_hold_and_limits_where_none_are_given() -> None:
    deploy = load_project((VALID / "on-a-cluster.yaml").read_bytes()).models[0].deploy

    assert deploy is not None
    assert (deploy.serve, deploy.resources) == ("python", Resources(2.0, 24 * 1024**3))
    assert deploy.environments == {
        "preview": DeployEnvironment(canary=Canary()),
        "staging": DeployEnvironment(canary=Canary((25, 100), 30.0, 0.0, 1500.0)),
        "production": DeployEnvironment(2, ("alice", "bob", "@acme/leads"), True, Canary((10, 50, 100), 300.0, 0.01)),
    }


def test_gates_need_no_evaluation_of_their_own() -> None:
    model = load_project((VALID / "training-writes-the-metrics.yaml").read_bytes()).models[0]

    assert model.evaluate is None
    assert [gate.metric for gate in model.gates] == ["mape", "val/loss", "precision@10"]
    assert model.train.run == "python prepare.py\npython train.py"


@pytest.mark.parametrize(("written", "cron"), [("@daily", "0 0 * * *"), ("0  6 * *  MON", "0 6 * * MON")])
def test_a_schedule_is_five_fields_with_single_spaces(written: str, cron: str) -> None:
    project = load_project(f'{HEAD}    monitor: {{schedule: "{written}"}}\n'.encode())

    assert project.models[0].monitor_schedule == cron


def test_a_mark_of_utf8_and_windows_line_ends_are_nothing_special() -> None:
    assert load_project(b"\xef\xbb\xbf" + HEAD.replace("\n", "\r\n").encode()).models[0].name == "churn"


def test_a_file_of_a_megabyte_is_refused_before_it_is_parsed() -> None:
    content = HEAD.encode() + b"#" * PROJECT_FILE_LIMIT_BYTES

    assert [(error.line, error.message) for error in errors(content)] == [
        (1, "The file is larger than 1,000,000 bytes and was not read.")
    ]


def test_a_thousand_errors_end_after_the_first_hundred() -> None:
    found = errors(HEAD + "".join(f"    key-{number}: 1\n" for number in range(1000)))

    assert len(found) == 100
    assert [error.line for error in found] == list(range(5, 105))


def test_errors_come_in_the_order_of_the_file_whatever_found_them() -> None:
    found = errors(HEAD + "    watch: [../x]\n    zebra: 1\n    evaluate: {gates: [auc]}\n    path: 3\n    path: 4\n")

    assert [(error.line, error.column, error.where) for error in found] == [
        (5, 13, "models.churn.watch[0]"),
        (6, 5, "models.churn"),
        (7, 27, "models.churn.evaluate.gates[0]"),
        (8, 11, "models.churn.path"),
        (9, 5, ""),
    ]


def test_the_error_posts_every_problem_with_its_fix_on_a_line() -> None:
    with pytest.raises(ProjectFileError) as raised:
        load_project(b"version: 2\nmodels: {}\n")

    assert raised.value.problem == (
        "mlops.yaml has 2 problems:\n"
        "line 1, column 10: version: Found the number `2`, expected `1`. Write `1`.\n"
        "line 2, column 9: models: This mapping is empty; at least one entry is expected. "
        "Add an entry, or remove the key."
    )


def test_programs_read_errors_as_json() -> None:
    document = json.loads(format_json(errors("version: 2\nmodels: {a: {train: {run: x}}}\n"), "mlops.yaml"))

    assert document == {
        "path": "mlops.yaml",
        "valid": False,
        "problems": [
            {
                "line": 1,
                "column": 10,
                "where": "version",
                "message": "Found the number `2`, expected `1`.",
                "fix": "Write `1`.",
                "excerpt": "   1 | version: 2\n     |          ^",
            }
        ],
    }


def test_github_reads_errors_as_workflow_commands_that_text_can_not_break_out_of() -> None:
    problem = FileProblem(3, 7, "", "50% of\r\n::error::nothing", "Fix it.")

    assert format_github([problem], "a,b:c%\n.yaml") == (
        "::error file=a%2Cb%3Ac%25%0A.yaml,line=3,col=7,title=mlops.yaml::50%25 of%0D%0A::error::nothing Fix it.\n"
    )


def test_secrets_in_a_file_are_not_repeated_by_its_errors() -> None:
    text = (
        HEAD + "    data: {path: x, repo: 'https://bot:hunter2@git.example.com/x'}\n    token: ghp_" + "a1" * 20 + "\n"
    )

    shown = str([(error.sentence, error.excerpt) for error in errors(text)])
    assert "hunter2" not in shown
    assert "a1a1" not in shown


def test_what_is_not_on_disk_is_told_with_the_nearest_name() -> None:
    text = "version: 1\nmodels:\n  a:\n    path: models/chrun\n    train: {run: x}\n  b:\n    path: models/ltv\n"
    text += "    environment: {requirements: requirement.txt}\n    train: {run: x}\n"
    there = {"models/ltv"}
    names = {"models": ["churn", "ltv"], "models/ltv": ["requirements.txt", "train.py"]}

    with pytest.raises(ProjectFileError) as raised:
        load_project(text.encode(), path_exists=there.__contains__, names_in=lambda folder: names.get(folder, []))

    assert [(error.line, error.sentence) for error in raised.value.errors] == [
        (4, "models.a.path: There is no folder `models/chrun` here. Write `models/churn`."),
        (
            8,
            (
                "models.b.environment.requirements: There is no file `requirement.txt` (from `models/ltv`) here. "
                "Write `requirements.txt`."
            ),
        ),
    ]
