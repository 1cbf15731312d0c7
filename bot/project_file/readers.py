"""Values that the schema can not judge: each place in the file and the function that reads what stands there."""

from __future__ import annotations

from bot.domain.gate import Gate, GateSyntaxError, parse_gate
from bot.domain.words import quoted
from bot.project_file.cron import cron_schedule
from bot.project_file.paths import git_address, glob, path_inside
from bot.yaml_file import ANY, Readers, Unfit
from bot.yaml_file.quantities import cores, duration_s, latency_ms, memory_bytes

# Source: SageMaker's API reference, ResourceConfig: VolumeSizeInGB is at least 1; a volume of EBS has at most 16 TiB.
MOST_VOLUME_GIB = 16 * 1024


def gate(text: str) -> Gate:
    """Raises Unfit."""
    try:
        return parse_gate(text)
    except GateSyntaxError as error:
        # the gate itself stands in the excerpt
        words = error.problem.removeprefix(f"gate {quoted(text)}, character {error.column + 1}: ")
        raise Unfit(words[0].upper() + words[1:], error.fix, offset=error.column) from error


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise Unfit("The text has a NUL character, which no program can be given.", "Remove it.")
    return text


def volume_gib(text: str) -> int:
    """Whole GiB, rounded up. Raises Unfit."""
    gib = -(-memory_bytes(text) // 1024**3)
    if gib > MOST_VOLUME_GIB:
        raise Unfit(f"{quoted(text)} is more than a disk has, 16Ti.", "Write a size such as `30Gi`.")
    return gib


READERS: Readers = (
    (("models", ANY, "path"), path_inside),
    (("models", ANY, "watch", ANY), glob),
    (("models", ANY, "data", "repo"), git_address),
    (("models", ANY, "data", "path"), path_inside),
    (("models", ANY, "env", ANY), _without_nul),
    (("models", ANY, "train", "run"), _without_nul),
    (("models", ANY, "train", "timeout"), duration_s),
    (("models", ANY, "train", "resources", "cpu"), cores),
    (("models", ANY, "train", "resources", "memory"), memory_bytes),
    (("models", ANY, "train", "sagemaker", "volume"), volume_gib),
    (("models", ANY, "train", "sagemaker", "max_wait"), duration_s),
    (("models", ANY, "evaluate", "run"), _without_nul),
    (("models", ANY, "evaluate", "timeout"), duration_s),
    (("models", ANY, "evaluate", "resources", "cpu"), cores),
    (("models", ANY, "evaluate", "resources", "memory"), memory_bytes),
    (("models", ANY, "evaluate", "gates", ANY), gate),
    (("models", ANY, "deploy", "resources", "cpu"), cores),
    (("models", ANY, "deploy", "resources", "memory"), memory_bytes),
    (("models", ANY, "deploy", "environments", ANY, "hold"), duration_s),
    (("models", ANY, "deploy", "environments", ANY, "max_latency"), latency_ms),
    (("models", ANY, "monitor", "schedule"), cron_schedule),
)
