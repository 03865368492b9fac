"""Counters that all workers share, for what may only happen so many times in a certain time."""

from sqlalchemy import bindparam, insert, literal_column, update

from .... import clock
from ....database.batches import BATCH_ROWS, KEEP_ENDED_SECONDS, Rest, no_rest
from ....database.database import Database
from ....database.purging import delete_in_batches
from ..granted import digest
from ..tables.all_tables import Tables


class Counters:
    """Counts under names that are used for a certain time and then never again, e.g. one name for each hour.

    :param database: The application's.
    :param tables: The application's tables.
    """

    def __init__(self, database: Database, tables: Tables) -> None:
        self._database = database
        self._table = table = tables.counter
        self._insert = insert(table)
        is_below = (table.c.digest == bindparam("counter")) & (table.c.counted < bindparam("most"))
        self._count = update(table).where(is_below).values(counted=table.c.counted + literal_column("1"))

    def take(self, name: str, *, most: int, until: int) -> bool:
        """Count one more under *name*; ``False`` if *most* are counted already. Exact, also with many callers at once.

        :param until: When the counter is no longer needed, in seconds since the epoch.
        :raises StoreUnavailable: The database did not answer.
        """
        key = digest(name)
        for _ in range(2):
            if self._database.update(self._count, {"counter": key, "most": most}) == 1:
                return True
            # The insert fails if the row is there: the counter is full, or somebody else has just made it.
            if self._database.insert(self._insert, {"digest": key, "counted": 1, "expires_at": until}):
                return True
        return False

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """Delete counters that are no longer needed, and return how many; see :meth:`.replay.base.ReplayStore.purge`.

        :raises StoreUnavailable: The database did not answer.
        """
        ended = self._table.c.expires_at <= clock.now() - KEEP_ENDED_SECONDS
        return delete_in_batches(self._database, self._table, ended, batch=batch, rest=rest)
