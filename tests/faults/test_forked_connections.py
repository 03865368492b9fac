"""Children that are forked after their database was used: the short form of ``forked_connections.py``."""

import subprocess
import sys

import pytest

from tests.checkout import CHECKOUT
from tests.servers.throwaway import server_url

PROGRAM = """
import sys
from tests.faults.forked_connections import ask_in_children
print(ask_in_children(sys.argv[1], questions=200, named_before=sys.argv[2] == "True"))
"""


@pytest.fixture(scope="module", params=["postgres", "mariadb"])
def url(request):
    with server_url(request.param) as url:
        yield url


@pytest.mark.parametrize("named_before", [True, False])
def test_children_and_parent_read_their_own_answers(url, named_before):
    # A process of its own: pytest's has threads, which a fork leaves behind.
    program = [sys.executable, "-c", PROGRAM, url, str(named_before)]
    answers = subprocess.run(program, cwd=CHECKOUT, check=False, capture_output=True, text=True)

    assert answers.stdout == "[0, 0]\n", answers.stderr
