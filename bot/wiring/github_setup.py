"""Making a GitHub App by its manifest: where the browser is sent, and what comes back is kept in the home folder."""

from __future__ import annotations

import json
from collections.abc import Mapping

from bot.domain.errors import UserError
from bot.forges.github.settings import git_origin
from bot.settings import Settings
from bot.wiring.shared import utc_now


class GitHubSetup:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def origin(self) -> str:
        """Of the pages of this GitHub, `https://github.com`."""
        return git_origin(self._settings.github_api_url)

    def begin(self, state: str, organization: str, back_to: str) -> tuple[str, str]:
        """Where a browser posts the manifest, and the manifest. GitHub sends the browser `back_to` us with a code."""
        from bot.forges.github import setup  # imported when needed: few services are ever set up so

        public_url = self._settings.public_url
        if not public_url:
            raise UserError(
                "GitHub must know where to send its webhooks, and this service has no public address.",
                "Set MLOPS_BOT_PUBLIC_URL, for example to `https://mlops.example.com`, and start the service again.",
            )
        manifest = {**setup.build_manifest(public_url), "redirect_url": back_to}
        return setup.form_address(self.origin, state=state, organization=organization), json.dumps(manifest)

    def finish(self, code: str) -> tuple[Mapping[str, str], str]:
        """The variables to set, and where to install the App; "" when GitHub gave no address of its own."""
        from bot.forges.github import setup

        app = setup.exchange_code(self._settings.github_api_url, code, now=utc_now())
        variables = setup.keep(app, self._settings.home / "github")
        is_own = app.page.startswith(f"{self.origin}/")
        return variables, f"{app.page}/installations/new" if is_own else ""
