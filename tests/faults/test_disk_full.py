"""A database whose disk is full: the short form of ``disk_full.py``."""

import pytest

from tests.faults.disk_full import SERVERS, is_installed, run_on, run_sqlite, small_disk


def test_sqlite_file_that_may_not_grow_is_unavailable_until_it_may(tmp_path):
    assert run_sqlite(tmp_path).answers[503] > 0


@pytest.mark.parametrize("name", SERVERS)
def test_server_without_room_is_unavailable_until_there_is_some(name):
    if not is_installed(name):
        pytest.skip(f"no {name} whose disk may be full")
    with small_disk(SERVERS[name]) as disk:
        if disk is None:
            pytest.skip("no file system may be mounted here: it takes root")
        outcome = run_on(disk, name)

    assert outcome.answers[503] > 0
    assert outcome.replayed > 0
