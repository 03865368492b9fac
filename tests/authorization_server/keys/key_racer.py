"""Twenty processes that need the signing key at the same moment: ``key_racer.py DATABASE_URL``.

Each is a worker of its own, forked before anything is connected; they wait for one another, then print the ``kid``
they would sign with.
"""

import os
import sys

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import create_engine

from flask_private_key_jwt.authorization_server.keys.rotation import Schedule
from flask_private_key_jwt.authorization_server.keys.server_keys import ServerKeys
from flask_private_key_jwt.authorization_server.stores.sql.server_keys import SQLAlchemyServerKeyStore
from flask_private_key_jwt.authorization_server.stores.tables.all_tables import build_tables
from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.database.sqlite import use_wal
from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.jose.derived import Secrets

COUNT = 20


def main(url: str) -> None:
    tables = build_tables(SQLAlchemy())
    start, go = os.pipe()
    children = [fork_racer(url, tables, start, go) for _ in range(COUNT)]
    os.close(go)  # the end of the file is the starting shot
    sys.exit(any(os.waitpid(child, 0)[1] for child in children))


def fork_racer(url, tables, start, go):
    child = os.fork()
    if child:
        return child
    os.close(go)
    engine = create_engine(url)
    use_wal(engine)
    store = SQLAlchemyServerKeyStore(Database(lambda: engine), tables)
    schedule = Schedule(announce=1000, sign=10000, retire=1000)
    secrets = Secrets(("a secret for tests only, long enough",))
    keys = ServerKeys(store, secrets, alg="ES256", schedule=schedule, cache_seconds=60)
    os.read(start, 1)
    os.write(1, f"{find_kid(keys)}\n".encode())  # a whole line at once
    os._exit(0)


def find_kid(keys):
    """What a server does: a database too busy for its timeout is a 503, and the next request asks again."""
    for _ in range(3):
        try:
            return keys.current().signing.public.kid
        except StoreUnavailable as error:
            busy = error
    raise busy


if __name__ == "__main__":
    main(sys.argv[1])
