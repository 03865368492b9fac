"""``deploy/monitoring`` with Prometheus itself: alerts fire when they should, panels show what it scraped."""

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.monitored import BOARD, FOLDER, RULES, expressions
from tests.deploy.promql import substitute
from tests.deploy.served import serve
from tests.deploy.waiting import wait_until
from tests.faults.served import ask_token
from tests.servers.ports import free_port
from tests.servers.proxies import edit, find_program

# --- when they fire ---------------------------------------------------------------------------------------------------
DAY = 24 * 60
STEPS = DAY // 5
"""Of a day, five minutes each."""
CASES = [
    # alert, series (a value each minute, or each five where it takes more than a day), minute, whether it fires
    (
        "Fails",
        'oauth2_requests_total{endpoint="token", outcome="server_error", cause="unexpected"} 0x20 1x20',
        22,
        True,
    ),
    (
        "Fails",
        'oauth2_requests_total{endpoint="token", outcome="invalid_client", cause="unexpected"} 0+9x40',
        22,
        False,
    ),
    ("Fails", 'oauth2_requests_total{endpoint="token", outcome="server_error", cause="first"} _x20 1x20', 22, True),
    ("Fails", 'oauth2_requests_total{endpoint="token", outcome="server_error", cause="first"} _x5 1x35', 22, False),
    (
        "Unavailable",
        'oauth2_requests_total{endpoint="token", outcome="temporarily_unavailable", cause="store"} 0+2x40\n'
        'oauth2_requests_total{endpoint="token", outcome="ok"} 0+98x40',
        20,
        True,
    ),
    (
        "Unavailable",
        'oauth2_requests_total{endpoint="token", outcome="temporarily_unavailable", cause="store"} 0+1x40\n'
        'oauth2_requests_total{endpoint="token", outcome="ok"} 0+999x40',
        20,
        False,
    ),
    ("StoreAway", 'oauth2_store_failures_total{store="replay"} 0x20 1+1x20', 24, True),
    ("StoreAway", 'oauth2_store_failures_total{store="database"} _x20 1x20', 23, True),
    ("StoreAway", 'oauth2_store_failures_total{store="replay"} 7x40', 24, False),
    ("Replays", f'oauth2_replays_refused_total{{what="client_assertion"}} 0x{STEPS} 0+300x9', DAY + 20, True),
    ("Replays", f'oauth2_replays_refused_total{{what="client_assertion"}} 0+300x{STEPS + 9}', DAY + 20, False),
    ("Replays", 'oauth2_replays_refused_total{what="dpop_proof"} _x5 1+60x30', 20, True),
    (
        "ClientClockAhead",
        'oauth2_client_clock_seconds_count{what="assertion"} 0+10x40\n'
        'oauth2_client_clock_seconds_bucket{what="assertion", le="5.0"} 0+9x40',
        20,
        True,
    ),
    (
        "ClientClockAhead",
        'oauth2_client_clock_seconds_count{what="assertion"} 0+10x40\n'
        'oauth2_client_clock_seconds_bucket{what="assertion", le="5.0"} 0+10x40',
        20,
        False,
    ),
    ("ClientClockBehind", 'oauth2_client_clock_seconds_bucket{what="proof", le="-30.0"} 0+1x40', 20, True),
    ("ClientClockBehind", 'oauth2_client_clock_seconds_bucket{what="assertion", le="-30.0"} 0+1x40', 20, False),
    ("SigningKeyTooOld", f'oauth2_signing_key_age_seconds{{state="signs"}} {111 * 86400}x90', 80, True),
    ("SigningKeyTooOld", f'oauth2_signing_key_age_seconds{{state="signs"}} {104 * 86400}x90', 80, False),
    ("KeysUnknown", 'oauth2_signing_keys{state="verifies"} 1x40', 20, True),
    ("KeysUnknown", 'oauth2_signing_keys{state="signs"} 0x40', 20, True),
    ("KeysUnknown", 'oauth2_signing_keys{state="signs"} 1x40', 20, False),
    ("ClientKeysTooOld", 'oauth2_client_keys{days="365"} 2x90', 80, True),
    ("ClientKeysTooOld", 'oauth2_client_keys{days="365"} 0x90\noauth2_client_keys{days="90"} 2x90', 80, False),
    (
        "RefusalsJump",
        f'oauth2_requests_total{{endpoint="token", outcome="invalid_client", cause="x"}} 0x{STEPS} 0+150x9',
        DAY + 20,
        True,
    ),
    (
        "RefusalsJump",
        f'oauth2_requests_total{{endpoint="token", outcome="invalid_client", cause="x"}} 0+150x{STEPS + 9}',
        DAY + 20,
        False,
    ),
    (
        "RefusalsJump",
        f'oauth2_requests_total{{endpoint="token", outcome="ok", cause=""}} 0x{STEPS} 0+150x9',
        DAY + 20,
        False,
    ),
    # One that was never seen before, and so has no history at all.
    (
        "RefusalsJump",
        'oauth2_requests_total{endpoint="token", outcome="invalid_client", cause="new"} 0+30x30',
        20,
        True,
    ),
    (
        "Slow",
        'oauth2_request_seconds_bucket{endpoint="token", le="0.5"} 0+90x40\n'
        'oauth2_request_seconds_bucket{endpoint="token", le="1.0"} 0+100x40\n'
        'oauth2_request_seconds_bucket{endpoint="token", le="+Inf"} 0+100x40',
        20,
        True,
    ),
    (
        "Slow",
        'oauth2_request_seconds_bucket{endpoint="token", le="0.1"} 0+100x40\n'
        'oauth2_request_seconds_bucket{endpoint="token", le="0.5"} 0+100x40\n'
        'oauth2_request_seconds_bucket{endpoint="token", le="+Inf"} 0+100x40',
        20,
        False,
    ),
]


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not():
    names = {rule["alert"].removeprefix("TokenServer") for rule in RULES}
    assert {(name, fires) for name, _, _, fires in CASES} == {
        (name, fires) for name in names for fires in (True, False)
    }


def test_alerts_fire_when_they_should_and_only_then(tmp_path: Path):
    promtool = find_program("promtool")
    for step in (1, 5):
        tests = [build_rule_test(*case, step) for case in CASES if (case[2] > DAY) == (step == 5)]
        rules = str(FOLDER / "token-server.rules.yaml")
        file = tmp_path / f"tests-{step}.yaml"
        file.write_text(yaml.safe_dump({"rule_files": [rules], "evaluation_interval": f"{step}m", "tests": tests}))
        done = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)

        assert done.returncode == 0, done.stdout + done.stderr


def build_rule_test(name: str, series: str, minute: int, fires: bool, step: int) -> dict[str, Any]:
    """A test as promtool reads it.

    :param step: Minutes between two values.
    """
    alert = f'ALERTS{{alertname="TokenServer{name}", alertstate="firing"}}'
    given = [line.rpartition("} ") for line in series.splitlines()]
    expected = [{"labels": "{}", "value": 1}] if fires else []
    return {
        "interval": f"{step}m",
        "input_series": [{"series": f"{head}}}", "values": values} for head, _, values in given],
        "promql_expr_test": [{"expr": f"count({alert}) > bool 0", "eval_time": f"{minute}m", "exp_samples": expected}],
    }


def test_prometheus_takes_the_configuration_and_every_expression(tmp_path: Path):
    promtool = find_program("promtool")
    for command in (
        ["check", "config", str(FOLDER / "prometheus.yml")],
        ["check", "rules", str(FOLDER / "token-server.rules.yaml")],
    ):
        done = subprocess.run([promtool, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    recorded = [{"record": f"r{number}", "expr": text} for number, (_, text) in enumerate(expressions())]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))
    done = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# --- with Prometheus itself ------------------------------------------------------------------------------------------
EMPTY_WHERE_ALL_IS_WELL = {
    "500, 503 and 429 a second",
    "Uses of a store that got no answer",
    "Proofs that are late or ahead",
}


def test_every_panel_shows_what_prometheus_scraped(deployment, compose, tmp_path: Path):
    program, port = find_program("prometheus"), free_port()
    with serve(deployment, compose["services"]["app"]["command"]) as served:
        changes = {
            r"127\.0\.0\.1:8000": f"127.0.0.1:{served.port}",
            r"scrape_interval: 15s": "scrape_interval: 500ms",
            r"token-server\.rules": f"{FOLDER}/token-server.rules",
        }
        (tmp_path / "prometheus.yml").write_text(edit((FOLDER / "prometheus.yml").read_text(), changes))
        used = deployment.caller.build_form()
        for form in (used, used, deployment.caller.build_form()):
            ask_token(served.port, form)
        command = [
            *[program, f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"],
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: query(port, "count(oauth2_cache_bytes) > 0") != [])
            for form in (used, deployment.caller.build_form()):  # counters that move while they are scraped
                ask_token(served.port, form)
            shown = [panel for panel in BOARD["panels"] if panel["title"] not in EMPTY_WHERE_ALL_IS_WELL]
            for text in [substitute(target["expr"]) for panel in shown for target in panel["targets"]]:
                wait_until(lambda text=text: query(port, text) != [], what=text)  # type: ignore[misc]
        finally:
            process.terminate()
            process.wait()


def query(port: int, expression: str) -> list[Any]:
    """What Prometheus answers now; nothing while it does not listen yet."""
    url = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            found: list[Any] = json.load(answer)["data"]["result"]
    except urllib.error.HTTPError as error:
        if error.code != 503:  # it is starting
            raise
        return []
    except OSError:
        return []
    return found
