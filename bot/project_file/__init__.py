"""`mlops.yaml`: its text to a Project, or to all that is wrong with it.

`bot.yaml_file` reads and reports; `readers` and `model_rules` say what may stand here; `build` gives the Project.
"""

from bot.project_file.load import PROJECT_FILE_LIMIT_BYTES, ProjectFileError, load_project
from bot.project_file.summary import describe_project

__all__ = ["PROJECT_FILE_LIMIT_BYTES", "ProjectFileError", "describe_project", "load_project"]
