"""`mlops-bot explain --payload FILE` on what GitHub and GitLab send: payloads as they document them, of a repository
that a service watches. Nothing is stored of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.domain.command import FORMS
from tests.cli.conftest import Run
from tests.journeys.forge_place import Place, make_place, told_service
from tests.journeys.forges import TOWNS

PAYLOADS = Path(__file__).parents[1] / "payloads"


@dataclass(frozen=True)
class Scene:
    """A repository whose `main` and whose change 1 were trained."""

    forge: str
    place: Place[Any]
    main: str
    head: str

    @property
    def path(self) -> str:
        return self.place.site.key.partition("/")[2]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Scene]]:
    made: dict[str, Scene] = {}
    with ExitStack() as closing:

        def scene_on(forge: str) -> Scene:
            if forge not in made:
                folder = tmp_path_factory.mktemp(forge)
                town = TOWNS[forge](folder / "town", places=1)
                closing.callback(town.close)
                service = closing.enter_context(told_service(town, folder / "home"))
                place = make_place(town, town.take(), service, folder / "ada")
                main = place.start()
                number, head = place.propose("better", "Try 0.5", **place.threshold("0.5"))
                place.shown(number, head)
                made[forge] = Scene(forge, place, main, head)
            return made[forge]

        yield scene_on


@pytest.fixture(params=["github", "gitlab"])
def scene(request: pytest.FixtureRequest, scenes: Callable[[str], Scene]) -> Scene:
    return scenes(request.param)


@pytest.fixture
def explain(mlops_bot: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """Writes a payload into a file and lets the scene's service explain it."""

    def run(scene: Scene, payload: dict[str, Any], *more: str) -> tuple[int, str, str]:
        store, settings = scene.place.service.bot.store, scene.place.service.settings
        monkeypatch.setenv("MLOPS_BOT_HOME", str(settings.home))
        file = tmp_path / "payload.json"
        file.write_text(json.dumps(payload))
        known = [run.id for run in store.runs(limit=500)]
        told = mlops_bot("explain", "--payload", str(file), *more)
        assert [run.id for run in store.runs(limit=500)] == known
        assert store.delivery("explain") is None
        return told

    return run


def payload(scene: Scene, name: str) -> dict[str, Any]:
    """As the forge documents it, of the scene's repository."""
    documented: dict[str, Any] = json.loads((PAYLOADS / scene.forge / f"{name}.json").read_text())
    if scene.forge == "github":
        documented["repository"] |= {"full_name": scene.path, "default_branch": "main"}
    else:
        documented["project"] |= {"path_with_namespace": scene.path, "id": scene.place.site.project.id}
        documented["project_id"] = scene.place.site.project.id
    return documented


def push(scene: Scene) -> dict[str, Any]:
    """Of the commit that `main` had from the beginning."""
    sent = payload(scene, "push") | {"ref": "refs/heads/main", "before": "0" * 40, "after": scene.main}
    if scene.forge == "github":
        sent |= {"deleted": False, "pusher": {"name": "ada"}, "sender": {"login": "ada"}}
    return sent


def change(scene: Scene) -> dict[str, Any]:
    """Change 1, as it is opened."""
    if scene.forge == "github":
        sent = payload(scene, "pull_request.opened")
        sent["number"] = sent["pull_request"]["number"] = 1
        for side in ("base", "head"):
            sent["pull_request"][side]["repo"]["full_name"] = scene.path
    else:
        sent = payload(scene, "merge_request_open")
        project_id = scene.place.site.project.id
        sent["object_attributes"] |= {"iid": 1, "source_project_id": project_id, "target_project_id": project_id}
    return sent


def comment(scene: Scene, body: str, by: str) -> dict[str, Any]:
    """On change 1."""
    if scene.forge == "github":
        sent = payload(scene, "issue_comment.created")
        sent["issue"] |= {"number": 1, "pull_request": {"url": "https://api.github.com/repos/acme/models/pulls/1"}}
        sent["comment"] |= {"body": body, "user": {"login": by, "id": 7, "type": "User"}}
    else:
        sent = payload(scene, "note")
        sent["object_attributes"]["note"] = body
        sent["user"]["username"] = by
        sent["merge_request"]["iid"] = 1
    return sent


def test_a_push_is_explained_with_what_it_trains_and_to_what_that_is_pinned(scene: Scene, explain) -> None:
    (run,) = scene.place.running.runs(scene.main)

    code, out, err = explain(scene, push(scene))

    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"a push to `main` of {scene.place.site.key}",
        f"  head: {scene.main}",
        "  author: ada",
        f"  policy: gates, secrets and approvers come from `main` at {scene.main[:10]}",
        "  who may: Commands need write permission to the repository. `ada` has `write`, so may write them.",
        "",
        "  RUNS  churn: what changed is not known",
        f"        outcome: asked for already: {run.id} is succeeded",
        f"        commit: {scene.main}",
        f"        data: data/table.csv at {scene.main} of {address(scene)}",
        "        params: threshold=0.4",
        "        gates: accuracy >= 0.8; accuracy >= base - 0.05",
    ]


def test_a_change_is_explained_as_it_is_now_by_the_policy_of_its_target(scene: Scene, explain) -> None:
    (run,) = scene.place.running.runs(scene.head)

    code, out, err = explain(scene, change(scene), "--user", "rob")

    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"change 1 of {scene.place.site.key}: Try 0.5",
        f"  head: {scene.head}",
        "  author: ada",
        f"  policy: gates, secrets and approvers come from `main` at {scene.main[:10]}",
        "  who may: Commands need write permission to the repository. `rob` has `read`, so may not write them.",
        "",
        "  RUNS  churn: `params` changed in `mlops.yaml`",
        f"        outcome: asked for already: {run.id} is succeeded",
        f"        commit: {scene.head}",
        f"        data: data/table.csv at {scene.head} of {address(scene)}",
        "        params: threshold=0.5",
        "        gates: accuracy >= 0.8; accuracy >= base - 0.05",
    ]


def test_a_comment_is_explained_line_by_line(scene: Scene, explain) -> None:
    body = "Shall we?\n/train threshold=0.7\n/shrug\n/mlops trian\n/status"

    code, out, err = explain(scene, comment(scene, body, by="ada"))

    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == [
        f"a comment by `ada` on change 1 of {scene.place.site.key}",
        f"  head: {scene.head}",
    ]
    assert out.splitlines()[-1] == (
        "  note: Carried out in this order: `/train threshold=0.7`, `/status`. "
        "Not understood: `trian` is not a command. Did you mean `/mlops train`? "
        f"Usage: `/mlops <command>`, one of {', '.join(f'`{name}`' for name in FORMS)}."
    )


def test_a_comment_by_a_stranger_is_explained_to_be_refused_and_one_without_a_command_to_stay_unanswered(
    scene: Scene, explain
) -> None:
    _, refused, _ = explain(scene, comment(scene, "/train", by="eve"))
    _, unanswered, _ = explain(scene, comment(scene, "/trian", by="ada"))

    assert "`eve` has none, so may not write them." in refused
    assert "note: `eve` may not do this: commands need write permission to the repository." in refused
    assert "note: It holds no command, so it is not answered." in unanswered


def test_a_deleted_branch_is_explained_to_end_its_runs(scene: Scene, explain) -> None:
    gone = push(scene) | {"ref": "refs/heads/gone", "before": scene.main, "after": "0" * 40, "deleted": True}

    code, out, _ = explain(scene, gone)

    assert (code, out.splitlines()) == (
        0,
        [
            f"a push to `gone` of {scene.place.site.key}",
            "  author: ada",
            "  note: The branch is gone: its runs are ended.",
        ],
    )


def test_a_repository_that_is_not_watched_is_named(scene: Scene, explain) -> None:
    sent = push(scene)
    held, field = ("repository", "full_name") if scene.forge == "github" else ("project", "path_with_namespace")
    sent[held][field] = "acme/elsewhere"

    code, _, err = explain(scene, sent)

    assert code == 2
    assert "`acme/elsewhere` is not watched here, so nothing would come of it." in err
    assert {"github": "Install the App on it", "gitlab": "mlops-bot connect gitlab"}[scene.forge] in err


@pytest.mark.parametrize(
    ("name", "button", "words"),
    [
        ("check_run.rerequested", "re-run", "It is carried out if they may; the newest run at this commit is run-"),
        ("check_run.requested_action", "retrain", "It is carried out if they may; the newest run at this commit is"),
        ("check_run.requested_action", "dance", "The bot has no such button, so nothing comes of it."),
    ],
)
def test_a_button_on_a_check_is_explained(
    scenes: Callable[[str], Scene], explain, name: str, button: str, words: str
) -> None:
    scene = scenes("github")
    sent = payload(scene, name) | {"sender": {"login": "ada"}, "requested_action": {"identifier": button}}
    sent["check_run"] |= {
        "head_sha": scene.head,
        "name": "mlops/churn",
        "app": {"id": scene.place.site.fake.world.app.id},
    }

    code, out, _ = explain(scene, sent)

    assert code == 0
    assert out.splitlines()[0] == f"`ada` pressed `{button}` on the check `mlops/churn` of {scene.place.site.key}"
    assert f"note: {words}" in out


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ping", "`ping` is no event that the bot reads."),
        ("repository.renamed", "Hello-World can not be seen any more: it was renamed on GitHub"),
        ("installation_repositories.added", "Nothing would come of it."),
        ("installation.created", "Nothing would come of it."),
    ],
)
def test_the_event_is_told_from_the_payload(scenes: Callable[[str], Scene], explain, name: str, words: str) -> None:
    scene = scenes("github")
    sent: dict[str, Any] = json.loads((PAYLOADS / "github" / f"{name}.json").read_text())
    if "repository" in sent:
        sent["repository"]["full_name"] = scene.path

    _, out, err = explain(scene, sent)

    assert words in out + err


def address(scene: Scene) -> str:
    return str(scene.place.service.bot.store.repository(scene.place.site.key).clone_address)
