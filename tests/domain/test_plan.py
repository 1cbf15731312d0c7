"""Which models a push or a change trains, and the words for why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.plan import Plan, plan_change, plan_models, plan_push, skip_marker, watched_paths
from bot.domain.project import Data, Environment, Project
from tests.domain.examples import HOSTILE_TEXT, PROPERTY, model

CHURN = model("churn", path="models/churn", watch=("libs/**", "sql/*.sql"))
PRICE = model("price", path="models/price", environment=Environment(requirements="../requirements.txt"))
PROJECT = Project((CHURN, PRICE))


def runs(project: Project, changed_paths, base=None) -> dict[str, str]:
    """Names of the models that run, and why."""
    plans = plan_models(project, changed_paths=changed_paths, base=base)
    return {plan.model.name: plan.reason for plan in plans if plan.runs}


@pytest.mark.parametrize(
    ("changed_paths", "running"),
    [
        (["models/churn/train.py"], {"churn": "`models/churn/train.py` changed"}),
        (["libs/features/age.py"], {"churn": "`libs/features/age.py` changed"}),
        (["sql/a.sql", "sql/deep/b.sql"], {"churn": "`sql/a.sql` changed"}),
        (["models/requirements.txt"], {"price": "`models/requirements.txt` changed"}),
        (["models/churn-2/train.py", "models/churnx"], {}),
        (["README.md"], {}),
        ([], {}),
        (
            ["models/price/b.py", "models/price/a.py", "models/churn/x"],
            {"churn": "`models/churn/x` changed", "price": "`models/price/a.py` changed"},
        ),
    ],
)
def test_a_model_runs_when_something_that_it_depends_on_changed(changed_paths, running):
    assert runs(PROJECT, changed_paths) == running


def test_why_a_model_does_not_run_is_said():
    (churn, _) = plan_models(PROJECT, changed_paths=["README.md"])

    assert churn.reason == "nothing changed in `models/churn`, `libs/**` and `sql/*.sql`"


def test_where_what_changed_is_not_known_everything_runs():
    reason = "what changed is not known"

    assert runs(PROJECT, None) == {"churn": reason, "price": reason}


def test_a_model_at_the_root_runs_for_every_file():
    assert runs(Project((model(path="."),)), ["docs/a.md"]) == {"churn": "`docs/a.md` changed"}


@pytest.mark.parametrize(
    "path", ["data/raw/a.csv", "data/raw/a.csv.dvc", "data/raw.dvc", "data/raw/dvc.lock", "dvc.lock"]
)
def test_data_of_this_repository_is_watched_wherever_dvc_keeps_its_digest(path):
    project = Project((model(path="m", data=Data(repo="", rev="", path="data/raw/a.csv")),))

    assert runs(project, [path]) == {"churn": f"`{path}` changed"}


def test_data_of_another_repository_is_not_looked_for_here():
    project = Project((model(path="m", data=Data(repo="../datasets", rev="v1", path="a.csv")),))

    assert runs(project, ["a.csv"]) == {}


def test_a_changed_project_file_runs_only_the_models_whose_definition_differs():
    head = Project((replace(CHURN, env={"A": "1"}), PRICE, model("new", path="new")))

    assert runs(head, ["mlops.yaml"], base=PROJECT) == {
        "churn": "`env` changed in `mlops.yaml`",
        "new": "new in `mlops.yaml`",
    }


def test_a_changed_project_file_runs_everything_where_the_earlier_one_is_not_known():
    assert runs(PROJECT, ["mlops.yaml"]) == {"churn": "`mlops.yaml` changed", "price": "`mlops.yaml` changed"}


def test_a_model_at_the_root_does_not_run_for_another_models_definition():
    here = model(path=".")

    assert runs(Project((here, PRICE)), ["mlops.yaml"], base=Project((here,))) == {"price": "new in `mlops.yaml`"}


def test_twenty_thousand_changed_paths_are_compared_in_bounded_time():
    paths = [f"d{i % 100}/e{i % 7}/f{i}.py" for i in range(20_000)]
    greedy = Project(tuple(model(f"m{i}", path=f"q{i}", watch=(f"**/x{i}*.sql",)) for i in range(500)))

    found = runs(greedy, paths)

    assert runs(Project((CHURN,)), paths) == {}
    assert found["m499"] == "too much changed to be compared with what it watches"


@pytest.mark.parametrize(
    ("message", "marker"),
    [
        ("Fix typo [skip ci]", "[skip ci]"),
        ("Fix\n\n[CI SKIP]", "[ci skip]"),
        ("[skip mlops] docs", "[skip mlops]"),
        ("[mlops skip]", "[mlops skip]"),
        ("[no ci]", "[no ci]"),
        ("skip ci", None),
        ("", None),
    ],
)
def test_a_marker_in_the_commits_message_asks_for_no_runs(message, marker):
    assert skip_marker(message) == marker


def test_invariant_6_a_skipped_change_says_so():
    plan = plan_change(PROJECT, message="docs [skip mlops]", changed_paths=None)

    assert plan == Plan(note="Skipped, because the commit's message says `[skip mlops]`. Comment `/train` to run it.")


def test_invariant_6_a_change_that_touches_no_model_says_so():
    plan = plan_change(PROJECT, message="docs", changed_paths=["README.md"])

    assert plan.to_run == ()
    assert plan.note == "No model is touched by what changed. Comment `/train <model>` to run one."
    assert [one.model.name for one in plan.models] == ["churn", "price"]


def test_invariant_6_a_project_without_models_says_so():
    assert plan_change(Project(()), message="", changed_paths=None).note == "`mlops.yaml` has no models."


def test_changes_can_be_switched_off():
    plan = plan_change(replace(PROJECT, on_change=False), message="", changed_paths=None)

    assert plan == Plan(note="Changes do not train here: `on.change` is false. Comment `/train` to run it.")


@pytest.mark.parametrize(
    ("push_branches", "branch", "trains"),
    [
        ((), "main", True),
        ((), "dev", False),
        (("dev",), "main", False),
        (("main", "release/*"), "release/1.0", True),
        (("release/**",), "release/1/x", True),
        (("rel",), "rel/1", False),
    ],
)
def test_pushes_train_on_the_named_branches_else_on_the_default_one(push_branches, branch, trains):
    project = replace(PROJECT, push_branches=push_branches)

    plan = plan_push(project, branch=branch, default_branch="main", message="", changed_paths=None)

    assert bool(plan.to_run) == trains
    assert bool(plan.note) != trains


def test_a_push_to_another_branch_says_which_branches_train():
    plan = plan_push(PROJECT, branch="dev`x", default_branch="main", message="", changed_paths=None)

    assert plan.note == "Pushes to `dev'x` do not train: `on.push` names `main`."


def test_what_a_model_depends_on_is_named_once_each():
    one = model(path="./m/", watch=("m", "libs/**"), environment=Environment(requirements="requirements.txt"))

    assert watched_paths(one) == ("m", "libs/**", "m/requirements.txt")


@PROPERTY
@given(
    paths=st.lists(HOSTILE_TEXT, max_size=6),
    place=HOSTILE_TEXT,
    watch=st.lists(HOSTILE_TEXT, max_size=3),
    message=HOSTILE_TEXT,
)
def test_no_path_and_no_pattern_crash_the_plan(paths, place, watch, message):
    project = Project((model(path=place, watch=tuple(watch), data=Data("", "", place)), CHURN))

    plan = plan_change(project, message=message, changed_paths=paths, base=PROJECT)

    assert bool(plan.note) != bool(plan.to_run)
    assert all(one.reason for one in plan.models)
