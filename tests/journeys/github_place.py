"""A GitHub with people and repositories, for journeys."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bot.domain.check import Check
from bot.forges.github.people import CommentKind, comment_id
from tests.fakes.github import FakeGitHub
from tests.fakes.github.records import CheckRun, Note, Repo, now
from tests.fakes.github.shown import reactions_so_far, shown_checks, shown_reactions
from tests.fakes.github.world import SECRET

_KINDS = {"issue": CommentKind.CONVERSATION, "review": CommentKind.REVIEW, "diff": CommentKind.DIFF}


@dataclass(frozen=True)
class GitHubSite:
    fake: FakeGitHub
    repo: Repo

    @property
    def key(self) -> str:
        return f"github/{self.repo.full_name}"

    @property
    def bare(self) -> Path:
        return self.repo.bare

    def tell_of_push(self) -> None:
        self.fake.world.refs_moved(self.repo, "ada")

    def open_change(self, branch: str) -> int:
        return self.fake.world.open_pull(self.repo, branch, by="ada").number

    def close_change(self, number: int) -> None:
        self.fake.world.close_pull(self.repo, self.repo.pulls[number], "ada")

    def fork(self) -> Path:
        return self.fake.world.fork(self.repo, "eve").bare

    def open_from_fork(self, branch: str) -> int:
        fork = self.fake.world.repos[f"eve/{self.repo.name}"]
        self.fake.world.refs_moved(fork, "eve")
        return self.fake.world.open_pull(self.repo, branch, by="eve", head_repo=fork).number

    def write(self, number: int, by: str, body: str, *, kind: str = "issue") -> str:
        note = self.fake.world.write(self.repo, self.repo.pulls[number], body, by=by, kind=kind)
        return comment_id(_KINDS[kind], note.id)

    def fill(self, number: int, count: int) -> None:
        world = self.fake.world
        rob = world.user("rob")
        notes = [Note(next(world.ids), "issue", rob, f"Words {n}", now(), now()) for n in range(count)]
        self.repo.pulls[number].notes.extend(notes)

    def bots_comments(self, number: int) -> list[str]:
        return [note.body for note in self.repo.pulls[number].notes if note.user in self._bots]

    def reactions(self, comment_id: str) -> list[str]:
        return shown_reactions(self.repo, comment_id)

    def reactions_so_far(self, comment_id: str) -> list[str]:
        return reactions_so_far(self.repo, comment_id)

    def checks(self, sha: str) -> list[Check]:
        return shown_checks(self.repo, sha)

    def calls(self) -> Counter[str]:
        return Counter(self.fake.by_repo[self.repo.full_name])

    def tell_of_something_else(self) -> None:
        payload = {"action": "created", "repository": {"full_name": self.repo.full_name}, "sender": None}
        self.fake.world.hooks.emit("star", payload)

    def lose_answers(self) -> None:
        for route in ("check-runs", r"issues/\d+/comments"):
            self.fake.fail(f"POST /repos/{self.repo.full_name}/{route}", status=502, is_done=True)

    def deployments(self) -> list[tuple[str, str]]:
        return [(str(one.fields["environment"]), one.state) for one in self.repo.deployments]

    # -- what GitHub alone has
    def press_rerun(self, sha: str, by: str) -> None:
        self.fake.world.press_rerun(self.repo, self._newest_run(sha), by)

    def press_rerun_all(self, sha: str, by: str) -> None:
        self.fake.world.press_rerun_all(self.repo, sha, by)

    def press_action(self, sha: str, action: str, by: str, *, name: str = "mlops/churn") -> None:
        runs = [run for run in self.repo.runs if (run.head_sha, run.name) == (sha, name)]
        self.fake.world.press_action(self.repo, runs[-1], action, by)

    def _newest_run(self, sha: str) -> CheckRun:
        return [run for run in self.repo.runs if run.head_sha == sha][-1]

    @property
    def _bots(self) -> tuple[object, ...]:
        return (self.fake.world.bot, self.fake.world.users.get("robin"))


class GitHubTown:
    """Watched by the bot as an App that is installed on all repositories, or with the token of a user, Robin."""

    def __init__(self, folder: Path, *, is_app: bool, places: int) -> None:
        self._folder = folder
        self._is_app = is_app
        self.fake = FakeGitHub(folder / "github")
        world = self.fake.world
        made = [
            world.create(f"acme/models-{n}", ada="write", grace="write", rob="read", robin="write")
            for n in range(places)
        ]
        if is_app:
            world.install(*made)
        self._free = [GitHubSite(self.fake, repo) for repo in made]
        self._names = [repo.full_name for repo in made]

    def take(self) -> GitHubSite:
        return self._free.pop()

    def environ(self) -> dict[str, str]:
        common = {"MLOPS_BOT_GITHUB_API_URL": self.fake.api_url, "MLOPS_BOT_GITHUB_WEBHOOK_SECRET": SECRET}
        app = self.fake.world.app
        if not self._is_app:
            token = self.fake.world.give_token("robin", "ghp_0123456789abcdefghij0123456789abcdef").token
            return {
                **common,
                "MLOPS_BOT_GITHUB_TOKEN": token,
                "MLOPS_BOT_GITHUB_REPOSITORIES": ",".join(self._names),
            }
        key = self._folder / "app.pem"
        key.write_text(app.private_key)
        return {**common, "MLOPS_BOT_GITHUB_APP_ID": str(app.id), "MLOPS_BOT_GITHUB_PRIVATE_KEY_FILE": str(key)}

    def tell(self, url: str) -> None:
        hooks = self.fake.world.hooks
        hooks.take()
        hooks.target = url

    def settle(self) -> None:
        self.fake.world.hooks.settle()

    def answers(self, since: int = 0) -> list[int]:
        """But for the installation, which is told before there is a service."""
        self.settle()
        sent = [one for one in self.fake.world.hooks.deliveries if one.event != "installation"]
        return [one.status_code for one in sent][since:]

    def close(self) -> None:
        self.fake.close()
