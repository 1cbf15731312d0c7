"""Markdown: to safe HTML, and the lines of a comment that may be commands. The only home of markdown-it-py and nh3."""

from bot.markdown.commands import command_lines
from bot.markdown.html import to_html

__all__ = ["command_lines", "to_html"]
