"""A report as Markdown, within a forge's limit, with all text from outside escaped; and its curves as pictures."""

from bot.comments.answers import render_deploy_answer, render_gate_refusal
from bot.comments.escape import Markdown, code_span, md_escape, prose
from bot.comments.render import MARKER, render_checks, render_comment

__all__ = [
    "MARKER",
    "Markdown",
    "code_span",
    "md_escape",
    "prose",
    "render_checks",
    "render_comment",
    "render_deploy_answer",
    "render_gate_refusal",
]
