"""Data at a commit: from DVC's folder remote, through DVC itself, or from git; cached by content."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from bot.domain.result import ColumnSummary, Result
from tests.pipelines.kit import (
    GOOD_EVALUATE,
    GOOD_TRAIN,
    DataRepository,
    Workshop,
    commit,
    git,
    run_dvc_script,
)

LIST_DATA = """\
import os
from pathlib import Path
root = Path(os.environ["MLOPS_DATA_DIR"])
for file in sorted(root.rglob("*")):
    if file.is_file():
        print("data", file.relative_to(root), file.read_text())
Path(os.environ["MLOPS_MODEL_DIR"], "m").write_text("m")
"""


def seen_data(result: Result) -> list[str]:
    return [line for line in result.steps[1].log_tail if line.startswith(("data", "1,", "3,"))]


def test_a_table_is_summarised_and_named_by_its_md5(shop: Workshop, data: DataRepository):
    shop.write()
    shop.use_data(data, "table.csv")

    summary = shop.run().data

    assert summary is not None
    assert (summary.repository, summary.sha, summary.path) == (data.address, data.sha, "table.csv")
    assert summary.digest.startswith("md5:")
    assert (summary.files, summary.size_bytes, summary.rows) == (1, 26, 2)
    assert summary.columns == (
        ColumnSummary("x", 0, 2.0, pytest.approx(1.41421356)),
        ColumnSummary("y", 1, 2.5, None),
        ColumnSummary("name", 0, None, None),
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("images", ["data one.txt one", "data sub/two.txt two"]),
        ("images/sub", ["data two.txt two"]),
        ("images/one.txt", ["data one.txt one"]),
        ("./images/sub/../one.txt", ["data one.txt one"]),
        ("plain.csv", ["data plain.csv a", "1"]),
    ],
)
def test_the_data_folder_holds_what_the_path_names(
    shop: Workshop, data: DataRepository, path: str, expected: list[str]
):
    shop.write(train=LIST_DATA)
    shop.use_data(data, path)

    result = shop.run()

    assert result.state == "succeeded"
    assert [line for line in result.steps[1].log_tail if line in expected] == expected


def test_the_second_run_needs_neither_the_repository_nor_the_remote(shop: Workshop, data: DataRepository):
    shop.write(train=LIST_DATA)
    shop.use_data(data, "table.csv")
    first = shop.run()
    shutil.rmtree(data.folder)

    second = shop.run()

    assert second.state == "succeeded"
    assert second.data == first.data
    assert second.steps[0].log_tail[-1].endswith("from this machine's cache.")


def test_training_that_writes_to_its_data_changes_neither_the_cache_nor_the_evaluation(
    shop: Workshop, data: DataRepository
):
    vandal = 'import os\nopen(os.environ["MLOPS_DATA_DIR"] + "/table.csv", "w").write("gone")\n' + LIST_DATA
    shop.write(
        train=vandal,
        evaluate=LIST_DATA + GOOD_EVALUATE,
    )
    shop.use_data(data, "table.csv")

    first, second = shop.run(), shop.run()

    for result in (first, second):
        assert "data table.csv gone" in result.steps[1].log_tail
        assert "data table.csv x,y,name" in result.steps[2].log_tail


def test_a_cache_entry_that_somebody_changed_is_fetched_again(shop: Workshop, data: DataRepository):
    shop.write(train=LIST_DATA)
    shop.use_data(data, "table.csv")
    shop.run()
    (cached,) = (shop.folder / "cache" / "data").glob("md5-*/files/table.csv")
    assert stat.S_IMODE(cached.stat().st_mode) == 0o444
    cached.chmod(0o644)
    cached.write_text("changed")

    result = shop.run()

    assert "data table.csv x,y,name" in result.steps[1].log_tail


def test_large_data_are_handed_over_as_read_only_links(
    shop: Workshop, data: DataRepository, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pipelines.steps.data_cache.COPY_LIMIT_BYTES", 10)
    shop.write()
    shop.use_data(data, "table.csv")

    assert shop.run().state == "succeeded"

    (cached,) = (shop.folder / "cache" / "data").glob("md5-*/files/table.csv")
    handed = shop.folder / "work" / "train" / "data" / "table.csv"
    assert handed.samefile(cached)
    assert stat.S_IMODE(handed.stat().st_mode) == 0o444


def test_data_that_only_dvc_can_tell_are_pulled_with_dvc(shop: Workshop, data: DataRepository):
    """A folder of git with `.dvc` files in it: DVC gathers it."""
    (data.source / "tables").mkdir()
    (data.source / "tables" / "a.csv").write_text("a\n1\n")
    run_dvc_script(data.source, "from dvc.repo import Repo\nrepo = Repo()\nrepo.add('tables/a.csv')\nrepo.push()\n")
    data.commit({"tables/notes.txt": "notes"})
    shop.write(train=LIST_DATA)
    shop.use_data(data, "tables")

    result = shop.run()

    assert (result.state, result.failure) == ("succeeded", None)
    assert [line for line in result.steps[1].log_tail if line.startswith("data")] == [
        "data a.csv a",
        "data notes.txt notes",
    ]
    assert result.data is not None
    assert result.data.digest.startswith("dvc:")


def test_outputs_of_a_dvc_pipeline_are_found_in_its_lock_file(shop: Workshop, data: DataRepository):
    lock = (data.source / "table.csv.dvc").read_text()
    md5 = lock.split("md5: ")[1].split()[0]
    out = f"{{path: made.csv, hash: md5, md5: {md5}}}"
    data.commit({"dvc.lock": f"schema: '2.0'\nstages:\n  make:\n    cmd: x\n    outs: [{out}]\n"})
    shop.write(train=LIST_DATA)
    shop.use_data(data, "made.csv")

    result = shop.run()

    assert result.state == "succeeded"
    assert "data made.csv x,y,name" in result.steps[1].log_tail


def test_data_of_the_models_own_repository_also_lie_where_dvc_repro_looks(shop: Workshop, tmp_path: Path):
    (shop.repository).mkdir()
    git(shop.repository, "init", "--quiet")
    (shop.repository / "own.csv").write_text("a,b\n1,2\n")
    run_dvc_script(
        shop.repository,
        "from dvc.repo import Repo\nrepo = Repo.init()\nrepo.add('own.csv')\n",
    )
    shop.write(
        {
            "dvc.yaml": "stages:\n  train:\n    cmd: python models/churn/train.py\n    deps: [own.csv]\n",
        },
        train='print("own", open("own.csv").read())\n' + GOOD_TRAIN,
    )
    sha = shop.arguments["sha"]

    result = shop.run(
        model_path=".",
        data_address=str(shop.repository),
        data_sha=sha,
        data_path="own.csv",
        train={"run": "dvc repro", "timeout_s": 60},
        evaluate={"run": "python models/churn/evaluate.py", "timeout_s": 60},
    )

    assert (result.state, result.failure) == ("succeeded", None)
    assert "own a,b" in result.steps[1].log_tail
    assert result.data is not None
    assert result.data.rows == 1


def test_an_empty_data_folder_is_given_where_no_data_are_declared(shop: Workshop):
    shop.write(train=LIST_DATA + "print('entries', os.listdir(root))\n")

    result = shop.run()

    assert result.data is None
    assert "entries []" in result.steps[1].log_tail


def test_a_submodule_free_commit_of_another_branch_is_reached_by_its_sha(shop: Workshop, data: DataRepository):
    """A change's head is on no advertised branch once the branch is gone."""
    old = data.sha
    commit(data.source, {"table2.csv": "a\n"})
    git(data.source, "push", "--quiet", data.address, "HEAD:main")
    shop.write()
    shop.use_data(data, "table.csv")

    assert shop.run(data_sha=old).state == "succeeded"
