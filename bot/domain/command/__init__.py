"""Commands in comments. `kinds` are their values, `forms` the table of how they are written, `parser` reads lines."""

from bot.domain.command.forms import FORMS, Form
from bot.domain.command.kinds import (
    Approve,
    Cancel,
    Command,
    CommandLine,
    CommandProblem,
    Deploy,
    Evaluate,
    Help,
    OkToTest,
    Override,
    Reject,
    Retry,
    Rollback,
    Status,
    Train,
)
from bot.domain.command.parser import help_text, parse_commands

__all__ = [
    "FORMS",
    "Approve",
    "Cancel",
    "Command",
    "CommandLine",
    "CommandProblem",
    "Deploy",
    "Evaluate",
    "Form",
    "Help",
    "OkToTest",
    "Override",
    "Reject",
    "Retry",
    "Rollback",
    "Status",
    "Train",
    "help_text",
    "parse_commands",
]
