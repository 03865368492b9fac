"""Eight processes that use one key at the same moment: ``key_use_racer.py DATABASE_URL``.

Each is a worker of its own, forked before anything is connected; they wait for one another, then print whether they
recorded the use.
"""

import os
import sys

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import create_engine

from flask_private_key_jwt.authorization_server.stores.sql.client_key_use import SQLAlchemyClientKeyUseStore
from flask_private_key_jwt.authorization_server.stores.tables.all_tables import Tables, build_tables
from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.database.sqlite import use_wal

COUNT = 8
NOW = 1_800_000_000


def main(url: str) -> None:
    tables = build_tables(SQLAlchemy())
    start, go = os.pipe()
    children = [fork_racer(url, tables, start, go) for _ in range(COUNT)]
    os.close(go)  # the end of the file is the starting shot
    sys.exit(any(os.waitpid(child, 0)[1] for child in children))


def fork_racer(url: str, tables: Tables, start: int, go: int) -> int:
    child = os.fork()
    if child:
        return child
    os.close(go)
    engine = create_engine(url)
    use_wal(engine)
    store = SQLAlchemyClientKeyUseStore(Database(lambda: engine), tables)
    store.load("console")  # connected
    os.read(start, 1)
    recorded = store.mark_used("console", "old", now=NOW, not_after=NOW - 3600)
    os.write(1, f"{recorded}\n".encode())  # a whole line at once
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
