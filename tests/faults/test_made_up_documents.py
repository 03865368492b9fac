"""Documents by the thousand: the short form of ``made_up_documents.py``."""

import tempfile
from pathlib import Path

from tests.faults.made_up_documents import run


def test_made_up_documents_cost_a_known_client_nothing_and_a_newcomer_less_than_a_minute():
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder), seconds=3)

    assert outcome.newcomer_seconds < 60
