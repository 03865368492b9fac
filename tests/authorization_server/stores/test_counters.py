"""stores/sql/counters.py: exact for everybody at once, and gone when it is of no more use."""

from concurrent.futures import ThreadPoolExecutor

from flask_private_key_jwt.authorization_server.stores.sql.counters import Counters
from flask_private_key_jwt.database.batches import KEEP_ENDED_SECONDS
from flask_private_key_jwt.database.database import Database
from tests.conftest import START


def open_counters(database):
    return Counters(Database(lambda: database.engine), database.tables)


def test_counter_ends_where_it_is_full(sql_database):
    counters = open_counters(sql_database)

    assert [counters.take("a", most=3, until=START) for _ in range(5)] == [True, True, True, False, False]
    assert counters.take("b", most=3, until=START)
    assert counters.take("a", most=4, until=START)


def test_of_many_at_once_just_enough_are_counted(sql_database):
    counters = open_counters(sql_database)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: counters.take("a", most=20, until=START), range(40)))

    assert sum(taken) == 20


def test_purge_deletes_what_is_of_no_more_use(sql_database, clock):
    counters = open_counters(sql_database)
    for number in range(7):
        counters.take(f"over {number}", most=1, until=START + 10)
    counters.take("under way", most=1, until=START + 11)
    clock.move(10 + KEEP_ENDED_SECONDS)

    assert counters.purge(batch=3) == 7
    assert not counters.take("under way", most=1, until=START + 11)
    assert counters.take("over 1", most=1, until=START + 11)
