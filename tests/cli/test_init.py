"""`mlops-bot init`"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from bot.cli import main
from bot.project_file import load_project
from pipelines.steps.environment import prepare_environment
from pipelines.steps.world import Folders, world
from schemas import schema_bytes

STARTER = [
    ".gitignore",
    "data/flowers.csv",
    "evaluate.py",
    "mlops.schema.json",
    "mlops.yaml",
    "requirements.txt",
    "train.py",
    "world.py",
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which the command runs."""
    folder = tmp_path / "Churn Models"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def init(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["mlops-bot", "init", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def make(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def files_of(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_where_there_is_nothing_a_whole_project_is_written(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(monkeypatch) == 0

    assert files_of(here) == STARTER
    assert (
        capsys.readouterr().out
        == """\
Found:
  no training script (train.py) and no dvc.yaml, so this is a small project to start from
Wrote:
  .gitignore
  data/flowers.csv
  evaluate.py
  mlops.schema.json
  mlops.yaml
  requirements.txt
  train.py
  world.py
Next:
  mlops-bot validate
  git init && git add . && git commit -m 'First model'
  mlops-bot run train
"""
    )


def test_a_new_folder_is_made_and_named_in_what_comes_next(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(monkeypatch, "my models/new") == 0

    assert files_of(here / "my models" / "new") == STARTER
    assert "cd 'my models/new' && mlops-bot run train\n" in capsys.readouterr().out


def test_the_starter_trains_and_meets_its_gates_in_a_steps_world(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv")))
    init(monkeypatch)
    model = load_project((here / "mlops.yaml").read_bytes()).models[0]
    folders = Folders(*(tmp_path / name for name in ("data", "model", "output", "scratch")))
    for folder in (folders.data, folders.model, folders.output, folders.scratch):
        folder.mkdir()
    (folders.data / "flowers.csv").write_bytes((here / "data" / "flowers.csv").read_bytes())
    wanted = {"python": model.environment.python, "requirements": model.environment.requirements}
    venv = prepare_environment(
        wanted, model_folder=here, checkout=here, cache=tmp_path / "cache", scratch=folders.scratch, say=print
    )
    assert model.split is not None
    assert model.evaluate is not None

    for step in (model.train, model.evaluate):
        environment = world(
            folders=folders,
            params={name: fragment["default"] for name, fragment in model.params.items()},
            split={"test": model.split.test, "seed": model.split.seed},
            declared=model.env,
            secrets={},
            venv=venv,
        )
        subprocess.run(["/bin/sh", "-c", step.run], cwd=here, env=environment, check=True)

    metrics = json.loads((folders.output / "metrics.json").read_text())
    rows = (folders.output / "plots" / "confusion_matrix.csv").read_text().splitlines()
    assert metrics["accuracy"] >= model.gates[0].number == 0.9
    assert (rows[0], len(rows)) == ("actual,predicted", 1 + 45)
    assert [file.name for file in folders.model.iterdir()] == ["model.joblib"]


def test_a_monorepo_gets_a_model_for_each_training_script(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / ".git").mkdir()
    make(
        here,
        {
            "requirements.txt": "scikit-learn\n",
            ".python-version": "3.11.7\n",
            "models/Churn_v2/src/train.py": "import os; os.environ['MLOPS_DATA_DIR']",
            "models/Churn_v2/src/evaluate.py": "import os; os.environ['MLOPS_MODEL_DIR']",
            "models/Churn_v2/data/churn.csv.dvc": "outs: []\n",
            "models/ltv/train.py": "print('trains')",
            "models/ltv/requirements.txt": "xgboost\n",
            "data/ltv.dvc": "outs: []\n",
            "tests/train.py": "",
            ".venv/lib/train.py": "",
        },
    )

    assert init(monkeypatch) == 0

    churn, ltv = load_project((here / "mlops.yaml").read_bytes()).models
    assert (churn.name, churn.path, churn.train.run) == ("churn-v2", "models/Churn_v2", "python src/train.py")
    assert churn.evaluate is not None
    assert churn.evaluate.run == "python src/evaluate.py"
    assert churn.environment.requirements == "../../requirements.txt"
    assert churn.environment.python == "3.11"
    assert churn.data is not None
    assert churn.data.path == "models/Churn_v2/data/churn.csv"
    assert (ltv.name, ltv.evaluate, ltv.environment.requirements) == ("ltv", None, "requirements.txt")
    assert capsys.readouterr().out.splitlines() == [
        "Found:",
        (
            "  model `churn-v2`: `models/Churn_v2/src/train.py`, `models/Churn_v2/src/evaluate.py`; "
            "`requirements.txt`; data `models/Churn_v2/data/churn.csv`"
        ),
        "  model `ltv`: `models/ltv/train.py`; `models/ltv/requirements.txt`; data `data/ltv` and 1 more",
        "Wrote:",
        "  mlops.yaml",
        "  mlops.schema.json",
        "Before you go on:",
        (
            "  Let `models/ltv/train.py` read the data from $MLOPS_DATA_DIR, write the model to $MLOPS_MODEL_DIR, and "
            'metrics.json to $MLOPS_OUTPUT_DIR, for example {"accuracy": 0.97}.'
        ),
        "Next:",
        "  mlops-bot validate",
        "  mlops-bot run train",
    ]


def test_one_model_is_explained_line_by_line(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(here, {"train.py": "", "evaluate.py": "", "requirements.txt": "", "data/a.csv": "x\n", "data/b.csv": "x\n"})

    init(monkeypatch)

    assert (
        (here / "mlops.yaml").read_text()
        == """\
# yaml-language-server: $schema=./mlops.schema.json
# What mlops-bot trains, evaluates and deploys from this repository. Check it with `mlops-bot validate`.
version: 1

# Without `on:`, pushes to the default branch train, and so does each change (pull request, merge request, branch).
# on:
#   push: [main, "release/*"]
#   change: true

models:
  churn-models:
    path: .  # only changes below it train this model
    # watch: ["libs/**"]  # and changes here
    data:
      path: data/a.csv  # in $MLOPS_DATA_DIR
      # path: data/b.csv
      # repo: ../datasets.git  # when it is in another repository
      # rev: v1
    # split: {test: 0.25, seed: 7}  # $MLOPS_SPLIT_TEST and $MLOPS_SPLIT_SEED
    environment:
      # python: "3.11"
      requirements: requirements.txt
    # params:  # what a comment may set, as in `/train churn-models n_estimators=400`
    #   n_estimators: {type: integer, default: 200, minimum: 10, maximum: 2000}
    train:
      run: python train.py  # writes the model to $MLOPS_MODEL_DIR
      timeout: 1h
      # resources: {cpu: "2", memory: 4Gi}
    evaluate:
      run: python evaluate.py  # writes metrics.json and plots/ to $MLOPS_OUTPUT_DIR
      # gates:  # what a result has to reach
      #   - accuracy >= 0.9
      #   - accuracy >= base - 0.01
"""
    )
    assert (here / "mlops.schema.json").read_bytes() == schema_bytes("mlops.schema.json")


def test_the_comments_become_valid_lines_when_their_marks_are_removed(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(here, {"train.py": ""})
    init(monkeypatch)
    lines = (here / "mlops.yaml").read_text().splitlines()

    explained = [line.replace("# ", "", 1) if line.lstrip().startswith("# ") else line for line in lines[3:]]
    text = "version: 1\n" + "\n".join(line for line in explained if not line.startswith("Without"))

    model = load_project(text.encode()).models[0]
    assert (model.watch, model.evaluate is not None, len(model.gates)) == (("libs/**",), True, 2)
    assert sorted(model.params) == ["n_estimators"]


def test_a_dvc_pipeline_is_run_as_one(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stages = "stages:\n  prepare: {cmd: python prepare.py}\n  train: {cmd: python train.py}\n"
    config = "[core]\n    remote = storage\n['remote \"storage\"']\n    url = /srv/dvc\n"
    pyproject = '[project]\nname = "x"\nversion = "1"\ndependencies = ["scikit-learn"]\n'
    make(here, {"train.py": "", "dvc.yaml": stages, ".dvc/config": config, "pyproject.toml": pyproject})

    assert init(monkeypatch) == 0

    model = load_project((here / "mlops.yaml").read_bytes()).models[0]
    assert (model.train.run, model.evaluate, model.path) == ("dvc repro --pull", None, ".")
    assert model.environment.requirements == "pyproject.toml"


def test_a_script_in_a_package_is_run_as_its_module(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(here, {"src/churn/__init__.py": "", "src/churn/steps/__init__.py": "", "src/churn/steps/train.py": ""})

    assert init(monkeypatch) == 0

    model = load_project((here / "mlops.yaml").read_bytes()).models[0]
    assert (model.path, model.train.run, model.env) == (".", "python -m churn.steps.train", {"PYTHONPATH": "src"})


def test_names_that_yaml_or_the_shell_could_misread_are_quoted(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(here, {"my 'models' #1: x/train.py": "", "2024/train.py": "", "a/b/train.py": "", "c/b/train.py": ""})

    assert init(monkeypatch) == 0

    models = load_project((here / "mlops.yaml").read_bytes()).models
    assert [(model.name, model.path) for model in models] == [
        ("2024", "2024"),
        ("a-b", "a/b"),
        ("c-b", "c/b"),
        ("my-models-1-x", "my 'models' #1: x"),
    ]


def test_nothing_that_is_there_is_overwritten_but_with_force(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make(here, {"mlops.yaml": "mine\n", "requirements.txt": "mine\n", ".gitignore": "mine\n"})

    assert init(monkeypatch) == 2
    assert capsys.readouterr().err == (
        "error: mlops.yaml is there already.\n"
        "  fix: Check it with `mlops-bot validate .`, or replace it with `--force`.\n"
    )
    assert files_of(here) == [".gitignore", "mlops.yaml", "requirements.txt"]

    assert init(monkeypatch, "--force") == 0
    assert (
        "Before you go on:\n"
        "  Left alone, because they were here: `.gitignore`, `requirements.txt`.\n"
        "  The scripts need scikit-learn in requirements.txt.\n"
    ) in capsys.readouterr().out
    assert load_project((here / "mlops.yaml").read_bytes()).models
    assert [(here / name).read_text() for name in ("requirements.txt", ".gitignore")] == ["mine\n", "mine\n"]


def test_a_link_is_not_written_through(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "mlops.yaml").symlink_to(tmp_path / "elsewhere.yaml")

    assert init(monkeypatch) == 2

    assert "mlops.yaml is there already" in capsys.readouterr().err
    assert not (tmp_path / "elsewhere.yaml").exists()


def test_a_folder_of_a_repository_is_sent_to_its_root(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / ".git").mkdir()
    make(here, {"models/churn/train.py": ""})

    assert init(monkeypatch, "models/churn") == 2

    assert capsys.readouterr().err == (
        f"error: models/churn is a folder of the repository {here}, and mlops.yaml belongs in a repository's root.\n"
        f"  fix: Run `mlops-bot init '{here}'`, which finds models in folders. Or `git init` first, if this is to be "
        "a repository of its own.\n"
    )
