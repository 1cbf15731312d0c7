"""`mlops.yaml`: its text to a Project, or to all that is wrong with it.

text → `yaml_tree` (where everything stands) → `values`, `shape`, `model_rules` (problems) → `build` (the Project).
"""

from bot.project_file.load import PROJECT_FILE_LIMIT_BYTES, load_project, read_yaml
from bot.project_file.output import format_github, format_json, format_text
from bot.project_file.problems import ProjectFileError, ProjectFileProblem
from bot.project_file.scalars import is_plain_text
from bot.project_file.summary import describe_project

__all__ = [
    "PROJECT_FILE_LIMIT_BYTES",
    "ProjectFileError",
    "ProjectFileProblem",
    "describe_project",
    "format_github",
    "format_json",
    "format_text",
    "is_plain_text",
    "load_project",
    "read_yaml",
]
