"""Markdown: to safe HTML, and the lines of a comment that may be commands. The only home of markdown-it-py and nh3."""
