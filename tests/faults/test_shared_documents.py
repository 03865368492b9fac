"""Strangers who name other clients' URLs, on real processes."""

import tempfile
from pathlib import Path

from tests.faults.shared_documents import run


def test_what_strangers_do_with_the_urls_of_other_clients_costs_those_nothing():
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder))

    assert outcome.document_answers[200] > 5
    assert sum(outcome.stranger_answers.values()) > 20
