"""A model repository on a GitHub that is a fake at the level of HTTP, and the real service that watches it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.service import Service
from bot.settings import load_settings
from tests.fakes.github import FakeGitHub
from tests.fakes.github.records import CheckRun, Note, Pull, Repo
from tests.fakes.github.world import SECRET
from tests.journeys.workplace import Running, Workplace, make_workplace

UNFINISHED = "○●"  # queued, running


class GitHubTown:
    """A GitHub with people and empty repositories, of which each test takes one. The App is installed on all."""

    def __init__(self, folder: Path, *, repositories: int) -> None:
        self.folder = folder
        self.fake = FakeGitHub(folder / "github")
        self.world = self.fake.world
        made = [self._add(f"acme/models-{number}") for number in range(repositories)]
        self.world.install(*made)
        self._free = list(made)

    def take(self) -> Repo:
        return self._free.pop()

    @contextmanager
    def service(self, home: Path) -> Iterator[Service]:
        """Told by webhooks for as long as it runs."""
        key = self.folder / "app.pem"
        key.write_text(self.world.app.private_key)
        environ = {
            "MLOPS_BOT_HOME": str(home),
            "MLOPS_BOT_PORT": "0",
            "MLOPS_BOT_CONCURRENCY": "2",
            "MLOPS_BOT_GITHUB_API_URL": self.fake.api_url,
            "MLOPS_BOT_GITHUB_APP_ID": str(self.world.app.id),
            "MLOPS_BOT_GITHUB_PRIVATE_KEY_FILE": str(key),
            "MLOPS_BOT_GITHUB_WEBHOOK_SECRET": SECRET,
        }
        service = Service(load_settings(environ))
        with service.running():
            self.world.hooks.target = f"{service.settings.local_url}/webhooks/github"
            yield service
            self.world.hooks.settle()

    def close(self) -> None:
        self.fake.close()

    def _add(self, full_name: str) -> Repo:
        return self.world.create(full_name, ada="write", rob="read")


@dataclass(frozen=True)
class GitHubPlace:
    """One repository, Ada's clone of it, and what the service shows there."""

    town: GitHubTown
    repo: Repo
    work: Workplace

    @property
    def key(self) -> str:
        return f"github/{self.repo.full_name}"

    def running(self, service: Service) -> Running:
        return Running(service, self.key)

    def push(self, branch: str, message: str, **files: str) -> str:
        """Ada pushes; files are named by path. Gives the sha."""
        for path, text in files.items():
            self.work.write(path, text)
        sha = self.work.commit(message)
        self.work.push(branch, "--force")
        self.town.world.refs_moved(self.repo, "ada")
        return sha

    def propose(self, branch: str, message: str, **files: str) -> tuple[Pull, str]:
        self.work.git("checkout", "--quiet", "-B", branch)
        sha = self.push(branch, message, **files)
        return self.town.world.open_pull(self.repo, branch, by="ada"), sha

    def threshold(self, value: str) -> dict[str, str]:
        """The project file with another default."""
        text = (self.work.worktree / "mlops.yaml").read_text()
        return {"mlops.yaml": text.replace("default: 0.4,", f"default: {value},")}

    def check(self, sha: str, running: Running, name: str = "mlops/churn") -> CheckRun:
        """The newest of this name, once it is completed."""

        def look() -> CheckRun | None:
            runs = [run for run in self.repo.runs if run.head_sha == sha and run.name == name]
            return runs[-1] if runs and runs[-1].fields["status"] == "completed" else None

        return running.wait_for(f"the check {name} of {sha[:10]}", look)

    def bots(self, pull: Pull, marker: str) -> list[Note]:
        is_bots = self.town.world.bot
        return [note for note in pull.notes if note.user is is_bots and marker in note.body]

    def living_comment(self, pull: Pull, holding: str, running: Running) -> str:
        """The one living comment, once it holds these words and says of nothing that it is queued or runs."""

        def look() -> str | None:
            found = self.bots(pull, "<!-- mlops-bot:change -->")
            assert len(found) <= 1
            body = found[0].body if found else ""
            return body if holding in body and not any(sign in body for sign in UNFINISHED) else None

        return running.wait_for(f"a comment with {holding!r}", look)

    def say(self, pull: Pull, by: str, body: str, running: Running, kind: str = "issue") -> tuple[str, Note]:
        """Write a comment; gives the answer to it, and the comment with the reactions to it."""
        note = self.town.world.write(self.repo, pull, body, by=by, kind=kind)
        names = {"issue": "comment", "review": "review", "diff": "review-comment"}
        marker = f"mlops-bot:reply:github-{names[kind]}:{note.id} "
        answer = running.wait_for(f"an answer to {body!r}", lambda: next(iter(self.bots(pull, marker)), None))
        return answer.body, note

    def spent(self, before: Counter[str]) -> Counter[str]:
        return self.town.fake.by_repo[self.repo.full_name] - before

    def counted(self) -> Counter[str]:
        return self.town.fake.by_repo[self.repo.full_name].copy()


def make_place(town: GitHubTown, folder: Path) -> GitHubPlace:
    """The sample model, committed and not pushed yet."""
    repo = town.take()
    work = make_workplace(folder, home=folder / "no-home")
    work.git("remote", "set-url", "origin", str(repo.bare))
    return GitHubPlace(town, repo, work)
