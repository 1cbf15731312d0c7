"""What the documents say is so: links lead somewhere, settings and commands exist, the example is valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.cli import COMMANDS
from bot.domain.command.forms import FORMS
from bot.policy_file import load_policy
from bot.project_file import load_project
from bot.usecases.commands import CARRY_OUT
from tests.packaging.code_map import code_map, modules

CHECKOUT = Path(__file__).parents[2]
README = CHECKOUT / "README.md"
CODE_MAP = CHECKOUT / "bot" / "README.md"
DOCUMENTS = (README, CODE_MAP, CHECKOUT / ".github" / "CONTRIBUTING.md")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_to_one(document: Path):
    text = text_of(document)
    links = [*re.findall(r"\]\(([^)#\s]+)\)", text), *re.findall(r'src(?:set)?="([^"]+)"', text)]

    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]

    assert missing == []


def test_the_readmes_project_file_is_valid():
    example, *_ = yaml_examples()

    project = load_project(example)

    assert [model.name for model in project.models] == ["churn"]


def test_the_readmes_policy_is_valid():
    *_, example = yaml_examples()

    policy = load_policy(example)

    assert sorted(policy.of("github/acme/churn").secrets) == ["HF_TOKEN", "WANDB_API_KEY"]


def yaml_examples() -> list[bytes]:
    return [example.encode() for example in re.findall(r"```yaml\n(.*?)```", text_of(README), re.DOTALL)]


def test_the_readme_lists_all_settings_and_no_other():
    files = (
        "settings.py",
        "forges/gitlab/settings.py",
        "forges/github/settings.py",
        "engines/kubeflow_settings.py",
        "serving/kserve_settings.py",
    )
    code = "".join(text_of(CHECKOUT / "bot" / name) for name in files)
    section = text_of(README).partition("## Settings")[2].partition("\n## ")[0]
    table = "\n".join(line for line in section.splitlines() if line.startswith("|"))

    documented, read = (
        {name.removesuffix("_FILE") for name in re.findall(r"MLOPS_BOT_[A-Z_]+", text)} for text in (table, code)
    )
    assert documented == read


def test_the_readme_names_all_commands_of_comments_and_of_the_terminal():
    readme = text_of(README)

    assert [name for name in FORMS if f"`/{name}" not in readme] == []
    assert [name for name in COMMANDS if not re.search(rf"(mlops-bot|make) {name}\b", readme)] == []


def test_every_command_that_is_understood_is_carried_out():
    carried_out = {command.__name__.lower() for command in CARRY_OUT}

    assert carried_out == {name.replace("-", "") for name in FORMS}


def test_the_code_map_has_a_line_for_every_module():
    listed = re.findall(r"^- \[`[^`]+`\]\(([^)]+)\): .+", text_of(CODE_MAP), re.MULTILINE)
    expected = [module.removeprefix("bot/") if module.startswith("bot/") else f"../{module}" for module in modules()]

    assert sorted(listed) == sorted(expected), "run `make map`, and commit bot/README.md"


def test_the_code_map_can_be_written_from_what_modules_say_of_themselves():
    lines = [line for line in code_map().splitlines() if line.startswith("- ")]

    assert [line for line in lines if not re.fullmatch(r"- \[`\w+\.py`\]\(\S+\): \S.*\S", line)] == []
