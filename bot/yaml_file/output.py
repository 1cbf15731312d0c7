"""Problems for people, for programs, and for GitHub's workflow log."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bot.yaml_file.problems import FileProblem


def format_text(errors: Sequence[FileProblem], path: str) -> str:
    """One paragraph per problem: place, message, the line with a caret, fix."""
    blocks = [_block(error, path) for error in errors]
    count = "1 problem" if len(errors) == 1 else f"{len(errors)} problems"
    return "\n\n".join([*blocks, f"{count} in {path}"]) + "\n"


def format_json(errors: Sequence[FileProblem], path: str) -> str:
    """`{"path": …, "valid": …, "problems": [{"line": 3, "column": 5, "where": …, "message": …, "fix": …, …}]}`"""
    problems = [
        {
            "line": error.line,
            "column": error.column,
            "where": error.where,
            "message": error.message,
            "fix": error.fix,
            "excerpt": error.excerpt,
        }
        for error in errors
    ]
    return json.dumps({"path": path, "valid": not errors, "problems": problems}, ensure_ascii=False, indent=2) + "\n"


def format_github(errors: Sequence[FileProblem], path: str, *, title: str = "mlops.yaml") -> str:
    """Workflow commands, which GitHub shows as annotations beside the lines.

    Source: GitHub docs, "Workflow commands", and actions/toolkit's `command.ts` for what is escaped.
    """
    return "".join(
        f"::error file={_property(path)},line={error.line},col={error.column},title={_property(title)}::"
        f"{_escaped(error.sentence)}\n"
        for error in errors
    )


def _block(error: FileProblem, path: str) -> str:
    place = f" {error.where}" if error.where else ""
    lines = [f"{path}:{error.line}:{error.column}{place}", f"  {error.message}", error.excerpt]
    lines.append(f"  fix: {error.fix}" if error.fix else "")
    return "\n".join(line for line in lines if line)


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
