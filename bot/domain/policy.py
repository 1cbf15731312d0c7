"""Policy comes from the base branch, compute settings from the head.

So a change can not weaken its own gates, name its own approvers or grant itself secrets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.project import Deploy, Model
from bot.domain.words import listed, quoted

Notes = tuple[str, ...]


def effective_model(head: Model, base: Model | None, *, base_name: str = "") -> tuple[Model, Notes]:
    """The model as it counts on a change, and one sentence of Markdown for each thing that the change has no say in.

    `base` is the model on the target branch `base_name`; None where that has no such model. On a push to the branch
    itself head and base are the same, and nothing differs. A model that is new on a change is held to its own gates,
    but gets no secrets and deploys nowhere until it is merged.
    """
    place = quoted(base_name) if base_name else "the base branch"
    if base is None:
        return _new_model(head, place)
    gate_notes = _gate_notes(head, base, place)
    secrets, secret_notes = _secrets(head, base.secrets, place)
    deploy, deploy_notes = _deploy(head.deploy, base.deploy, place)
    model = replace(head, gates=base.gates, secrets=secrets, deploy=deploy)
    return model, (*gate_notes, *secret_notes, *deploy_notes)


def _new_model(head: Model, place: str) -> tuple[Model, Notes]:
    secrets, secret_notes = _secrets(head, (), place)
    notes = [f"This model is new: {place} does not have it yet, so its gates are those of this change.", *secret_notes]
    if head.deploy is not None:
        notes.append(f"It can be deployed once it is on {place}: a change does not name its own approvers.")
    return replace(head, secrets=secrets, deploy=None), tuple(notes)


def _gate_notes(head: Model, base: Model, place: str) -> Notes:
    here, there = [gate.text for gate in head.gates], [gate.text for gate in base.gates]
    notes = []
    if here != there:
        edits = _difference(here, there)
        notes.append(f"Gates come from {place}: this change {edits}, which counts once merged.")
    if base.gates and base.evaluate is not None and head.evaluate is None:
        notes.append(f"This change takes the evaluation away: the gates of {place} judge what training reports.")
    return tuple(notes)


def _difference(here: Sequence[str], there: Sequence[str]) -> str:
    added = [text for text in here if text not in there]
    removed = [text for text in there if text not in here]
    edits = [f"adds {listed(added)}"] if added else []
    if removed:
        edits.append(f"removes {listed(removed)}")
    return " and ".join(edits) or "puts them into another order"


def _secrets(head: Model, granted: Sequence[str], place: str) -> tuple[tuple[str, ...], Notes]:
    kept = tuple(name for name in head.secrets if name in granted)
    refused = [name for name in head.secrets if name not in granted]
    if not refused:
        return kept, ()
    verb = "is" if len(refused) == 1 else "are"
    return kept, (
        f"{listed(refused)} {verb} not given to this run: {place} does not list such a secret for this model.",
    )


def _deploy(head: Deploy | None, base: Deploy | None, place: str) -> tuple[Deploy | None, Notes]:
    """Environments, approvals and approvers of the base; how it is served, and with how much, is the head's."""
    if base is None:
        note = f"It can be deployed once `deploy` is on {place}: a change does not name its own approvers."
        return None, (note,) if head is not None else ()
    if head is None:
        return base, (f"Deployments follow {place}: this change takes `deploy` away, which counts once merged.",)
    names = sorted({*head.environments, *base.environments})
    differing = [name for name in names if head.environments.get(name) != base.environments.get(name)]
    edits = f"this change has others for {listed(differing)}, which count once merged"
    notes = (f"Environments, approvals and approvers come from {place}: {edits}.",) if differing else ()
    return replace(base, serve=head.serve, resources=head.resources), notes
