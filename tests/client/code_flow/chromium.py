"""A headless Chromium that opens a page, goes where that leads, and says what it shows in the end."""

import os
import shutil
import subprocess

import pytest


def open_in_chromium(url, folder):
    """The page that *url* leads to, as HTML; the profile in *folder* keeps its cookies from call to call."""
    program = shutil.which("chromium")
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs Chromium")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
    run = subprocess.run(
        [program, *options, f"--user-data-dir={folder}", url], capture_output=True, text=True, timeout=60
    )
    return run.stdout
