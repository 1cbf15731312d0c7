"""One environment for each content of the requirements, built once with uv."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bot.domain.result import FailureKind, Frame
from tests.pipelines.kit import GOOD_TRAIN, Workshop, failure_of

USE_TINY = "import tiny, sys\nprint('tiny', tiny.VERSION, sys.prefix)\n" + GOOD_TRAIN
WITH_REQUIREMENTS = {"python": "", "requirements": "requirements.txt", "image": ""}


@pytest.fixture
def wheels(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = shop.folder / "wheels"
    folder.mkdir()
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    for version in ("1.0", "2.0"):
        with zipfile.ZipFile(folder / f"tiny-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr("tiny.py", f"VERSION = '{version}'\n")
            info = f"tiny-{version}.dist-info"
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
    return folder


def environments(shop: Workshop) -> list[Path]:
    return [path for path in (shop.folder / "cache" / "environments").iterdir() if path.is_dir()]


@pytest.mark.usefixtures("wheels")
def test_runs_with_the_same_requirements_share_one_environment(shop: Workshop):
    shop.write({"models/churn/requirements.txt": "tiny==1.0  # a comment\n"}, train=USE_TINY)

    first = shop.run(environment=WITH_REQUIREMENTS)
    second = shop.run(environment=WITH_REQUIREMENTS)

    (environment,) = environments(shop)
    assert f"tiny 1.0 {environment}" in first.steps[1].log_tail
    assert first.steps[1].log_tail[0].startswith("Building an environment with Python 3.")
    assert second.steps[1].log_tail[0] == "$ python train.py"
    assert (environment / ".last-used").exists()


@pytest.mark.usefixtures("wheels")
def test_a_change_in_a_file_that_the_requirements_name_makes_another_environment(shop: Workshop):
    shop.write({"models/churn/requirements.txt": "-r ../../base.txt\n", "base.txt": "tiny==1.0\n"}, train=USE_TINY)
    shop.run(environment=WITH_REQUIREMENTS)
    shop.write({"base.txt": "tiny==2.0\n"}, train=USE_TINY)

    result = shop.run(environment=WITH_REQUIREMENTS)

    assert any(line.startswith("tiny 2.0") for line in result.steps[1].log_tail)
    assert len(environments(shop)) == 2


def test_requirements_that_cannot_be_installed_are_told_with_uvs_reason_and_their_line(shop: Workshop):
    shop.write({"models/churn/requirements.txt": "# what we need\n\nnosuchpackage==9.9\n"})

    failure = failure_of(shop.run(environment=WITH_REQUIREMENTS))

    assert (failure.step, failure.kind) == ("train", FailureKind.REQUIREMENTS)
    first, _, words = failure.message.partition("\n")
    assert first == (
        "The requirements cannot be installed (models/churn/requirements.txt line 3, `nosuchpackage==9.9`):"
    )
    assert "nosuchpackage was not found" in words
    assert failure.frames == (Frame("models/churn/requirements.txt", 3),)
    assert environments(shop) == []


def test_a_requirements_file_that_is_not_there_is_named(shop: Workshop):
    shop.write()

    failure = failure_of(shop.run(environment=WITH_REQUIREMENTS))

    assert (failure.kind, failure.message) == (
        FailureKind.REQUIREMENTS,
        "There is no requirements file `requirements.txt` in the model's folder.",
    )


def test_a_python_that_is_not_there_is_named(shop: Workshop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    shop.write()

    failure = failure_of(shop.run(environment={"python": "3.99", "requirements": "", "image": ""}))

    assert failure.kind is FailureKind.REQUIREMENTS
    assert failure.message.startswith("There is no Python 3.99 for this model: ")


def test_a_package_of_the_repository_itself_is_installed_for_this_step_alone(shop: Workshop, wheels: Path):
    vendored = shop.repository / "models" / "churn" / "vendor"
    vendored.mkdir(parents=True)
    shutil.copy(wheels / "tiny-2.0-py3-none-any.whl", vendored)
    shop.write({"models/churn/requirements.txt": "./vendor/tiny-2.0-py3-none-any.whl\n"}, train=USE_TINY)

    result = shop.run(environment=WITH_REQUIREMENTS)

    assert f"tiny 2.0 {shop.folder}/work/train/environment" in result.steps[1].log_tail
    assert not (shop.folder / "cache" / "environments").exists()


def test_an_image_is_refused_where_there_are_no_containers(shop: Workshop):
    shop.write()

    failure = failure_of(shop.run(environment={"python": "", "requirements": "", "image": "acme/gpu:1"}))

    assert failure.kind is FailureKind.REQUIREMENTS
    assert failure.message == "The model wants the image `acme/gpu:1`, and images run on a cluster only."


@pytest.mark.usefixtures("wheels")
def test_a_half_built_environment_is_built_anew(shop: Workshop):
    shop.write({"models/churn/requirements.txt": "tiny==1.0\n"}, train=USE_TINY)
    shop.run(environment=WITH_REQUIREMENTS)
    (environment,) = environments(shop)
    (environment / ".complete").unlink()
    (environment / "bin" / "python").unlink()

    assert shop.run(environment=WITH_REQUIREMENTS).state == "succeeded"
    assert environments(shop) == [environment]


@pytest.mark.usefixtures("wheels")
def test_two_runs_that_need_the_same_environment_build_it_once(shop: Workshop):
    requirements = shop.folder / "requirements.txt"
    requirements.write_text("tiny==1.0\n")
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from pipelines.steps.environment import prepare_environment\n"
        "folder = Path(sys.argv[1])\n"
        "prepare_environment({'requirements': 'requirements.txt'}, model_folder=folder, checkout=folder,\n"
        "    cache=folder / 'cache', scratch=folder / 'scratch', say=lambda line: print(line, flush=True))\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", script, str(shop.folder)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]

    said = [process.communicate(timeout=60)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert "".join(said).count("Building an environment") == 1
