"""`mlops-bot explain`: what would run, why, as what, who may, and what is missing, as the running service sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.journeys.workplace import PROJECT, Running, Workplace, make_workplace

PAYLOADS = Path(__file__).parents[1] / "payloads"
ON_CODERTOCAT = {
    "MLOPS_BOT_GITHUB_TOKEN": "a-token",
    "MLOPS_BOT_GITHUB_REPOSITORIES": "Codertocat/Hello-World",
    "MLOPS_BOT_GITHUB_API_URL": "http://127.0.0.1:9",  # nobody listens there
}


@dataclass(frozen=True)
class Scene:
    """Change 1 touches the model, change 2 does not, change 3 breaks `mlops.yaml`, change 4 wants what is not there."""

    place: Workplace
    heads: dict[int, str]
    running: Running

    def change(self, number: int, branch: str, message: str, **files: str) -> None:
        self.place.git("checkout", "--quiet", "-B", branch, "main")
        for path, text in files.items():
            self.place.write(path.replace("__", "/").replace("_py", ".py").replace("_yaml", ".yaml"), text)
        self.heads[number] = self.place.commit(message)
        self.place.push(branch)
        self.running.wait_for(f"change {number}", lambda: self.running.service.bot.store.change(self.place.key, number))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    place = make_workplace(tmp_path_factory.mktemp("explain"))
    main = place.git("rev-parse", "HEAD")
    place.push("main")
    with place.service(**ON_CODERTOCAT) as running:
        running.ended(main)
        scene = Scene(place, {0: main}, running)
        scene.change(1, "faster", "Faster", churn__train_py=(place.worktree / "churn/train.py").read_text() + "\n# x\n")
        running.ended(scene.heads[1])
        scene.change(2, "notes", "Write notes", NOTES="none")
        scene.change(3, "typo", "A typo", mlops_yaml=PROJECT.replace("train: {", "trane: {"))
        wanting = PROJECT.replace("    params:", "    secrets: [WANDB_API_KEY]\n    params:").replace(
            "data: {path: data/table.csv}", "data: {path: data/table.csv, rev: nowhere}"
        )
        scene.change(4, "wanting", "Want more", mlops_yaml=wanting)
        yield scene


@pytest.fixture
def explain(scene: Scene, mlops_bot: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MLOPS_BOT_HOME", str(scene.place.home))
    return lambda *arguments: mlops_bot("explain", *arguments)


def as_json(explain: Run, *arguments: str) -> Any:
    code, out, err = explain(*arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_a_change_that_touches_a_model_is_explained_with_pins_policy_and_people(scene: Scene, explain: Run):
    before = len(scene.running.service.bot.store.runs(limit=500))
    head, main = scene.heads[1], scene.heads[0]

    code, out, _ = explain(scene.place.name, "1", "--user", "bob")

    (run,) = scene.running.runs(head)
    assert code == 0
    assert out.splitlines() == [
        "change 1 of plain/models: Faster",
        f"  head: {head}",
        "  author: Ada",
        f"  policy: gates, secrets and approvers come from `main` at {main[:10]}",
        "  who may: Commands need write permission to the repository. `bob` has `write`, so may write them.",
        "",
        "  RUNS  churn: `churn/train.py` changed",
        f"        outcome: asked for already: {run.id} is succeeded",
        f"        commit: {head}",
        f"        data: data/table.csv at {head} of {scene.place.bare}",
        "        params: threshold=0.4",
        "        gates: accuracy >= 0.8; accuracy >= base - 0.05",
    ]
    assert len(scene.running.service.bot.store.runs(limit=500)) == before


def test_a_change_that_touches_no_model_says_why_nothing_runs(explain: Run):
    answer = as_json(explain, "models", "2")

    assert answer["note"] == "No model is touched by what changed. Comment `/train <model>` to run one."
    assert [(model["runs"], model["reason"].split(" in ")[0]) for model in answer["models"]] == [
        (False, "nothing changed")
    ]


def test_a_file_that_is_not_valid_is_named_with_its_line(explain: Run):
    answer = as_json(explain, "models", "3")

    assert answer["note"] == "`mlops.yaml` is not valid, so nothing runs."
    assert "trane" in answer["missing"][0]
    assert "line 8" in answer["missing"][0]


def test_data_that_is_not_there_and_secrets_that_the_change_grants_itself_are_named(explain: Run):
    (model,) = as_json(explain, "models", "4")["models"]

    assert model["runs"] is True
    assert "nowhere" in model["missing"][0]
    assert model["notes"] == [
        "`WANDB_API_KEY` is not given to this run: `main` does not list such a secret for this model."
    ]


def test_what_is_not_there_is_said_in_words(explain: Run):
    code, _, err = explain("models", "99")

    assert (code, err.splitlines()[0]) == (2, "error: There is no such repository or change.")


def test_either_a_change_or_a_payload_is_to_be_named(explain: Run):
    code, _, err = explain("models")

    assert code == 2
    assert "Name a REPOSITORY and a CHANGE, or a --payload FILE." in err


def a_comment(folder: Path, body: str) -> str:
    payload = json.loads((PAYLOADS / "github" / "issue_comment.created.json").read_text())
    payload["comment"]["body"] = body
    payload["issue"]["pull_request"] = {"url": "https://api.github.com/repos/Codertocat/Hello-World/pulls/1"}
    file = folder / "comment.json"
    file.write_text(json.dumps(payload))
    return str(file)


def test_a_payload_is_explained_and_not_stored(scene: Scene, explain: Run, tmp_path: Path):
    (answer,) = as_json(explain, "--payload", a_comment(tmp_path, "/train"))

    assert answer["subject"] == "a comment by `Codertocat` on change 1 of github/Codertocat/Hello-World"
    assert answer["who"].startswith(
        "Commands need write permission to the repository. That of `Codertocat` could not be asked for: "
    )
    assert answer["note"] == "The bot has not seen this change yet: it is looked up when the comment comes."
    store = scene.running.service.bot.store
    assert (store.delivery("explain"), store.repository("github/Codertocat/Hello-World")) == (None, None)


def test_a_comment_without_commands_is_said_to_stay_unanswered(explain: Run, tmp_path: Path):
    (answer,) = as_json(explain, "--payload", a_comment(tmp_path, "well done"))

    assert answer["note"] == "It holds no command, so it is not answered."


@pytest.mark.parametrize(
    ("content", "event", "words"),
    [
        ("no json", "", "The payload is not JSON."),
        ("[]", "", "The payload is not a JSON object."),
        ('{"object_kind": "push"}', "", "This looks like a payload of gitlab, which is not set up here."),
        ("{}", "", "It is not clear which event it is."),
        ("{}", "star", "`star` is no event that the bot reads."),
        ('{"ref": "refs/heads/main"}', "", "The payload is not as GitHub documents it: `repository.full_name` is"),
        ('{"action": "labeled"}', "pull_request", "Such a payload is of no interest"),
    ],
)
def test_a_payload_that_can_not_be_read_is_said_in_words(
    explain: Run, tmp_path: Path, content: str, event: str, words: str
):
    file = tmp_path / "payload.json"
    file.write_text(content)

    code, _, err = explain("--payload", str(file), "--event", event)

    assert code == 2
    assert words in err
