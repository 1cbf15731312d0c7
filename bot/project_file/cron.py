"""Cron schedules: five fields in UTC, as Kubernetes and crontab(5) have them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.domain.words import quoted
from bot.yaml_file.unfit import Unfit

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_SHORT = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_LONGEST_MONTHS = {month: 29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31 for month in range(1, 13)}


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    greatest: int
    words: tuple[str, ...] = ()
    first_word: int = 0


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS, 1),
    _Field("day of week", 0, 7, _DAYS, 0),
)


def cron_schedule(text: str) -> str:
    """The schedule as five fields. Raises Unfit."""
    schedule = _SHORT.get(text.strip().lower(), text)
    fields = [(match.start(), match.group()) for match in re.finditer(r"\S+", schedule)]
    if len(fields) != len(_FIELDS):
        found = f"{len(fields)} field{'s' * (len(fields) != 1)}"
        raise Unfit(
            f"{quoted(text)} has {found}, expected five: minute, hour, day of month, month, day of week.",
            'Write `"17 * * * *"` for every hour, or `"0 6 * * *"` for every day at six.',
        )
    values = [set(_values(field, words, start)) for field, (start, words) in zip(_FIELDS, fields, strict=True)]
    if fields[4][1] == "*" and all(day > _LONGEST_MONTHS[month] for month in values[3] for day in values[2]):
        raise Unfit(f"{quoted(text)} names a day that does not exist.", "Name another day.", offset=fields[2][0])
    return " ".join(words for _, words in fields)


def _values(field: _Field, words: str, start: int) -> Iterator[int]:
    for part in words.split(","):
        span, slash, step = part.partition("/")
        if slash and not (_is_number(step) and 1 <= int(step) <= field.greatest):
            raise _not_a(field, part, start)
        low, dash, high = span.partition("-")
        if span == "*":
            first, last = field.least, field.greatest
        else:
            first = _value(field, low, part, start)
            last = _value(field, high, part, start) if dash else (field.greatest if slash else first)
        if first > last:
            raise _not_a(field, part, start)
        yield from range(first, last + 1, int(step) if slash else 1)


def _value(field: _Field, word: str, part: str, start: int) -> int:
    if word.lower() in field.words:
        return field.first_word + field.words.index(word.lower())
    if _is_number(word) and field.least <= int(word) <= field.greatest:
        return int(word)
    raise _not_a(field, part, start)


def _is_number(word: str) -> bool:
    return re.fullmatch(r"[0-9]{1,4}", word) is not None


def _not_a(field: _Field, part: str, start: int) -> Unfit:
    allowed = f"{field.least} to {field.greatest}"
    if field.words:
        allowed += f", or {field.words[0]} to {field.words[-1]}"
    fix = f"Write `*`, numbers ({allowed}), lists `1,2`, ranges `1-5` or steps `*/5`."
    return Unfit(f"{quoted(part)} is not a {field.name}.", fix, offset=start)
