"""Processes that are forked after their database was used: each child asks over connections of its own.

python -m tests.faults.forked_connections
"""

import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from sqlalchemy import bindparam, create_engine, literal, select

from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.errors import StoreUnavailable
from tests.faults.database_servers import DatabaseServer, database_server, find_binary
from tests.faults.served import Load, serving, set_up

DATABASES = ("postgres", "mariadb")
CHILDREN = 2
QUESTIONS = 2000
LOAD_SECONDS = 5.0
USED_APP = "tests.faults.served:create_used_app"


def ask_in_children(url: str, *, questions: int = QUESTIONS, named_before: bool = True) -> list[int]:
    """The exit statuses of children that were forked after their engine was used, and asked at the same time.

    :param named_before: Whether our side had used the engine before the fork, or only the application had.
    """
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    database = Database(lambda: engine)
    if named_before:
        _ask(database, -1, 1)
    children = [_fork(database, number, questions) for number in range(CHILDREN)]
    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    with engine.connect() as connection:  # the parent's is still there
        assert connection.exec_driver_sql("SELECT 7").scalar() == 7
    engine.dispose()
    return statuses


def _fork(database: Database, number: int, questions: int) -> int:
    child = os.fork()
    if child == 0:
        status = 2
        try:
            status = _ask(database, number, questions)
        finally:
            os._exit(status)
    return child


def _ask(database: Database, number: int, questions: int) -> int:
    """0 when every answer was the one to this process's question, over either way to the database."""
    echo = select(bindparam("asked", type_=literal(0).type))
    for question in range(questions):
        asked = 1000 * question + number
        try:
            row = database.fetch(echo, {"asked": asked})
            with database.begin() as connection:
                again = connection.execute(echo, {"asked": asked}).scalar()
        except StoreUnavailable:
            return 3
        if row is None or int(row[0]) != asked or again != asked:
            return 1
    return 0


def serve_preloaded(database: DatabaseServer) -> Counter[int]:
    """The answers of four workers that share an app which had used its database before they were forked."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {"FLASK_SQLALCHEMY_DATABASE_URI": database.url}
        caller = set_up(environment)
        with (
            serving("gunicorn --preload", Path(folder), environment, workers=4, factory=USED_APP) as served,
            Load(served, caller, pause_seconds=0) as load,
        ):
            time.sleep(LOAD_SECONDS)
    return Counter(answer.status for _, answer in load.answers)


def main() -> int:
    failed = False
    for name in DATABASES:
        if find_binary(name) is None:
            print(f"{name}: SKIPPED, it is not installed", flush=True)
            continue
        with database_server(name) as database:
            for named_before in (True, False):
                statuses = ask_in_children(database.url, named_before=named_before)
                print(f"{name}: {CHILDREN} forked children asked {QUESTIONS} times each: {statuses}", flush=True)
                failed |= any(statuses)
            answers = serve_preloaded(database)
            print(f"{name}, gunicorn --preload: {dict(answers)}", flush=True)
            failed |= set(answers) != {200}
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
