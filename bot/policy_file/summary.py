"""What a policy asks, in a few lines for the terminal and for `explain`. Of secrets: names, and where values are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from bot.domain.retention import Retention
from bot.domain.server_policy import EnvironmentPolicy, RepositoryPolicy, ServerPolicy
from bot.domain.words import plain
from bot.yaml_file.quantities import duration_text, size_text

Facts = Iterator[tuple[str, str]]


def describe_policy(policy: ServerPolicy) -> str:
    """A paragraph per entry."""
    paragraphs = []
    for entry in policy.entries:
        facts = [f"  {label:<10} {words}" for label, words in repository_facts(entry.policy, with_sources=True)]
        paragraphs.append("\n".join([", ".join(plain(pattern, limit=200) for pattern in entry.match), *facts]))
    if policy.keep is not None:
        paragraphs.append(f"keep\n{_kept(policy.keep)}")
    return "\n\n".join(paragraphs) + "\n" if paragraphs else "No repository is asked anything.\n"


def _kept(keep: Retention) -> str:
    facts = {"runs": keep.runs, "failed": keep.failed, "cache": keep.cache}
    return "\n".join(f"  {label:<10} {'for ever' if age is None else _days(age)}" for label, age in facts.items())


def _days(age: timedelta) -> str:
    return f"{age.days} days" if age.days > 1 else f"{age.total_seconds() / 3600:.0f} hours"


def repository_facts(policy: RepositoryPolicy, *, with_sources: bool = False) -> Facts:
    """Labels and words; nothing for what is not asked."""
    if policy.secrets:
        named = [f"{name} from {source}" if with_sources else name for name, source in policy.secrets.items()]
        yield "secrets", ", ".join(named).replace("`", "")
    if policy.allowed_environments is not None:
        yield "deploys to", ", ".join(policy.allowed_environments) or "no environment"
    for name, environment in policy.environments.items():
        yield name, _environment(environment)
    if policy.engines is not None:
        yield "engines", ", ".join(policy.engines) or "none"
    for images in policy.images:
        yield "images", plain(", ".join(images), limit=500) or "none of its own"
    yield from _ceiling(policy)
    yield from _override(policy)


def _environment(environment: EnvironmentPolicy) -> str:
    count = environment.approvals
    words = [f"{count} approval{'s' * (count != 1)}" if count else "no approval by this policy"]
    if environment.approvers is not None:
        words[0] += f" of {', '.join(environment.approvers) or 'nobody'}"
    if environment.only_merged:
        words.append("only commits of the default branch")
    return "; ".join(words)


def _ceiling(policy: RepositoryPolicy) -> Facts:
    ceiling = policy.ceiling
    most = []
    if ceiling.cpu is not None:
        most.append(f"{ceiling.cpu:g} core{'s' * (ceiling.cpu != 1)}")
    if ceiling.memory_bytes is not None:
        most.append(size_text(ceiling.memory_bytes))
    if ceiling.gpu is not None:
        most.append(f"{ceiling.gpu} GPU{'s' * (ceiling.gpu != 1)}")
    if most:
        yield "at most", ", ".join(most)


def _override(policy: RepositoryPolicy) -> Facts:
    if policy.override_by is None and policy.override_for_s is None:
        return
    who = "whoever may write" if policy.override_by is None else ", ".join(policy.override_by) or "nobody"
    lasts = f", for {duration_text(policy.override_for_s)}" if policy.override_for_s is not None else ""
    yield "overrides", f"{who}{lasts}"
