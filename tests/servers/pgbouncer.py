"""PgBouncer, which shares one server connection among many clients."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from tests.servers.ports import free_port
from tests.servers.throwaway import miss

START_SECONDS = 60


@contextmanager
def pgbouncer(postgres_url: str, folder: Path, *, mode: str) -> Iterator[str]:
    """The URL of the same database, by way of PgBouncer.

    :param mode: ``session``, ``transaction`` or ``statement``.
    """
    binary = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if binary is None:
        miss("no PgBouncer is installed")
    there, port = make_url(postgres_url), free_port()
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        f"[databases]\n{there.database} = host={there.host} port={there.port} user={there.username}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"pool_mode = {mode}\ndefault_pool_size = {20 if mode == 'session' else 2}\n"
    )
    account = ["--user", "nobody"] if os.getuid() == 0 and pwd.getpwnam("nobody") else []
    for path in (configuration, folder, folder.parent, folder.parent.parent):
        path.chmod(0o755)
    process = subprocess.Popen([binary, *account, str(configuration)], stderr=subprocess.DEVNULL)
    url = there.set(port=port)
    try:
        _wait_for(url.set(drivername="postgresql", query={}).render_as_string(hide_password=False))
        yield url.render_as_string(hide_password=False)
    finally:
        process.terminate()
        process.wait()


def _wait_for(address: str) -> None:
    give_up = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(address, autocommit=True).close()
        except psycopg.Error:
            assert time.monotonic() < give_up
            time.sleep(0.05)
        else:
            return
