"""Versions: their numbers, their tags' names, and the lock that is made of a run and its result."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from gto.constants import tag_re
from gto.versions import SemVer
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.result import DataSummary, Metric, Result
from bot.domain.run import Phase, Run
from bot.domain.version import (
    FIRST,
    VersionLock,
    VersionNumber,
    assignment_tag,
    lock_of,
    next_number,
    parse_number,
    version_tag,
)
from tests.domain.examples import PROPERTY

numbers = st.builds(VersionNumber, *[st.integers(0, 99_999) | st.integers(0, 3)] * 3)


@PROPERTY
@given(numbers, numbers)
def test_numbers_are_read_as_written_and_ordered_as_gto_orders_them(one: VersionNumber, other: VersionNumber) -> None:
    assert parse_number(str(one)) == one
    assert (one < other) == (SemVer(str(one)) < SemVer(str(other)))


@PROPERTY
@given(numbers, st.booleans(), st.booleans())
def test_the_next_number_is_higher_and_one_step_away(newest: VersionNumber, code_changed: bool, major: bool) -> None:
    following = next_number(newest, code_changed=code_changed, major=major)

    step = "major" if major else "minor" if code_changed else "patch"
    assert following > newest
    assert str(following) == str(getattr(SemVer(str(newest)), f"bump_{step}")().version)


def test_the_first_number_is_1_0_0_whatever_changed() -> None:
    assert {next_number(None, code_changed=code, major=major) for code in (True, False) for major in (True, False)} == {
        FIRST
    }


@pytest.mark.parametrize(
    "text", ["", "v1", "v1.2", "1.2.3.4", "v01.2.3", "v1.2.3-rc.1", "v1.2.3+x", "V1.2.3", "v-1.0.0"]
)
def test_what_is_no_number_of_ours_is_none(text: str) -> None:
    assert parse_number(text) is None


def test_tags_have_gtos_format() -> None:
    tags = [
        version_tag("breast-cancer", VersionNumber(1, 3, 0)),
        assignment_tag("breast-cancer", "production", 4),
        assignment_tag("breast-cancer", "production", 0),
    ]

    assert tags == ["breast-cancer@v1.3.0", "breast-cancer#production#4", "breast-cancer#production"]
    assert all(tag_re.match(tag) for tag in tags)


NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
RUN = Run(
    id="run-1", key="k" * 64, trigger="push:x", repository="plain/models", number=3, branch="better", model="churn",
    pipeline="train", sha="a" * 40, requested_by="alice", requested_at=NOON, phase=Phase.SUCCEEDED,
    params={"depth": 3}, gates=("auc >= 0.9",),
    arguments={
        "model_path": "models/churn", "data_address": "https://ada:s3cr3t-word@host/d.git", "data_sha": "b" * 40,
        "data_path": "churn.csv", "split": {"test": 0.2, "seed": 1}, "environment": {"python": "3.11"},
        "lineage": {"run_key": "k" * 64, "pipeline_version": "p1"},
    },
)  # fmt: skip
RESULT = Result(
    run_id="forged", run_key="forged", pipeline="train", pipeline_version="forged", repository="forged", sha="forged",
    model="forged", state="succeeded", params={"forged": 1}, split={"forged": 1},
    data=DataSummary("forged", "forged", "forged", "e" * 64, 1, 10, rows=7),
    metrics={"auc": Metric(0.91)}, model_digest="d" * 64, model_size_bytes=99,
)  # fmt: skip


def test_a_lock_takes_from_the_result_only_what_the_run_alone_can_know_and_no_secrets() -> None:
    made = lock_of(
        RUN, RESULT, serve="sklearn", number=FIRST, trained_by="run-0", artifacts="file:///runs/run-0",
        code_digest="c" * 64, waived=("auc >= 0.95: known (bob)",),
    )  # fmt: skip

    assert made == VersionLock(
        model="churn", number=FIRST, sha="a" * 40, run_id="run-0", run_key="k" * 64, pipeline_version="p1",
        artifacts="file:///runs/run-0", model_digest="d" * 64, model_size_bytes=99, code_digest="c" * 64,
        model_path="models/churn", serve="sklearn", data_address="https://***@host/d.git", data_sha="b" * 40,
        data_path="churn.csv", data_digest="e" * 64, data_rows=7, params={"depth": 3},
        split={"test": 0.2, "seed": 1}, environment={"python": "3.11"}, metrics={"auc": Metric(0.91)},
        gates=("auc >= 0.9",), waived=("auc >= 0.95: known (bob)",),
    )  # fmt: skip


def test_a_run_without_data_gives_a_lock_without() -> None:
    run = replace(RUN, arguments={**RUN.arguments, "data_address": "", "data_sha": "", "data_path": ""})

    made = lock_of(
        run, replace(RESULT, data=None), serve="", number=FIRST, trained_by="run-1", artifacts="", code_digest=""
    )

    assert (made.data_address, made.data_sha, made.data_path, made.data_digest, made.data_rows) == (
        "",
        "",
        "",
        "",
        None,
    )
