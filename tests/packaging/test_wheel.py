"""The wheel works where there is no checkout: what the code opens is in it, and it finds itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest

from tests.journeys.workplace import EVALUATE, TRAIN

CHECKOUT = Path(__file__).parents[2]
NOT_SHIPPED = ("bot/README.md", "schemas/examples/")
PROJECT = """\
version: 1
models:
  churn:
    data: {path: table.csv}
    params: {threshold: {type: number, default: 0.4}}
    train: {run: python train.py}
    evaluate: {run: python evaluate.py, gates: [accuracy >= 0.8]}
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment that holds the wheel, and sees what the wheel depends on."""
    environment = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    command = ["-m", "uv", "pip", "install", "--offline", "--no-deps", "--python", str(python), str(wheel)]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    # A path file below a path file is not read, so the checkout's own, which an editable install makes, has no effect.
    packages = next(environment.glob("lib/python*/site-packages"))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return environment / "bin"


def clean_environ() -> dict[str, str]:
    ours = ("PYTHON", "MLOPS_", "GIT_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def run(command: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    env = clean_environ() | {"MLOPS_BOT_HOME": str(folder.parent / "home")}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)


def shipped(folder: str) -> set[str]:
    """Paths of the checkout's files that the wheel should hold."""
    paths = (path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / folder).rglob("*") if path.is_file())
    return {path for path in paths if "__pycache__" not in path and not path.startswith(NOT_SHIPPED)}


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel: Path):
    names = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert names == shipped("bot") | shipped("pipelines") | shipped("schemas")


def test_what_is_opened_by_its_path_is_in_the_wheel(wheel: Path):
    names = set(ZipFile(wheel).namelist())

    assert {
        "bot/comments/templates/model.md.j2",
        "bot/demo/data/breast_cancer.csv",
        "bot/demo/models_repository/mlops.yaml",
        "bot/demo/templates/starter/train.py",
        "bot/store/migrations/env.py",
        "bot/store/migrations/versions/0001_first_tables.py",
        "bot/web/static/vendor/htmx.min.js",
        "bot/web/templates/change.html",
        "pipelines/compiled/evaluate.yaml",
        "pipelines/compiled/train.yaml",
        "schemas/mlops.schema.json",
        "schemas/result.schema.json",
    } <= names


def test_the_licenses_of_what_others_wrote_come_with_it(wheel: Path):
    licenses = {name.partition("/licenses/")[2] for name in ZipFile(wheel).namelist() if "/licenses/" in name}

    assert licenses == {
        "LICENSE",
        "bot/web/static/vendor/htmx-ext-sse.LICENSE",
        "bot/web/static/vendor/htmx.LICENSE",
    }


def test_an_installed_wheel_runs_without_the_checkout(installed: Path, tmp_path: Path):
    script = "import bot, pipelines, schemas; print(*(m.__file__ for m in (bot, pipelines, schemas)), sep='\\n')"

    places = run([installed / "python", "-c", script], tmp_path)
    told = run([installed / "mlops-bot", "--help"], tmp_path)

    assert places.returncode == 0, places.stderr
    assert all(str(installed.parent) in place for place in places.stdout.splitlines()), places.stdout
    assert told.returncode == 0, told.stderr
    assert "Train, evaluate and deploy models by pushing a commit or writing a comment." in told.stdout


def test_an_installed_wheel_writes_a_project_that_it_finds_valid(installed: Path, tmp_path: Path):
    folder = tmp_path / "flowers"
    folder.mkdir()

    written = run([installed / "mlops-bot", "init"], folder)
    checked = run([installed / "mlops-bot", "validate"], folder)

    assert written.returncode == 0, written.stderr
    assert {path.name for path in folder.iterdir()} >= {"mlops.yaml", "mlops.schema.json", "train.py", "evaluate.py"}
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.startswith("mlops.yaml is valid: 1 model.")


def test_an_installed_wheel_trains_a_working_tree(installed: Path, tmp_path: Path):
    folder = tmp_path / "churn"
    folder.mkdir()
    for name, text in {
        "mlops.yaml": PROJECT,
        "train.py": TRAIN,
        "evaluate.py": EVALUATE,
        "table.csv": "a\n1\n",
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main"], cwd=folder, check=True)

    done = run([installed / "mlops-bot", "run", "train"], folder)

    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout


def test_an_installed_wheel_serves_its_pages(installed: Path, tmp_path: Path):
    command = [installed / "mlops-bot", "serve", "--port", "0", "--home", tmp_path / "home"]

    with subprocess.Popen(command, cwd=tmp_path, env=clean_environ(), stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        address = service.stdout.readline().split()[-1]
        with httpx.Client(follow_redirects=True, trust_env=False, timeout=30) as browser:
            page = browser.get(address)
            style = browser.get(page.url.join("/static/style.css"))
        service.send_signal(signal.SIGINT)
        rest, _ = service.communicate(timeout=30)

    assert page.status_code == 200, page.text
    assert "Repositories" in page.text
    assert style.headers["content-type"].startswith("text/css")
    assert service.returncode == 0, rest
