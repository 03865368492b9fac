"""Twenty honest refreshes at once, over two workers, on each database: whichever answer the client keeps works.

One of them replaces the token, the others are retries: all get the same successor, and there is one row of it. Using
it ends that; then the old token revokes what came of the grant.

    python -m tests.faults.parallel_refreshes
"""

import sys
import time

from sqlalchemy import create_engine, text

from tests.faults.acting import (
    AT_ONCE,
    CONFIDENTIAL,
    PUBLIC,
    Client,
    at_once,
    count_workers,
    get_code,
    run_everywhere,
)
from tests.faults.served import Answer, Served, call

ROUNDS = 5


def race(served: Served, url: str, *, rounds: int = ROUNDS) -> str:
    """Refresh at once as both kinds of client; says what was measured.

    :raises AssertionError: An answer is not as it has to be.
    """
    slowest, workers = 0.0, 0
    for client in (CONFIDENTIAL, PUBLIC):
        for _ in range(rounds):
            answers = _refresh_at_once(served, client, url)
            slowest = max(slowest, *(answer.seconds for answer in answers))
            workers = max(workers, count_workers(answers))
    return (
        f"2 clients, {rounds} rounds of {AT_ONCE} refreshes by {workers} workers: one successor each, slowest answer "
        f"{slowest * 1000:.0f} ms"
    )


def _refresh_at_once(served: Served, client: Client, url: str) -> list[Answer]:
    first = _ask(served, client, **client.grant(get_code(served.port, client))).json["refresh_token"]
    before = _count_tokens(url)

    answers = at_once(lambda _: _refresh(served, client, first))

    assert {answer.status for answer in answers} == {200}, sorted(answer.status for answer in answers)
    successors = {answer.json["refresh_token"] for answer in answers}
    assert len(successors) == 1, f"{len(successors)} successors"
    assert len({answer.json["access_token"] for answer in answers}) == AT_ONCE
    assert _count_tokens(url) == before + 1, f"{_count_tokens(url) - before} new rows"
    _check_window(served, client, first, successors.pop())
    return answers


def _check_window(served: Served, client: Client, first: str, second: str) -> None:
    """Any of the answers works, and ends the window; after that the old token ends everything."""
    used = _refresh(served, client, second)
    assert used.status == 200, used.body
    assert _refresh(served, client, first).status == 400
    assert _refresh(served, client, used.json["refresh_token"]).status == 400


def _refresh(served: Served, client: Client, token: str) -> Answer:
    return _ask(served, client, grant_type="refresh_token", refresh_token=token)


def _ask(served: Served, client: Client, **fields: str) -> Answer:
    return call(served.port, "POST", "/oauth2/token", client.form(**fields), headers=client.proof())


def _count_tokens(url: str) -> int:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM oauth2_refresh_token")).scalar_one())
    finally:
        engine.dispose()


if __name__ == "__main__":
    started = time.monotonic()
    status = run_everywhere(race)
    print(f"{time.monotonic() - started:.0f} s")
    sys.exit(status)
