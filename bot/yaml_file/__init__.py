"""YAML files that people write: to a tree that knows where everything stands, and to all that is wrong, in words.

text → `tree` → `values` and `shape` (problems); what only holds together is for each kind of file to look at.
"""

from bot.yaml_file.load import FILE_LIMIT_BYTES, findings_for, read_yaml
from bot.yaml_file.output import format_github, format_json, format_text
from bot.yaml_file.problems import FileError, FileProblem, Findings
from bot.yaml_file.scalars import is_plain_text
from bot.yaml_file.shape import broken_rules, report_shape
from bot.yaml_file.shape_words import explain
from bot.yaml_file.tree import Kind, Node, read_tree
from bot.yaml_file.unfit import Unfit
from bot.yaml_file.values import ANY, Readers, report_values

__all__ = [
    "ANY",
    "FILE_LIMIT_BYTES",
    "FileError",
    "FileProblem",
    "Findings",
    "Kind",
    "Node",
    "Readers",
    "Unfit",
    "broken_rules",
    "explain",
    "findings_for",
    "format_github",
    "format_json",
    "format_text",
    "is_plain_text",
    "read_tree",
    "read_yaml",
    "report_shape",
    "report_values",
]
