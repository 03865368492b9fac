"""Old and new code share one database during an upgrade, so a migration only adds what the old code can do without.

A column may be NULL or has a server default; nothing is dropped, renamed or made stricter.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authorization_server.stores.test_migrations import MIGRATIONS

SINCE = 12
"""The first migration that old workers survive; before it clients moved into one column (see ``docs/upgrading.md``)."""
ADDS = {"create_table", "create_index", "add_column", "get_bind", "f"}
"""What a migration may call of Alembic's operations; an ``execute`` has to be looked at."""


def number(version: Path) -> int:
    return int(version.stem.partition("_")[0])


VERSIONS = sorted((MIGRATIONS / "versions").glob("*.py"))


def find_faults(source: str) -> Iterator[str]:
    """What an old worker does not survive."""
    (upgrade,) = (
        node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    )
    for call in (node for node in ast.walk(upgrade) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        if not name.startswith("op."):
            if not name.startswith("sa.") and name not in ("range", "list"):
                yield f"calls {name}: write it out"
        elif name.removeprefix("op.") not in ADDS:
            yield f"calls {name}"
        elif name == "op.add_column" and not can_be_left_out(call.args[1]):
            yield f"adds a column that has to be written: {ast.unparse(call.args[1])}"
        elif name == "op.create_index" and any(keyword.arg == "unique" for keyword in call.keywords):
            yield "adds a unique index"


def can_be_left_out(column: ast.expr) -> bool:
    """Whether an INSERT that does not know a column succeeds."""
    assert isinstance(column, ast.Call)
    given = {keyword.arg: keyword.value for keyword in column.keywords}
    nullable = given.get("nullable", ast.Constant(True))
    return "server_default" in given or (isinstance(nullable, ast.Constant) and nullable.value is True)


@pytest.mark.parametrize(
    "version", [version for version in VERSIONS if number(version) >= SINCE], ids=lambda path: path.stem
)
def test_a_migration_only_adds_what_old_workers_can_do_without(version):
    assert list(find_faults(version.read_text())) == []


def test_there_are_such_migrations():
    assert len([version for version in VERSIONS if number(version) >= SINCE]) >= 4


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ('op.drop_column("t", "c")', "calls op.drop_column"),
        ('op.drop_table("t")', "calls op.drop_table"),
        ('op.alter_column("t", "c", nullable=False)', "calls op.alter_column"),
        ('op.rename_table("t", "u")', "calls op.rename_table"),
        ('op.execute("DROP TABLE t")', "calls op.execute"),
        ('op.create_check_constraint("n", "t", "c > 0")', "calls op.create_check_constraint"),
        ('op.create_index("i", "t", ["c"], unique=True)', "adds a unique index"),
        ("elsewhere()", "calls elsewhere: write it out"),
        (
            'op.add_column("t", sa.Column("c", sa.Text(), nullable=False))',
            "adds a column that has to be written: sa.Column('c', sa.Text(), nullable=False)",
        ),
    ],
)
def test_a_migration_that_takes_something_away_is_found(statement, fault):
    assert list(find_faults(f"def upgrade():\n    {statement}\n")) == [fault]


@pytest.mark.parametrize(
    "column",
    ['sa.Column("c", sa.Text())', 'sa.Column("c", sa.Integer(), nullable=False, server_default="0")'],
)
def test_a_column_that_old_workers_need_not_write_is_none_of_them(column):
    assert list(find_faults(f'def upgrade():\n    op.add_column("t", {column})\n')) == []
