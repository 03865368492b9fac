"""What an authorization server needs to answer requests: store, migration, replay store, signing key, clock."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, exists, false, literal_column, select

from .. import clock
from ..database.database import Database
from ..database.server_clock import find_clock
from ..operations.readiness import NotReady, ReadinessCheck, check_replay_store
from ..replay.base import ReplayStore
from ..settings.server import ServerSettings
from .keys.server_keys import ServerKeys
from .stores.tables.all_tables import Tables


class ServerReadiness:
    """The checks of one app. Each takes one statement or none, except the very first, which may make a signing key.

    :param settings: The server's settings.
    :param database: The application's.
    :param tables: The tables that this code expects there.
    :param replay: Where used ``jti`` values are remembered.
    :param server_keys: The server's own keys.
    """

    def __init__(
        self,
        settings: ServerSettings,
        database: Database,
        tables: Tables,
        *,
        replay: ReplayStore,
        server_keys: ServerKeys,
    ) -> None:
        self._settings = settings
        self._database = database
        self._ping: Select[Any] = select(literal_column("1"))
        self._all_columns = _select_all_columns(tables)
        self._check_replay = check_replay_store(replay, server=settings.ISSUER)
        self._server_keys = server_keys

    def checks(self) -> Mapping[str, ReadinessCheck]:
        """The checks, in the order in which they are made."""
        return {
            "store": self._check_store,
            "migration": self._check_migration,
            "replay_store": self._check_replay,
            "signing_key": self._check_signing_key,
            "clock": self._check_clock,
        }

    def _check_store(self) -> None:
        self._database.fetch(self._ping, {})

    def _check_migration(self) -> None:
        """Every table has every column that this code knows; a column that only newer code knows does no harm."""
        self._database.fetch(self._all_columns, {})

    def _check_signing_key(self) -> None:
        self._server_keys.look()

    def _check_clock(self) -> None:
        """Marks, codes and revocations end by the clocks of many machines, which must agree."""
        statement = find_clock(self._database.engine)
        if statement is None:  # the database is in this process, and has no other clock
            return
        row = self._database.fetch(statement, {})
        assert row is not None
        ahead = clock.now() - float(row[0])
        # Our seconds are whole, and the answer takes its time.
        if abs(ahead) > self._settings.CLOCK_SKEW_SECONDS + 2:
            raise NotReady(f"the clock of this machine is {ahead:+.0f} s from the database's")


def _select_all_columns(tables: Tables) -> Select[Any]:
    """One statement that names every column and reads no row."""
    columns: Any = (exists(select(*table.c).where(false())).label(f"has_{table.name}") for table in tables.all)
    return select(*columns)
