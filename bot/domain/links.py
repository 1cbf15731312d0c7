"""The bot's own addresses, as the report links to them and the pages serve them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote

from bot.domain.signature import plot_query

PLOT_ADDRESSES_LIVE = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Links:
    """`public_url` has no slash at its end; "" makes paths only. With `plot_secret`, whoever holds the address of a
    plot may fetch it for a while without a login, as the image proxies of forges do."""

    public_url: str = ""
    plot_secret: str = field(default="", repr=False)

    def repository(self, key: str) -> str:
        return f"{self.public_url}/repositories/{quote(key)}"

    def change(self, repository: str, number: int) -> str:
        return f"{self.repository(repository)}/changes/{number}"

    def commit(self, repository: str, sha: str) -> str:
        return f"{self.repository(repository)}/commits/{sha}"

    def run(self, run_id: str) -> str:
        return f"{self.public_url}/runs/{run_id}"

    def deployment(self, deployment_id: str) -> str:
        return f"{self.public_url}/deployments/{deployment_id}"

    def model(self, repository: str, model: str) -> str:
        return f"{self.repository(repository)}/models/{quote(model)}"

    def environment(self, environment: str) -> str:
        return f"{self.public_url}/environments/{quote(environment)}"

    def served(self, environment: str, model: str) -> str:
        """Where predictions are asked for; `/v2/…` and `/v1/…` are below it."""
        return f"{self.public_url}/serve/{quote(environment)}/{quote(model)}"

    def log(self, run_id: str, step: str) -> str:
        return f"{self.run(run_id)}#log-{_quoted(step)}"

    def file(self, run_id: str, path: str) -> str:
        """A file of the run's prefix, as it is."""
        return f"{self.run(run_id)}/files/{_quoted(path)}"

    def plot(self, run_id: str, path: str, *, made_at: datetime | None = None) -> str:
        """A plot as a picture: PNG or SVG as they are, curves drawn by the bot as SVG. The address expires a fixed time
        after `made_at`, so that the words that it stands in stay the same."""
        address = f"{self.run(run_id)}/plots/{_quoted(path)}"
        if not self.plot_secret or made_at is None:
            return address
        query = plot_query(self.plot_secret, run_id=run_id, path=path, expires_at=made_at + PLOT_ADDRESSES_LIVE)
        return f"{address}?{query}"

    def callback(self, run_id: str) -> str:
        return f"{self.public_url}/callbacks/runs/{run_id}"


def _quoted(text: str) -> str:
    """A lone surrogate, which a run's JSON may hold, becomes a question mark."""
    return quote(text, errors="replace")
