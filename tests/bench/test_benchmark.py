"""The benchmark runs, and refuses to give figures that mean nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkout import CHECKOUT

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads CPU times from /proc")

ROWS = {
    ("token request", "ES256"),
    ("token request", "ES256 + DPoP"),
    ("token request", "RS256"),
    ("token request", "RS256 + DPoP"),
    ("token request", "ES256, first"),
    ("API call", "Bearer"),
    ("API call", "DPoP"),
}


@pytest.mark.parametrize("server", ["granian", "gunicorn"])
def test_a_quick_run_fills_every_row_and_counts_what_was_there_before(tmp_path: Path, server):
    pytest.importorskip(server)
    file = tmp_path / "figures.json"
    options = ["--quick", "--server", server, "--clients", "3", "--remembered", "7", "--requests", "150"]
    options += ["--json", str(file)]

    done = subprocess.run(
        [sys.executable, "-m", "bench.run", *options],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    assert "1 cal = one ES256 verification" in done.stdout
    report = json.loads(file.read_text())
    ((weighed, share, resident, requests),) = (each.values() for each in report["memory"])
    assert (weighed, 20 < share <= resident < 200, requests >= 150) == (server, True, True)
    assert (report["clients"], report["remembered"]) == (3, 7)
    assert {(figure["request"], figure["variant"]) for figure in report["figures"]} == ROWS
    assert all(figure["server"] == server and figure["cal"] > 0 for figure in report["figures"])


@pytest.mark.parametrize(
    ("what_goes_wrong", "sentence"),
    [
        ("benchmark.seed.register = lambda clients: register([])", "granian answers 400"),
        ("benchmark._ask = lambda target, request: Answer(200, b'')", "granian accepts a replayed request (ES256)"),
    ],
)
def test_a_server_that_does_not_do_its_work_has_no_figures(tmp_path: Path, what_goes_wrong, sentence):
    pytest.importorskip("granian")
    program = f"""
import sys
from bench import benchmark, run
from bench.load import Answer
register = benchmark.seed.register
{what_goes_wrong}
sys.exit(run.main(["--quick", "--server", "granian", "--json", {str(tmp_path / "figures.json")!r}]))
"""

    done = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, timeout=120)

    assert done.returncode == 1
    assert f"Void: {sentence}" in done.stderr
    assert "1 cal" not in done.stdout
    assert not (tmp_path / "figures.json").exists()
