"""What the benchmark reads off the machine."""

import subprocess
import sys

import pytest

from bench.machine import Calibration, choose_cores, cpu_seconds
from bench.messages import API_CALLS, TOKEN_REQUESTS
from bench.report import bare_cost

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads CPU times from /proc")

BUSY_CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "sum(range(5_000_000)); print(flush=True); input()"])
child.wait()
"""


def test_the_cpu_time_of_a_process_holds_that_of_its_children():
    with subprocess.Popen([sys.executable, "-c", BUSY_CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        alone = cpu_seconds(process.pid)
        process.communicate(b"\n")

    assert alone > 0.05


def test_a_process_that_is_gone_has_no_cpu_time():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()

    assert cpu_seconds(process.pid) == 0


def test_the_bare_signatures_of_each_row_are_those_its_request_needs():
    signatures = {"ES256 verify": 1.0, "ES256 sign": 0.25, "RS256 verify": 0.5}

    costs = {variant.name: bare_cost(variant, signatures) for variant in (*TOKEN_REQUESTS, *API_CALLS)}

    assert costs == {
        "ES256": 1.25,
        "ES256 + DPoP": 2.25,
        "RS256": 0.75,
        "RS256 + DPoP": 1.75,
        "Bearer": 1.0,
        "DPoP": 2.0,
    }


def test_the_unit_of_measure_is_one_verification():
    calibration = Calibration(choose_cores().server, seconds=0.02)

    assert 5 < calibration.measure() < 5000
    assert calibration.bare_signatures()["ES256 verify"] == pytest.approx(1, rel=0.8)
