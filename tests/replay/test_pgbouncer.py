"""A replay store behind PgBouncer, which shares one server connection among many clients."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from flask_private_key_jwt.database.deadline import request_budget
from flask_private_key_jwt.replay.base import Replayed
from tests.servers.ports import free_port

MARKS = 20
"""More than a driver sends before it prepares a statement on the server."""


@pytest.fixture(params=["session", "transaction"])
def bouncer_url(request: pytest.FixtureRequest, postgres_url: str, tmp_path: Path) -> Iterator[str]:
    """The same database, by way of PgBouncer."""
    binary = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if binary is None:
        pytest.skip("no PgBouncer is installed")
    there, port = make_url(postgres_url), free_port()
    configuration = tmp_path / "pgbouncer.ini"
    configuration.write_text(
        f"[databases]\n{there.database} = host={there.host} port={there.port} user={there.username}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"pool_mode = {request.param}\ndefault_pool_size = {20 if request.param == 'session' else 2}\n"
    )
    account = ["--user", "nobody"] if os.getuid() == 0 and pwd.getpwnam("nobody") else []
    for path in (configuration, tmp_path, tmp_path.parent, tmp_path.parent.parent):
        path.chmod(0o755)
    process = subprocess.Popen([binary, *account, str(configuration)], stderr=subprocess.DEVNULL)
    url = there.set(port=port)
    if request.param == "transaction":  # before 1.21 it does not know which connection has which statement
        url = url.update_query_dict({"prepare_threshold": "none"})
    try:
        _wait_for(url.set(drivername="postgresql", query={}).render_as_string(hide_password=False))
        yield url.render_as_string(hide_password=False)
    finally:
        process.terminate()
        process.wait()


def _wait_for(address: str) -> None:
    give_up = time.monotonic() + 10
    while True:
        try:
            psycopg.connect(address).close()
        except psycopg.Error:
            assert time.monotonic() < give_up
            time.sleep(0.05)
        else:
            return


def test_marks_are_remembered_once(bouncer_url, open_store, mark):
    stores = [open_store(bouncer_url) for _ in range(3)]

    for number in range(MARKS):
        with request_budget(5):
            stores[number % 3].remember([mark(str(number))])
    for number in range(MARKS):
        with request_budget(5), pytest.raises(Replayed):
            stores[(number + 1) % 3].remember([mark(str(number))])
