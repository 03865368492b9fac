"""The names of our tables in the application's metadata, and the error if the application has one of them too."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, Table

from ....errors import ConfigurationError

if TYPE_CHECKING:
    from flask_sqlalchemy import SQLAlchemy

# A constraint's name adds up to 36 characters, and PostgreSQL truncates names to 63. No capitals, because each database
# treats them differently.
_PREFIX = re.compile(r"[a-z][a-z0-9_]{0,23}")


def check_prefix(prefix: str) -> str:
    """Return *prefix* if the names of tables, constraints and indexes can begin with it.

    :raises ConfigurationError: They cannot begin with it.
    """
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        raise ConfigurationError(
            f"table_prefix={prefix!r} is not accepted: it must be 1 to 24 lower-case letters, digits and underscores, "
            "with a letter first."
        )
    return prefix


def claim_names(db: "SQLAlchemy", prefix: str, names: Sequence[str]) -> None:
    """Make sure that only we define tables with these names in *db*, now and later.

    :raises ConfigurationError: *db* has one of them already. Defining a model with such a name later raises it too.
    """
    schema = db.metadata.schema
    claimed = [f"{schema}.{prefix}{name}" if schema else f"{prefix}{name}" for name in names]
    for key in claimed:
        if key in db.metadata.tables:
            raise _taken(key.rpartition(".")[2])
    _refuse_models(db, frozenset(claimed))


def _refuse_models(db: "SQLAlchemy", claimed: frozenset[str]) -> None:
    """Add a check to SQLAlchemy's hook that makes the table of a model (``__table_cls__``).

    SQLAlchemy itself would refuse the name and advise to set ``extend_existing=True``. With that, one table would be
    used for two purposes.
    """
    hook = getattr(db.Model, "__table_cls__", Table)
    # The function of a bound method, which must get the model, not db.Model. A base class may also have a static one.
    make_table: Callable[..., Any] = getattr(
        hook, "__func__", lambda _model, *items, **options: hook(*items, **options)
    )

    def check_name(cls: type, name: str, metadata: MetaData, *items: Any, **options: Any) -> Any:
        schema = options.get("schema") or metadata.schema
        if metadata is db.metadata and (f"{schema}.{name}" if schema else name) in claimed:
            raise _taken(name)
        return make_table(cls, name, metadata, *items, **options)

    setattr(db.Model, "__table_cls__", classmethod(check_name))  # noqa: B010  # mypy knows no such attribute


def _taken(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"This SQLAlchemy object has a table {name} already. If one is a table of your own, give ours other names: "
        'PrivateKeyJWT(db, table_prefix="as_"). If both are ours, make one PrivateKeyJWT(db) and call its init_app for '
        "every app."
    )
