"""Data that can not be had: the revision, the path or the remote is named, with what to do."""

from __future__ import annotations

import shutil

import pytest

from bot.domain.result import FailureKind
from tests.pipelines.kit import DataRepository, Workshop, failure_of


def test_a_path_that_does_not_exist_fails_at_fetch_with_the_nearest_match(shop: Workshop, data: DataRepository):
    shop.write()
    shop.use_data(data, "tabel.csv")

    result = shop.run()

    failure = failure_of(result)
    assert (failure.step, failure.kind) == ("fetch", FailureKind.DATA)
    assert failure.message == (
        f"There is no data `tabel.csv` at {data.sha[:12]} of {data.address}: neither in git nor tracked by DVC."
    )
    assert failure.fix == "Did you mean `table.csv`?"
    assert result.data is None


def test_a_revision_that_does_not_exist_is_named(shop: Workshop, data: DataRepository):
    shop.write()
    shop.use_data(data, "table.csv")

    failure = failure_of(shop.run(data_sha="f" * 40))

    assert failure.kind is FailureKind.DATA
    assert failure.message == f"The data revision ffffffffffff is not in {data.address}."


def test_a_data_repository_that_can_not_be_reached_is_named_without_its_password(shop: Workshop):
    shop.write()

    failure = failure_of(
        shop.run(data_address="file://user:hunter22@localhost/nowhere", data_sha="f" * 40, data_path="x")
    )

    assert failure.kind is FailureKind.DATA
    assert failure.message.startswith(
        "The data repository file://***@localhost/nowhere could not be read at ffffffffffff"
    )
    assert "hunter22" not in (shop.prefix / "result.json").read_text() + shop.log("fetch")


def test_a_remote_that_is_unreachable_is_named(shop: Workshop, data: DataRepository):
    shop.write()
    shop.use_data(data, "table.csv")
    shutil.rmtree(data.remote)

    failure = failure_of(shop.run())

    assert failure.kind is FailureKind.DATA
    assert failure.message == (
        f"The DVC remote `storage` (../../remote) of data `table.csv` at {data.sha[:12]} of {data.address} "
        "can not be reached: there is no such folder."
    )


def test_a_remote_that_was_never_pushed_to_is_told_so(shop: Workshop, data: DataRepository):
    shop.write()
    shop.use_data(data, "images")
    shutil.rmtree(data.remote / "files")

    failure = failure_of(shop.run())

    assert failure.message.startswith("The DVC remote `storage` (../../remote) does not hold data `images` at ")
    assert failure.fix == "Run `dvc push` in the data repository."


def test_damaged_data_are_refused(shop: Workshop, data: DataRepository):
    shop.write()
    shop.use_data(data, "table.csv")
    for stored in data.remote.rglob("*"):
        if stored.is_file():
            stored.chmod(0o644)
            stored.write_text("damaged")

    failure = failure_of(shop.run())

    assert failure.kind is FailureKind.DATA
    assert " is damaged in " in failure.message
    assert not list((shop.folder / "cache" / "data").glob("md5-*/entry.json"))


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", ".git/config", "a\0b"])
def test_a_data_path_that_leads_out_is_refused(shop: Workshop, data: DataRepository, path: str):
    shop.write()
    shop.use_data(data, path)

    failure = failure_of(shop.run())

    assert failure.message == f"The data path `{path}` leads out of the data repository."


def test_a_link_in_the_data_repository_is_not_followed(shop: Workshop, data: DataRepository):
    (data.source / "passwords").symlink_to("/etc/passwd")
    data.commit({})
    shop.write()
    shop.use_data(data, "passwords")

    assert failure_of(shop.run()).message.startswith("There is no data `passwords`")


def test_dvcs_own_reason_is_told_when_it_can_not_pull(shop: Workshop, data: DataRepository):
    config = data.source / ".dvc" / "config"
    config.write_text(config.read_text().replace("../../remote", "s3://bucket/prefix"))
    data.commit({})
    shop.write()
    shop.use_data(data, "table.csv")

    failure = failure_of(shop.run())

    assert failure.kind is FailureKind.DATA
    assert "could not be pulled from the DVC remote `storage` (s3://bucket/prefix): " in failure.message
