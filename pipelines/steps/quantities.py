"""Times, sizes and shares, as people write them."""

from __future__ import annotations


def size(size_bytes: int) -> str:
    for unit, factor in (("GiB", 1024**3), ("MiB", 1024**2)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{size_bytes / 1024:.0f} KiB"


def duration(seconds: float) -> str:
    for unit, factor in (("h", 3600), ("min", 60)):
        if seconds >= factor and seconds % factor == 0:
            return f"{seconds / factor:.0f} {unit}"
    return f"{seconds:g} s"


def milliseconds(value_ms: float) -> str:
    return f"{value_ms:,.0f} ms" if value_ms >= 10 else f"{value_ms:.2g} ms"


def share(fraction: float) -> str:
    """0.0125 is `1.25 %`."""
    return f"{100 * fraction:.3g} %"


def count(number: int, one: str) -> str:
    """`1 row`, `1,203 rows`."""
    return f"{number:,} {one}{'' if number == 1 else 's'}"
