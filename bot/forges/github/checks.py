"""Check runs, which only an App has."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.check import Annotation, Check, CheckStatus, Conclusion
from bot.domain.errors import TransientError
from bot.forges.github.client import PER_PAGE, Client
from bot.forges.github.errors import Refused, Uncertain
from bot.forges.github.fields import integer, mapping, mappings, text
from bot.forges.github.newness import Newness, checks_of

# GitHub docs, "REST API endpoints for check runs", create a check run
LONGEST_TEXT = 65_535  # characters
ANNOTATIONS_AT_ONCE = 50
MOST_ACTIONS = 3
LONGEST_LABEL, LONGEST_DESCRIPTION, LONGEST_IDENTIFIER = 20, 40, 20
_LONGEST_TITLE = 255
_LONGEST_MESSAGE = 16_000  # 64 KB, and a character has up to 4 bytes

_CONCLUSIONS = {Conclusion.CANCELED: "cancelled"}
_REMEMBERED_RUNS = 10_000

_Place = tuple[str, str, str]
_Note = tuple[str, int, str, str]


@dataclass(frozen=True, slots=True)
class _Run:
    """A check run as it is known to be shown."""

    id: str
    is_completed: bool
    annotations: frozenset[_Note]


class Checks:
    """GitHub can not take annotations back, and a completed run shows when it was completed: so a run that starts anew,
    or does not hold any more what it said of a line, gets another run of the same name, which takes its place."""

    def __init__(self, client: Client, app_id: int, newness: Newness) -> None:
        self._client = client
        self._app_id = app_id
        self._newness = newness
        self._runs: OrderedDict[_Place, _Run] = OrderedDict()

    def put(self, full_name: str, check: Check, *, known_id: str | None) -> str:
        """Gives the run's id; "" when there is none because little quota is left, and the check is not final."""
        if check.conclusion is None and self._client.has_little_quota(full_name):
            return known_id or ""
        place = full_name, check.sha, check.name
        run = self._known(place, known_id)
        notes = [_note(annotation) for annotation in check.annotations]
        if run is not None and _may_become(run, check, notes):
            new = [note for note in notes if note not in run.annotations]
            self._update(run, place, check, new)
            return run.id
        return self._create(place, check, notes)

    def names_at(self, full_name: str, sha: str) -> list[str]:
        """The names of the bot's checks of a commit."""
        return [text(run, "name") for run in self._listed(full_name, sha, {}) if text(run, "name")]

    def _known(self, place: _Place, known_id: str | None) -> _Run | None:
        run = self._runs.get(place)
        if run is not None and (not known_id or run.id == known_id):
            return run
        full_name, sha, name = place
        if known_id and known_id.isascii() and known_id.isdigit():
            try:
                answer = self._client.ask(full_name, "check", "GET", f"/repos/{full_name}/check-runs/{known_id}")
                return self._read(full_name, answer.data)
            except Refused as error:
                if error.status != 404:
                    raise
        if self._newness.is_new(checks_of(full_name, sha)):
            return None
        listed = self._listed(full_name, sha, {"check_name": name})
        newest = max(listed, key=lambda fields: integer(fields, "id"), default=None)
        return self._read(full_name, newest) if newest else None

    def _listed(self, full_name: str, sha: str, parameters: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        path = f"/repos/{full_name}/commits/{sha}/check-runs"
        query = {**parameters, "app_id": self._app_id, "filter": "latest", "per_page": PER_PAGE}
        answer = self._client.ask(full_name, "check", "GET", path, parameters=query)
        runs = mappings(answer.data, "check_runs") if isinstance(answer.data, dict) else []
        return [run for run in runs if integer(mapping(run, "app"), "id") == self._app_id]

    def _read(self, full_name: str, fields: object) -> _Run | None:
        run = fields if isinstance(fields, dict) else {}
        run_id = integer(run, "id")
        if not run_id:
            return None
        notes: frozenset[_Note] = frozenset()
        if integer(mapping(run, "output"), "annotations_count"):
            path = f"/repos/{full_name}/check-runs/{run_id}/annotations"
            pages = self._client.pages(full_name, "check", path, {}, _read_notes)
            notes = frozenset(note for page in pages for note in page)
        return _Run(str(run_id), run.get("status") == "completed", notes)

    def _create(self, place: _Place, check: Check, notes: Sequence[_Note]) -> str:
        full_name, sha, name = place
        first, *rest = _batches(notes)
        body = {"name": name, "head_sha": sha, **_fields(check, first)}
        try:
            answer = self._client.ask(full_name, "check", "POST", f"/repos/{full_name}/check-runs", body=body)
        except Uncertain:
            self._forget(place)
            raise
        run_id = integer(answer.data, "id") if isinstance(answer.data, dict) else 0
        if not run_id:
            self._forget(place)
            raise TransientError("GitHub gave no id for a check.")
        run = _Run(str(run_id), check.status is CheckStatus.COMPLETED, frozenset(first))
        self._remember(place, run)
        for batch in rest:
            run = self._patch(run, place, check, batch)
        return run.id

    def _update(self, run: _Run, place: _Place, check: Check, notes: Sequence[_Note]) -> None:
        for batch in _batches(notes):
            run = self._patch(run, place, check, batch)

    def _patch(self, run: _Run, place: _Place, check: Check, notes: Sequence[_Note]) -> _Run:
        full_name = place[0]
        path = f"/repos/{full_name}/check-runs/{run.id}"
        try:
            self._client.ask(full_name, "check", "PATCH", path, body=_fields(check, notes))
        except Uncertain:
            self._runs.pop(place, None)  # its annotations may be there already
            raise
        run = _Run(run.id, check.status is CheckStatus.COMPLETED, run.annotations | frozenset(notes))
        self._remember(place, run)
        return run

    def _remember(self, place: _Place, run: _Run) -> None:
        self._runs[place] = run
        self._runs.move_to_end(place)
        while len(self._runs) > _REMEMBERED_RUNS:
            self._runs.popitem(last=False)

    def _forget(self, place: _Place) -> None:
        self._runs.pop(place, None)
        self._newness.spoil(checks_of(place[0], place[1]))


def _may_become(run: _Run, check: Check, notes: Sequence[_Note]) -> bool:
    is_started_anew = run.is_completed and check.conclusion is None
    return not is_started_anew and run.annotations <= set(notes)


def _fields(check: Check, notes: Sequence[_Note]) -> dict[str, Any]:
    output: dict[str, Any] = {
        "title": check.title[:_LONGEST_TITLE] or check.name,
        "summary": check.summary[:LONGEST_TEXT] or check.title,
    }
    if notes:
        output["annotations"] = [_annotation(note) for note in notes]
    fields: dict[str, Any] = {"status": str(check.status), "output": output, "actions": list(_actions(check))}
    if check.conclusion is not None:
        fields["conclusion"] = _CONCLUSIONS.get(check.conclusion, str(check.conclusion))
    if check.details_url.startswith(("https://", "http://")):
        fields["details_url"] = check.details_url
    return fields


def _actions(check: Check) -> Iterator[dict[str, str]]:
    for action in check.actions[:MOST_ACTIONS]:
        yield {
            "label": action.label[:LONGEST_LABEL],
            "description": action.description[:LONGEST_DESCRIPTION],
            "identifier": action.id[:LONGEST_IDENTIFIER],
        }


def _batches(notes: Sequence[_Note]) -> list[Sequence[_Note]]:
    """One at least."""
    starts = range(0, len(notes), ANNOTATIONS_AT_ONCE)
    return [notes[start : start + ANNOTATIONS_AT_ONCE] for start in starts] or [()]


def _note(annotation: Annotation) -> _Note:
    return annotation.path, annotation.line, annotation.level, annotation.message[:_LONGEST_MESSAGE]


def _annotation(note: _Note) -> dict[str, Any]:
    path, line, level, message = note
    return {"path": path, "start_line": line, "end_line": line, "annotation_level": level, "message": message}


def _read_notes(answer: Any) -> list[_Note]:
    listed = answer if isinstance(answer, list) else []
    return [
        (text(item, "path"), integer(item, "start_line"), text(item, "annotation_level"), text(item, "message"))
        for item in listed
        if isinstance(item, dict)
    ]
