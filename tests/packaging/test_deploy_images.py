"""The images' recipes: linted, pinned, complete. Nothing is built here: that needs a container runtime."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bot.settings import DEFAULT_PORT
from tests.packaging.kustomize import CHECKOUT, OVERLAYS, container, pod_spec, the, tool
from tests.web.kit import open_workplace, served

IMAGES = CHECKOUT / "deploy" / "images"
BOT, RUNNER = IMAGES / "bot.Dockerfile", IMAGES / "runner.Dockerfile"
recipes = pytest.mark.parametrize("recipe", [BOT, RUNNER], ids=lambda path: path.stem)
IN_A_MODELS_OWN_ENVIRONMENT = "pipelines/serving/server"

# imports each module with all refused that the image would not have; gives what was missing
IMPORT_ALL = """
import importlib, importlib.abc, json, sys
modules, refused = json.load(sys.stdin)
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in refused:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)
sys.meta_path.insert(0, Refuse())
missing = {}
for module in modules:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing[module] = str(error)
print(json.dumps(missing))
"""


def instructions(recipe: Path) -> list[tuple[str, str]]:
    """Names, and what follows them, with lines joined and comments left out."""
    lines = [line for line in recipe.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def of(recipe: Path, name: str) -> list[str]:
    return [rest for each, rest in instructions(recipe) if each == name]


def final_environ(recipe: Path) -> dict[str, str]:
    return dict(word.split("=", 1) for word in shlex.split(of(recipe, "ENV")[-1]))


@recipes
def test_the_linter_finds_nothing(recipe: Path):
    done = subprocess.run([tool("hadolint"), "--no-color", recipe], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_linter_would_find_something(tmp_path: Path):
    careless = tmp_path / "Dockerfile"
    careless.write_text("FROM python:latest\nRUN pip install dvc\n", encoding="utf-8")

    done = subprocess.run([tool("hadolint"), "--no-color", careless], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert {"DL3007", "DL3013"} <= set(re.findall(r"DL\d+", done.stdout))


@recipes
def test_both_stages_stand_on_one_base_that_is_named_and_can_be_pinned(recipe: Path):
    (base,) = of(recipe, "ARG")

    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.1[1-3]-slim-\w+", base)
    assert of(recipe, "FROM") == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]


@recipes
def test_what_is_installed_is_pinned_by_the_lock_file(recipe: Path):
    installs = [part for rest in of(recipe, "RUN") for part in re.split(r"&&", rest) if "pip install" in part]

    assert installs
    assert [part for part in installs if not re.search(r"--constraints? constraints\.txt", part)] == []


@recipes
def test_what_is_copied_is_there_and_let_through_to_the_build(recipe: Path):
    let_through = {line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [rest.split()[:-1] for rest in of(recipe, "COPY") if not rest.startswith("--from=")]

    sources = {source for each in copied for source in each}
    assert sources
    assert {source for source in sources if not (CHECKOUT / source).exists()} == set()
    assert sources <= let_through


def test_nothing_else_is_let_through_to_the_build():
    rules = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {source for recipe in (BOT, RUNNER) for rest in of(recipe, "COPY") for source in rest.split()[:-1]}

    assert next(rule for rule in rules if not rule.startswith("#")) == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == {
        source for source in copied if not source.startswith(("--from", "/"))
    }


@recipes
def test_processes_are_of_a_user_with_a_fixed_number_and_write_to_its_home_alone(recipe: Path):
    environ = final_environ(recipe)

    assert of(recipe, "USER") == ["10001:10001"]
    assert "useradd --uid 10001 --gid 10001" in of(recipe, "RUN")[-1]
    assert environ["HOME"] in of(recipe, "RUN")[-1]
    assert environ["PYTHONDONTWRITEBYTECODE"] == "1"
    assert environ["PATH"] == "/opt/mlops-bot/bin:$PATH"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_manifests_run_the_bots_image_as_it_is_made(overlay: str):
    user, _, group = of(BOT, "USER")[0].partition(":")
    security = pod_spec(overlay)["securityContext"]
    environ = final_environ(BOT)

    assert (security["runAsUser"], security["runAsGroup"]) == (int(user), int(group))
    mounted = [mount["mountPath"] for mount in container(overlay)["volumeMounts"]]
    assert {environ["MLOPS_BOT_HOME"], environ["HOME"], "/tmp"} <= set(mounted)
    assert environ["MLOPS_BOT_PORT"] == of(BOT, "EXPOSE")[0] == str(DEFAULT_PORT)
    version = project()["project"]["version"]
    assert container(overlay)["image"] == f"registry.example.com/mlops-bot:{version}"
    runner = the(overlay, "ConfigMap")["data"]["MLOPS_BOT_KUBEFLOW_IMAGE"]
    assert runner == f"registry.example.com/mlops-bot-runner:{version}"
    assert "command" not in container(overlay)
    assert "args" not in container(overlay)


def test_the_bots_image_has_all_that_the_bot_can_use():
    (install,) = [rest for rest in of(BOT, "RUN") if "--requirements pyproject.toml" in rest]

    assert set(re.findall(r"--extra (\S+)", install)) == set(project()["project"]["optional-dependencies"])


def test_the_health_check_tells_a_service_that_answers_from_one_that_does_not(tmp_path: Path):
    command = json.loads(of(BOT, "HEALTHCHECK")[0].partition(" CMD ")[2])
    with open_workplace(tmp_path) as place:
        with served(place) as address:
            port = address.rpartition(":")[2]
            answering = health(command, port)
        silent = health(command, port)

    assert (answering, silent) == (0, 1)


def test_the_runners_image_has_what_the_steps_import_and_the_bot_is_not_in_it():
    here, in_image = tops(), installed_by("runner")
    at_home = {top for top, names in here.items() if names & in_image}
    refused = sorted({"bot", "tests", "schemas", *here} - at_home - {"pipelines"})
    assert {"kfp", "fsspec", "dvc", "dvc_s3", "s3fs", "uv", "yaml"} <= at_home

    script = [sys.executable, "-c", IMPORT_ALL]
    given = json.dumps([step_modules(), refused])
    done = subprocess.run(script, input=given, cwd=CHECKOUT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {}


def test_all_that_the_runners_image_installs_is_in_the_lock_file():
    locked = {line.partition("==")[0] for line in (CHECKOUT / "constraints.txt").read_text().splitlines()}

    assert installed_by("runner") - locked == set()


def test_a_given_access_token_is_not_in_what_a_container_puts_out(tmp_path: Path):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")}
    environ |= {"MLOPS_BOT_ACCESS_TOKEN": "token-of-this-test", "MLOPS_BOT_HOME": str(tmp_path), "MLOPS_BOT_PORT": "0"}

    command = [sys.executable, "-m", "bot.cli", "serve"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as service:
        assert service.stdout is not None
        first = service.stdout.readline()
        service.send_signal(signal.SIGTERM)
        rest, _ = service.communicate(timeout=30)

    assert re.fullmatch(r"mlops-bot is at http://127\.0\.0\.1:\d+\n", first)
    assert "token-of-this-test" not in rest
    assert service.returncode == 0, rest


def project() -> dict[str, Any]:
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))


def health(command: list[str], port: str) -> int:
    assert command[0] == "python"
    environ = {"MLOPS_BOT_PORT": port, "no_proxy": "*"}
    return subprocess.run([sys.executable, *command[1:]], env=environ, capture_output=True, check=False).returncode


def tops() -> dict[str, set[str]]:
    """What can be imported here, by its first name, to the distributions that brought it."""
    brought = metadata.packages_distributions()
    return {top: {canonicalize_name(name) for name in names} for top, names in brought.items()}


def installed_by(group: str) -> set[str]:
    """The distributions that a group of pyproject.toml brings, with all that they need."""
    found: set[tuple[str, str]] = set()
    waiting = [Requirement(text) for text in project()["dependency-groups"][group]]
    while waiting:
        requirement = waiting.pop()
        for extra in ("", *requirement.extras):
            key = canonicalize_name(requirement.name), extra
            if key not in found:
                found.add(key)
                waiting += needs(requirement.name, extra)
    return {name for name, _ in found}


def needs(name: str, extra: str) -> Iterator[Requirement]:
    for text in metadata.requires(name) or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def step_modules() -> list[str]:
    """Modules of pipelines, but for the code that a model's own environment runs."""
    paths = (path.relative_to(CHECKOUT).with_suffix("") for path in (CHECKOUT / "pipelines").rglob("*.py"))
    own = [path for path in paths if not path.as_posix().startswith(IN_A_MODELS_OWN_ENVIRONMENT)]
    return sorted(".".join(path.parts).removesuffix(".__init__") for path in own)
