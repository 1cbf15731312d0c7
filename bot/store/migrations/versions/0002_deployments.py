"""Versions, assignments, deployments and approvals."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("runs", sa.Column("production_version", sa.Text(), nullable=True))
    _versions()
    _assignments()
    _deployments()
    _approvals()


def downgrade() -> None:
    raise NotImplementedError("restore a backup: what a newer version wrote can not be unwritten")


def partial_index(name: str, table: str, columns: list[str], *, where: str, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _loop() -> list[sa.Column[Any]]:
    return [
        sa.Column("next_check_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
    ]


def _loop_indexes(table: str) -> None:
    partial_index(f"ix_{table}_due", table, ["next_check_at"], where="next_check_at IS NOT NULL")
    partial_index(f"ix_{table}_leased", table, ["leased_until"], where="leased_until IS NOT NULL")


def _versions() -> None:
    op.create_table(
        "versions",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("commit_sha", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *_loop(),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_versions"),
        sa.UniqueConstraint("id", name="uq_versions_id"),
        sqlite_autoincrement=True,
    )
    _loop_indexes("versions")
    op.create_index("ix_versions_model", "versions", ["repository", "model", "at"])


def _assignments() -> None:
    op.create_table(
        "assignments",
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("serial", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("commit_sha", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deployment_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("repository", "model", "environment", "serial", name="pk_assignments"),
    )


def _deployments() -> None:
    op.create_table(
        "deployments",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("live_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pipeline_run", sa.Text(), nullable=False),
        sa.Column("cancel_requested_by", sa.Text(), nullable=True),
        sa.Column("forge_id", sa.Text(), nullable=True),
        sa.Column("forge_shown", sa.Text(), nullable=False),
        *_loop(),
        sa.Column("details", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_deployments"),
        sa.UniqueConstraint("id", name="uq_deployments_id"),
        sqlite_autoincrement=True,
    )
    _loop_indexes("deployments")
    place = ["repository", "model", "environment"]
    op.create_index("ix_deployments_place", "deployments", [*place, "requested_at"])
    op.create_index("ix_deployments_phase", "deployments", ["phase", "requested_at"])
    partial_index(
        "ix_deployments_change", "deployments", ["repository", "number", "requested_at"], where="number IS NOT NULL"
    )
    turn = "phase IN ('registering', 'deploying')"
    partial_index("uq_deployments_turn", "deployments", place, where=turn, unique=True)


def _approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("deployment_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("thing", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_approvals"),
        sa.UniqueConstraint("deployment_id", "source", name="uq_approvals_deployment_id_source"),
        sqlite_autoincrement=True,
    )
