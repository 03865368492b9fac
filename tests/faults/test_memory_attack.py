"""Strangers and the memory of workers: the short form of ``memory_attack.py``."""

import tempfile
from pathlib import Path

from tests.faults.memory_attack import run


def test_large_registrations_do_not_fill_the_memory_of_workers():
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder), clients=150)

    assert outcome.registered == 150
