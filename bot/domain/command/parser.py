"""Lines of a comment to commands."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.domain.command.forms import FORMS, Form, Said
from bot.domain.command.kinds import Command, CommandLine, CommandProblem
from bot.domain.command.words import Word, split_words
from bot.domain.errors import UserError
from bot.domain.nearest import nearest
from bot.domain.words import quoted

PREFIX = "mlops"
LONGEST_LINE = 2000  # characters
MOST_COMMANDS = 20  # in a comment

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*)=(.*)", re.DOTALL)


def parse_commands(lines: Sequence[CommandLine]) -> list[Command | CommandProblem]:
    """In order. Slash words that are not ours are left out, unless they follow `/mlops`."""
    answers: list[Command | CommandProblem] = []
    for line in lines:
        answer = _parse_line(line)
        if answer is None:
            continue
        if len(answers) == MOST_COMMANDS:
            fix = "Write the rest in another comment."
            problem = f"Only the first {MOST_COMMANDS} commands of a comment are carried out."
            return [*answers, CommandProblem(line.number, line.text[:LONGEST_LINE], problem, fix)]
        answers.append(answer)
    return answers


def help_text() -> str:
    """A Markdown table of all commands."""
    rows = [f"| `{form.usage}` | {form.summary} |" for form in FORMS.values()]
    rest = f"One command a line, at its start. Where another bot answers too, write `/{PREFIX} train`."
    return "\n".join(["| Command | What it does |", "| --- | --- |", *rows, "", rest])


def _parse_line(line: CommandLine) -> Command | CommandProblem | None:
    first, rest = _first_word(line.text)
    if not first.startswith("/"):
        return None
    name = first[1:].casefold()
    prefixed = name == PREFIX
    if prefixed:
        first, rest = _first_word(rest)
        name = first.removeprefix("/").casefold()
    form = FORMS.get(name)
    if form is None:
        return _unknown_command(line, first) if prefixed else None
    try:
        return replace(_read(form, line.text, rest), line=line.number)
    except UserError as error:
        return _problem(line, error.problem, f"{error.fix} Usage: `{form.usage}`".strip())


def _first_word(text: str) -> tuple[str, str]:
    first, *rest = text.split(maxsplit=1) or [""]
    return first, "".join(rest)


def _read(form: Form, text: str, rest: str) -> Command:
    if len(text) > LONGEST_LINE:
        raise UserError(f"The line is longer than {LONGEST_LINE} characters.")
    words = split_words(rest, free_text=form.most is None)
    said = Said(words=tuple(word.text for word in words)) if form.most is None else _sorted_words(form, words)
    if len(said.words) < form.least:
        raise UserError(f"`/{form.name}` needs `{form.arguments.split()[len(said.words)]}`.")
    return form.build(said)


def _sorted_words(form: Form, words: Sequence[Word]) -> Said:
    positional: list[str] = []
    values: dict[str, str] = {}
    flags: set[str] = set()
    for word in words:
        assignment = _ASSIGNMENT.fullmatch(word.text) if word.bare else None
        if word.bare and word.text.startswith("-"):
            flags.add(_flag(form, word.text))
        elif assignment is not None:
            name, value = assignment.groups()
            _check_assignment(form, name, values)
            values[name] = value
        elif form.most is not None and len(positional) == form.most:
            raise _unexpected(word.text, form)
        else:
            positional.append(word.text)
    options = {name: value for name, value in values.items() if name in form.options}
    params = {name: value for name, value in values.items() if name not in form.options}
    return Said(tuple(positional), params, options, frozenset(flags))


def _flag(form: Form, written: str) -> str:
    if written in form.flags:
        return written
    bare = written.lstrip("-")
    if form.takes_params and _ASSIGNMENT.fullmatch(bare):
        raise UserError(f"{quoted(written)} is not an option.", f"Values have no dashes: {quoted(bare)}.")
    meant = nearest(written, form.flags)
    fix = f"Did you mean `{meant}`?" if meant else "Leave it out."
    raise UserError(f"{quoted(written)} is not an option of `/{form.name}`.", fix)


def _check_assignment(form: Form, name: str, values: Mapping[str, str]) -> None:
    if name in values:
        raise UserError(f"{quoted(name)} is given twice.", "Give it once.")
    if not form.takes_params and name not in form.options:
        raise UserError(f"`/{form.name}` takes no values, but {quoted(name)} is given one.", "Leave it out.")


def _unexpected(word: str, form: Form) -> UserError:
    if word.startswith("=") or word.endswith("="):
        return UserError(f"{quoted(word)} stands alone.", "Write `name=value` without spaces around `=`.")
    fix = "Put a value with spaces in quotes, and leave out the rest." if form.takes_params else "Leave it out."
    return UserError(f"{quoted(word)} is one word too many.", fix)


def _unknown_command(line: CommandLine, word: str) -> CommandProblem:
    meant = nearest(word.removeprefix("/"), FORMS)
    fix = f"Did you mean `/{PREFIX} {meant}`? " if meant else ""
    known = ", ".join(f"`{name}`" for name in FORMS)
    problem = f"{quoted(word)} is not a command." if word else f"`/{PREFIX}` alone is not a command."
    return _problem(line, problem, f"{fix}Usage: `/{PREFIX} <command>`, one of {known}.")


def _problem(line: CommandLine, problem: str, fix: str) -> CommandProblem:
    return CommandProblem(line.number, line.text[:LONGEST_LINE], problem, fix)
