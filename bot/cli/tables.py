"""Tables for a terminal, and as tab-separated lines for what is not one."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """Cells are text from outside: shown as they are, without what could steer a terminal."""
    if not rows:
        click.echo(empty)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = [[plain_cell(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        lines = [columns, *shown]
        click.echo("\n".join("\t".join(cell.replace("\n", "; ") for cell in line) for line in lines))
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in shown:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def plain_cell(text: str) -> str:
    return "\n".join("".join(sign if sign.isprintable() else " " for sign in line) for line in text.split("\n"))


def moment(text: str | None) -> str:
    """`2026-11-25 12:00` (UTC) from the API's ISO text."""
    return "" if text is None else text[:16].replace("T", " ")


def numbers(metrics: dict[str, float]) -> str:
    return "\n".join(f"{name} {value:.5g}" for name, value in sorted(metrics.items()))
