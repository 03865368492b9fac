"""How a program of this folder says what came of its trials."""

import tempfile
from collections.abc import Callable
from pathlib import Path


def report(trial: Callable[[], object], name: str = "") -> bool:
    """Run one trial and print its outcome; whether everything that is promised was kept.

    :param name: What is tried, where the outcome of a failure does not say it.
    """
    try:
        print(trial(), flush=True)
    except AssertionError as error:
        print(f"{name}: FAILED: {error}" if name else f"FAILED: {error}", flush=True)
        return False
    return True


def report_in_folder(trial: Callable[[Path], object], name: str = "") -> bool:
    """The same for a trial that needs a folder, which goes away with it."""
    with tempfile.TemporaryDirectory() as folder:
        return report(lambda: trial(Path(folder)), name)
