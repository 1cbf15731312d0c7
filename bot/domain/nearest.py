"""The known word that somebody probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST_WORD = 64  # characters; comparing is quadratic, and nobody mistypes a longer one
ONE_LETTER_OFF = 0.85  # of difflib's ratio: `runs` means `run`, and not `runs_on`


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word closest to `word`; None when none is close. A beginning counts: `prod` gives `production`."""
    sought = word[:LONGEST_WORD].casefold()
    by_folded = {name[:LONGEST_WORD].casefold(): name for name in sorted(known, reverse=True)}
    if sought in by_folded:
        return by_folded[sought]
    mistyped = get_close_matches(sought, list(by_folded), n=1, cutoff=ONE_LETTER_OFF)
    if mistyped:
        return by_folded[mistyped[0]]
    begun = [name for folded, name in by_folded.items() if len(sought) >= 2 and folded.startswith(sought)]
    if len(begun) == 1:
        return begun[0]
    close = get_close_matches(sought, list(by_folded), n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None
