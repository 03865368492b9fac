"""The documents that clients publish, in the application's database; see :class:`.contracts.FetchedDocumentStore`."""

from dataclasses import asdict, fields
from hashlib import sha256

from sqlalchemy import Connection, Table, Update, bindparam, insert, select, update

from .... import clock
from ....database.batches import BATCH_ROWS, Rest, no_rest
from ....database.database import Database
from ....database.purging import delete_in_batches
from ..contracts import LONGEST_COOLDOWN_SECONDS, NEVER_HAD_SECONDS, UNUSED_SECONDS, DocumentKey, StoredDocument
from ..tables.all_tables import Tables


class SQLAlchemyFetchedDocumentStore:
    """Keeps fetched documents for all processes that share the database.

    :param database: The application's.
    :param tables: The application's tables.
    """

    def __init__(self, database: Database, tables: Tables) -> None:
        self._database = database
        self._table = table = tables.fetched_document
        columns = (table.c[field.name] for field in fields(StoredDocument))
        self._select = select(*columns).where(table.c.url_digest == bindparam("digest"))
        self._insert = insert(table)

    def load(self, key: DocumentKey) -> StoredDocument | None:
        """See :meth:`.contracts.FetchedDocumentStore.load`. One SELECT."""
        row = self._database.fetch(self._select, {"digest": _digest(key)})
        return None if row is None else StoredDocument(*row)

    def claim(self, key: DocumentKey, *, now: int, not_before: int) -> bool:
        """See :meth:`.contracts.FetchedDocumentStore.claim`. Only one of several UPDATEs, or INSERTs, changes a row."""
        digest, table = _digest(key), self._table
        if_free = (table.c.url_digest == digest) & (table.c.attempted_at <= not_before)
        with self._database.begin() as connection:
            if connection.execute(update(table).where(if_free).values(attempted_at=now)).rowcount == 1:
                return True
        new = StoredDocument(key.url, None, fetched_at=0, fresh_until=0, attempted_at=now)
        return self._database.insert(self._insert, {"url_digest": digest, **asdict(new)})

    def release(self, key: DocumentKey) -> None:
        """See :meth:`.contracts.FetchedDocumentStore.release`."""
        with self._database.begin() as connection:
            connection.execute(release_document(self._table, key, now=clock.now()))

    def save(self, key: DocumentKey, body: str, *, fetched_at: int, fresh_until: int) -> None:
        """See :meth:`.contracts.FetchedDocumentStore.save`."""
        mine = (self._table.c.url_digest == _digest(key)) & (self._table.c.fetched_at <= fetched_at)
        new = {"body": body, "fetched_at": fetched_at, "fresh_until": fresh_until}
        with self._database.begin() as connection:
            connection.execute(update(self._table).where(mine).values(new))

    def fail(self, key: DocumentKey, *, claimed_at: int) -> None:
        """See :meth:`.contracts.FetchedDocumentStore.fail`."""
        mine = self._table.c.url_digest == _digest(key)
        with self._database.begin() as connection:
            connection.execute(update(self._table).where(mine).values(failed_at=claimed_at))

    def purge(self, *, batch: int = BATCH_ROWS, rest: Rest = no_rest) -> int:
        """See :meth:`.contracts.FetchedDocumentStore.purge`."""
        now, table = clock.now(), self._table
        unused = table.c.attempted_at < now - UNUSED_SECONDS
        never_had = table.c.body.is_(None) & (table.c.attempted_at < now - NEVER_HAD_SECONDS)
        return delete_in_batches(self._database, table, unused | never_had, batch=batch, rest=rest)


def release_document(table: Table, key: DocumentKey, *, now: int) -> Update:
    """The statement that ends a cool-down, for a transaction that also changes the client with this ``jwks_uri``."""
    over = now - LONGEST_COOLDOWN_SECONDS
    return (
        update(table).where(table.c.url_digest == _digest(key), table.c.attempted_at > over).values(attempted_at=over)
    )


def find_last_claim(connection: Connection, table: Table, key: DocumentKey) -> int:
    """When a fetch of the document was last claimed; 0: never."""
    query = select(table.c.attempted_at, table.c.fetched_at).where(table.c.url_digest == _digest(key))
    row = connection.execute(query).first()
    return 0 if row is None else max(row)


def _digest(key: DocumentKey) -> bytes:
    """The primary key: a URL is too long for one, and a digest is compared byte by byte on every database."""
    return sha256(f"{key.kind}\x00{key.url}".encode("utf-8", "surrogatepass")).digest()
