"""Durations, latencies, memory and processor cores: text to numbers, which raises Unfit, and back."""

from __future__ import annotations

import re

from bot.domain.words import quoted
from bot.yaml_file.unfit import Unfit

LONGEST_S = 30 * 86_400
LEAST_MEMORY_BYTES = 1024**2
MOST_MEMORY_BYTES = 64 * 1024**4
MOST_CORES = 1024.0
LONGEST_LATENCY_MS = 600_000.0

_DURATION = re.compile(r"(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")
_LATENCY = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s)")
_MEMORY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)([KMGTk]i?)")
_CORES = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(m?)")
# the units of Kubernetes ("Resource units in Kubernetes"): k is 1000, Ki 1024; K is taken as k
_BYTES = {"k": 1000, "m": 1000**2, "g": 1000**3, "t": 1000**4, "ki": 1024, "mi": 1024**2, "gi": 1024**3, "ti": 1024**4}
_DURATIONS = ((86_400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_SIZES = ((1024**4, "Ti"), (1024**3, "Gi"), (1024**2, "Mi"))
_UNITS_MEANT = {"gb": "G", "mb": "M", "tb": "T", "kb": "k", "gib": "Gi", "mib": "Mi", "tib": "Ti", "b": ""}


def duration_s(text: str) -> int:
    """Seconds of `90s`, `2h`, `1h30m`, `1d`."""
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        fix = f"Write `{text}s` if seconds are meant." if text.isascii() and text.isdigit() else _duration_meant(text)
        raise Unfit(f"{quoted(text)} is not a duration.", fix)
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if not 1 <= total <= LONGEST_S:
        raise Unfit(f"{quoted(text)} is not between 1 second and 30 days.", "Write a duration such as `2h`.")
    return total


def _duration_meant(text: str) -> str:
    match = re.fullmatch(r"\s*([0-9]{1,6})\s*(d|h|m|s)[a-z]*\s*", text, re.IGNORECASE)
    if match:
        return f"Write `{match.group(1)}{match.group(2).lower()}`."
    return "Write whole numbers with `d`, `h`, `m` or `s`: `90s`, `2h`, `1h30m`."


def latency_ms(text: str) -> float:
    """Milliseconds of `200ms`, `1.5s`."""
    match = _LATENCY.fullmatch(text)
    if match is None:
        is_number = re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) is not None
        fix = (
            f"Write `{text}ms` if milliseconds are meant." if is_number else "Write a number with `ms` or `s`: `200ms`."
        )
        raise Unfit(f"{quoted(text)} is not a latency.", fix)
    milliseconds = float(match.group(1)) * (1000 if match.group(2) == "s" else 1)
    if not 1 <= milliseconds <= LONGEST_LATENCY_MS:
        raise Unfit(f"{quoted(text)} is not between 1 millisecond and 10 minutes.", "Write a latency such as `200ms`.")
    return milliseconds


def memory_bytes(text: str) -> int:
    """Bytes of `512Mi`, `4Gi`, `2G`."""
    match = _MEMORY.fullmatch(text)
    if match is None:
        raise Unfit(f"{quoted(text)} is not a size of memory.", _memory_meant(text))
    size = int(float(match.group(1)) * _BYTES[match.group(2).lower()])
    if not LEAST_MEMORY_BYTES <= size <= MOST_MEMORY_BYTES:
        raise Unfit(f"{quoted(text)} is not between 1Mi and 64Ti.", "Write a size such as `4Gi`.")
    return size


def _memory_meant(text: str) -> str:
    match = re.fullmatch(r"\s*([0-9.]{1,15})\s*([a-z]*)\s*", text, re.IGNORECASE)
    if match and match.group(2).lower() in _UNITS_MEANT:
        return f"Write `{match.group(1)}{_UNITS_MEANT[match.group(2).lower()] or 'Mi'}`."
    return f"Write `{match.group(1)}Gi` or `{match.group(1)}Mi`." if match and not match.group(2) else "Write `4Gi`."


def cores(value: str | float) -> float:
    """Cores of `2`, `0.5`, `"500m"`."""
    text = str(value)
    match = _CORES.fullmatch(text)
    if match is None:
        raise Unfit(f"{quoted(text)} is not a number of cores.", "Write `2`, `0.5` or `500m`.")
    count = float(match.group(1)) / (1000 if match.group(2) else 1)
    if not 0.001 <= count <= MOST_CORES:
        raise Unfit(f"{quoted(text)} is not between 0.001 and 1024 cores.", "Write `2`, `0.5` or `500m`.")
    return count


def duration_text(seconds: int) -> str:
    """`1h30m`, as it may be written in the file."""
    words = ""
    for unit_s, unit in _DURATIONS:
        count, seconds = divmod(seconds, unit_s)
        words += f"{count}{unit}" if count else ""
    return words or "0s"


def size_text(size_bytes: int) -> str:
    unit_bytes, unit = next((size for size in _SIZES if size_bytes >= size[0]), _SIZES[-1])
    return f"{size_bytes / unit_bytes:.3g} {unit}B"


QUANTITIES = (cores, duration_s, latency_ms, memory_bytes)  # what may stand there as a number that lacks its unit
