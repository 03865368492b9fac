"""Twenty sends at once of one assertion, one proof, one code and one ``request_uri``: one wins, the others are refused.

Over two workers, on each database.

    python -m tests.faults.parallel_sends
"""

import sys
import time
from collections import Counter

from tests.faults.acting import (
    AT_ONCE,
    CONFIDENTIAL,
    at_once,
    count_workers,
    find_code,
    get_code,
    open_authorization,
    run_everywhere,
)
from tests.faults.served import Answer, Served, call

ROUNDS = 5
MACHINE = {"grant_type": "client_credentials"}


def race(served: Served, _: str, *, rounds: int = ROUNDS) -> str:
    """Send each of the four at once; says what was measured.

    :raises AssertionError: There is more than one winner, or none.
    """
    workers = 0
    for _round in range(rounds):
        for send in (_send_assertion, _send_proof, _send_code, _send_request_uri):
            answers = send(served)
            workers = max(workers, count_workers(answers))
            statuses = Counter(answer.status for answer in answers)
            name = send.__name__.removeprefix("_send_")
            assert statuses == {200: 1, 400: len(answers) - 1}, f"{name}: {dict(statuses)}"
    each = "one winner of each assertion, proof, code and request_uri"
    return f"{rounds} rounds of {AT_ONCE} sends by {workers} workers: {each}"


def _send_assertion(served: Served) -> list[Answer]:
    form = CONFIDENTIAL.form(**MACHINE)
    return at_once(lambda _: call(served.port, "POST", "/oauth2/token", form))


def _send_proof(served: Served) -> list[Answer]:
    forms, proof = [CONFIDENTIAL.form(**MACHINE) for _ in range(AT_ONCE)], CONFIDENTIAL.proof()
    return at_once(lambda number: call(served.port, "POST", "/oauth2/token", forms[number], headers=proof))


def _send_code(served: Served) -> list[Answer]:
    grant = CONFIDENTIAL.grant(get_code(served.port, CONFIDENTIAL))
    forms = [CONFIDENTIAL.form(**grant) for _ in range(AT_ONCE)]
    return at_once(lambda number: call(served.port, "POST", "/oauth2/token", forms[number]))


def _send_request_uri(served: Served) -> list[Answer]:
    """Twenty browsers bring it, each of its own; the answers are those of redeeming what came back."""
    get_code(served.port, CONFIDENTIAL)  # the person's consent is remembered from here on
    pushed = call(served.port, "POST", "/oauth2/par", CONFIDENTIAL.form(**CONFIDENTIAL.request()))
    query = {"client_id": CONFIDENTIAL.client_id, "request_uri": pushed.json["request_uri"]}

    pages = at_once(lambda _: open_authorization(served.port, query))

    codes = {code for page in pages if (code := find_code(page)) is not None}
    assert len(codes) == 1, f"{len(codes)} codes of one request_uri"
    assert all(page.status in (303, 400) for page in pages), sorted(page.status for page in pages)
    form = CONFIDENTIAL.form(**CONFIDENTIAL.grant(codes.pop()))
    redeemed = call(served.port, "POST", "/oauth2/token", form)
    return [redeemed, *(page for page in pages if find_code(page) is None)]


if __name__ == "__main__":
    started = time.monotonic()
    status = run_everywhere(race)
    print(f"{time.monotonic() - started:.0f} s")
    sys.exit(status)
