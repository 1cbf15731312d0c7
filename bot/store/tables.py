"""The tables, as the newest migration leaves them (a test compares).

`deliveries`, `runs`, `versions`, `deployments`, `feedback` and `repositories` are converged by the loop and share the
columns of `_loop`: a row is due when `next_check_at` has come and no lease holds it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from bot.store.columns import SERIAL, Moment, Name, Number, Words

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _loop() -> list[Column[Any]]:
    return [
        Column("next_check_at", Moment()),
        Column("leased_until", Moment()),
        Column("revision", BigInteger, nullable=False, default=0),
        Column("attempts", Integer, nullable=False, default=0),
        Column("last_error", Words(4_000), nullable=False, default=""),
    ]


def _loop_indexes(table: str) -> list[Index]:
    """Only rows that are planned or leased are in them, so those that rest cost nothing."""
    return [
        partial(f"ix_{table}_due", "next_check_at", where="next_check_at IS NOT NULL"),
        partial(f"ix_{table}_leased", "leased_until", where="leased_until IS NOT NULL"),
    ]


def partial(name: str, *columns: str | ColumnElement[Any], where: str, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


def _serial() -> Column[int]:
    return Column("seq", SERIAL, primary_key=True, autoincrement=True)


DELIVERIES = Table(
    "deliveries",
    METADATA,
    _serial(),
    Column("id", Name, nullable=False, unique=True),
    Column("forge", Name, nullable=False),
    Column("event", Name, nullable=False),
    Column("order_key", Name, nullable=False),
    Column("received_at", Moment(), nullable=False),
    *_loop(),
    Column("body", LargeBinary, nullable=False),
    *_loop_indexes("deliveries"),
    partial("ix_deliveries_order", "order_key", "seq", where="next_check_at IS NOT NULL"),
    partial("ix_deliveries_settled", "received_at", where="next_check_at IS NULL"),
    partial("ix_deliveries_given_up", "attempts", where="next_check_at IS NULL AND attempts > 0"),
    sqlite_autoincrement=True,  # never the number of a purged row again
)

REPOSITORIES = Table(
    "repositories",
    METADATA,
    Column("id", Name, primary_key=True),
    Column("clone_address", Words(4_000), nullable=False),
    Column("default_branch", Name, nullable=False),
    Column("watched_at", Moment(), nullable=False),
    *_loop(),
    *_loop_indexes("repositories"),
)

HEADS = Table(
    "heads",
    METADATA,
    Column("repository", Name, primary_key=True),
    Column("branch", Name, primary_key=True),
    Column("sha", Name, nullable=False),
)


def _change() -> list[Column[Any]]:
    return [
        Column("repository", Name, primary_key=True),
        Column("number", Number, primary_key=True, autoincrement=False),
        Column("title", Words(2_000), nullable=False),
        Column("author", Name, nullable=False),
        Column("source_branch", Name, nullable=False),
        Column("target_branch", Name, nullable=False),
        Column("head_sha", Name, nullable=False),
        Column("from_fork", Boolean, nullable=False),
        Column("state", Name, nullable=False),
        Column("opened_at", Moment(), nullable=False),
    ]


CHANGES = Table("changes", METADATA, *_change(), Index("ix_changes_state", "repository", "state", "number"))

RUNS = Table(
    "runs",
    METADATA,
    _serial(),
    Column("id", Name, nullable=False, unique=True),
    Column("key", Name, nullable=False),
    Column("trigger", Name, nullable=False),
    Column("repository", Name, nullable=False),
    Column("number", Number),
    Column("branch", Name, nullable=False),
    Column("model", Name, nullable=False),
    Column("pipeline", Name, nullable=False),
    Column("sha", Name, nullable=False),
    Column("requested_by", Name, nullable=False),
    Column("requested_at", Moment(), nullable=False),
    Column("phase", Name, nullable=False),
    Column("started_at", Moment()),
    Column("ended_at", Moment()),
    Column("reused_run", Name),
    Column("base_run", Name),
    Column("production_version", Name),
    Column("cancel_requested_by", Name),
    Column("superseded_by", Name),
    Column("force", Boolean, nullable=False),
    Column("has_metrics", Boolean, nullable=False),
    *_loop(),
    Column("inputs", Text, nullable=False),
    Column("result", Text),
    UniqueConstraint("key", "trigger"),
    *_loop_indexes("runs"),
    Index("ix_runs_recent", "requested_at"),
    Index("ix_runs_phase", "phase", "requested_at"),
    Index("ix_runs_repository", "repository", "requested_at"),
    partial("ix_runs_change", "repository", "number", "requested_at", where="number IS NOT NULL"),
    partial("ix_runs_branch", "repository", "branch", "model", "requested_at", where="number IS NULL"),
    sqlite_autoincrement=True,
)

FEEDBACK = Table(
    "feedback",
    METADATA,
    Column("id", Name, primary_key=True),
    Column("repository", Name, nullable=False),
    Column("number", Number),
    *_loop(),
    Column("wanted", Text, nullable=False),
    Column("shown", Text, nullable=False),
    *_loop_indexes("feedback"),
)

WAIVERS = Table(
    "waivers",
    METADATA,
    _serial(),
    Column("repository", Name, nullable=False),
    Column("number", Number, nullable=False),
    Column("model", Name, nullable=False),
    Column("gate", Words(4_000), nullable=False),
    Column("reason", Words(10_000), nullable=False),
    Column("granted_by", Name, nullable=False),
    Column("granted_at", Moment(), nullable=False),
    Column("expires_at", Moment(), nullable=False),
    Index("ix_waivers_change", "repository", "number"),
)

LEDGER = Table(
    "ledger",
    METADATA,
    _serial(),
    Column("at", Moment(), nullable=False),
    Column("actor", Name, nullable=False),
    Column("action", Name, nullable=False),
    Column("repository", Name, nullable=False),
    Column("subject", Words(4_000), nullable=False),
    Column("details", Text, nullable=False),
    Index("ix_ledger_repository", "repository", "seq"),
    sqlite_autoincrement=True,
)

VERSIONS = Table(
    "versions",
    METADATA,
    _serial(),
    Column("id", Name, nullable=False, unique=True),
    Column("repository", Name, nullable=False),
    Column("model", Name, nullable=False),
    Column("phase", Name, nullable=False),
    Column("commit_sha", Name, nullable=False),
    Column("at", Moment(), nullable=False),
    *_loop(),
    Column("details", Text, nullable=False),
    *_loop_indexes("versions"),
    Index("ix_versions_model", "repository", "model", "at"),
    sqlite_autoincrement=True,
)

ASSIGNMENTS = Table(
    "assignments",
    METADATA,
    Column("repository", Name, primary_key=True),
    Column("model", Name, primary_key=True),
    Column("environment", Name, primary_key=True),
    Column("serial", Number, primary_key=True, autoincrement=False),
    Column("commit_sha", Name, nullable=False),
    Column("made_by", Name, nullable=False),
    Column("at", Moment(), nullable=False),
    Column("deployment_id", Name, nullable=False),
)

DEPLOYMENTS = Table(
    "deployments",
    METADATA,
    _serial(),
    Column("id", Name, nullable=False, unique=True),
    Column("repository", Name, nullable=False),
    Column("model", Name, nullable=False),
    Column("environment", Name, nullable=False),
    Column("number", Number),
    Column("phase", Name, nullable=False),
    Column("requested_at", Moment(), nullable=False),
    Column("live_at", Moment()),
    Column("ended_at", Moment()),
    Column("pipeline_run", Name, nullable=False),
    Column("cancel_requested_by", Name),
    Column("forge_id", Name),
    Column("forge_shown", Name, nullable=False),
    *_loop(),
    Column("details", Text, nullable=False),
    *_loop_indexes("deployments"),
    Index("ix_deployments_place", "repository", "model", "environment", "requested_at"),
    Index("ix_deployments_phase", "phase", "requested_at"),
    partial("ix_deployments_change", "repository", "number", "requested_at", where="number IS NOT NULL"),
    partial(
        "uq_deployments_turn",
        "repository",
        "model",
        "environment",
        where="phase IN ('registering', 'deploying')",
        unique=True,
    ),
    sqlite_autoincrement=True,
)

APPROVALS = Table(
    "approvals",
    METADATA,
    _serial(),
    Column("deployment_id", Name, nullable=False),
    Column("source", Name, nullable=False),
    Column("person", Name, nullable=False),
    Column("at", Moment(), nullable=False),
    Column("decision", Name, nullable=False),
    Column("thing", Name, nullable=False),
    Column("reason", Words(10_000), nullable=False),
    UniqueConstraint("deployment_id", "source"),
    sqlite_autoincrement=True,
)

PLAIN_CHANGES = Table(
    "plain_changes",
    METADATA,
    *_change(),
    partial("uq_plain_changes_open", "repository", "source_branch", where="state = 'open'", unique=True),
)

PLAIN_POSTS = Table(
    "plain_posts",
    METADATA,
    _serial(),
    Column("repository", Name, nullable=False),
    Column("number", Number, nullable=False),
    Column("author", Name, nullable=False),
    Column("body", Words(1_100_000), nullable=False),
    Column("is_bot", Boolean, nullable=False),
    Column("created_at", Moment(), nullable=False),
    Column("updated_at", Moment(), nullable=False),
    Column("reactions", Text, nullable=False),
    Index("ix_plain_posts_change", "repository", "number", "seq"),
    sqlite_autoincrement=True,
)

PLAIN_CHECKS = Table(
    "plain_checks",
    METADATA,
    _serial(),
    Column("repository", Name, nullable=False),
    Column("sha", Name, nullable=False),
    Column("name", Name, nullable=False),
    Column("status", Name, nullable=False),
    Column("conclusion", Name),
    Column("title", Words(2_000), nullable=False),
    Column("summary", Words(200_000), nullable=False),
    Column("details_url", Words(8_000), nullable=False),
    Column("annotations", Text, nullable=False),
    UniqueConstraint("repository", "sha", "name"),
    sqlite_autoincrement=True,
)
