"""``flask oauth2 purge`` of a full SQLite database beside a server under load: nobody is refused, nobody waits long.

SQLite has one writer at a time, and whoever waits for it looks again after pauses of its own. So a purge that takes
the file again as soon as it has let it go keeps everybody else out.

    python -m tests.faults.purge_under_load [ROWS]
"""

import secrets
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.faults.report import report
from tests.faults.served import CHECKOUT, Load, environment_of, serving, set_up

ROWS = 500_000
SLOWEST_SECONDS = 0.3
_A_WHILE_AGO = 7200
_BEFORE_SECONDS = 3


@dataclass(frozen=True)
class Outcome:
    """What happened while the purge ran."""

    rows: int
    purge_seconds: float
    answers: int
    slowest_seconds: float
    usual_seconds: float
    """The slowest answer in the seconds before."""

    def __str__(self) -> str:
        return (
            f"{self.rows} rows deleted in {self.purge_seconds:.1f} s, meanwhile {self.answers} tokens, "
            f"slowest {self.slowest_seconds * 1000:.0f} ms, before {self.usual_seconds * 1000:.0f} ms"
        )


def run(rows: int = ROWS, *, slowest_seconds: float = SLOWEST_SECONDS) -> Outcome:
    """Purge *rows* expired rows beside a server under load, and hold it to what is promised.

    :param slowest_seconds: Longest that an answer may take meanwhile.
    :raises AssertionError: It is not kept.
    """
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "as.sqlite"
        environment = {"FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{file}"}
        caller = set_up(environment)
        fill(file, rows)
        with serving("granian", Path(name), environment) as served, Load(served, caller, threads=4) as load:
            time.sleep(_BEFORE_SECONDS)
            started = time.monotonic()
            said = _purge(environment)
            seconds = time.monotonic() - started
            time.sleep(0.5)
    refused = sorted({answer.status for _, answer in load.answers} - {200})
    assert not refused, f"the server answered {refused} while it was purged"
    assert said == f"{rows} expired entries deleted.\n", said
    before = [answer.seconds for _, answer in load.answers if answer.sent_at < started - _BEFORE_SECONDS / 2]
    meanwhile = [answer.seconds for _, answer in load.answers if started < answer.sent_at < started + seconds]
    outcome = Outcome(rows, seconds, len(meanwhile), max(meanwhile), max(before, default=0.0))
    assert outcome.slowest_seconds < slowest_seconds, f"somebody waited too long: {outcome}"
    return outcome


def fill(file: Path, rows: int) -> None:
    """Put expired rows into three tables: half of them used marks, the rest revocations and refresh tokens."""
    ended = int(time.time()) - _A_WHILE_AGO
    marks, revocations = rows // 2, rows // 4
    database = sqlite3.connect(file)
    # In the order of the tables, or filling them takes minutes.
    digests = sorted(secrets.token_bytes(32) for _ in range(rows))
    with database:
        database.executemany(
            "INSERT INTO oauth2_replay (digest, expires_at) VALUES (?, ?)", ((d, ended) for d in digests[:marks])
        )
        database.executemany(
            "INSERT INTO oauth2_revocation (digest, expires_at) VALUES (?, ?)",
            ((digest, ended) for digest in digests[marks : marks + revocations]),
        )
        database.executemany(
            "INSERT INTO oauth2_refresh_token (digest, grant_id, client_id, subject, scope, resources, dpop_bound,"
            " idle_until, expires_at) VALUES (?, ?, 'console', ?, 'read', '', 0, ?, ?)",
            (
                (digest, digest.hex()[:20], digest.hex()[20:30], ended, ended)
                for digest in digests[marks + revocations :]
            ),
        )
    database.close()


def _purge(environment: dict[str, str]) -> str:
    command = [sys.executable, "-m", "flask", "--app", "tests.faults.served:create_app", "oauth2", "purge"]
    purge = subprocess.run(
        command, cwd=CHECKOUT, env=environment_of(environment), capture_output=True, text=True, check=False
    )
    assert purge.returncode == 0, purge.stderr
    return purge.stdout


def main(arguments: list[str]) -> int:
    rows = int(arguments[0]) if arguments else ROWS
    return 0 if report(lambda: run(rows)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
