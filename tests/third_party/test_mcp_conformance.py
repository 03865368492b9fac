"""``@modelcontextprotocol/conformance`` against our authorization server: every scenario that it has for one."""

import json
import re
import time

import pytest
import requests

from tests.refusals import causes
from tests.servers.ports import free_port
from tests.third_party.person import decide, serving_people

SUITE = "@modelcontextprotocol/conformance/dist/index.js"
RESOURCE = "https://mcp.example/mcp"
CLIENT_ID = "conformance"
SCENARIO = re.compile(r"^ +- (\S+)", re.MULTILINE)
SECONDS = 60


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with serving_people(
        tmp_path_factory.mktemp("conformance"),
        OAUTH2_PROFILE="mcp",
        OAUTH2_RESOURCES=[RESOURCE],
        OAUTH2_CLIENT_ID_SCOPES=["read"],
    ) as site:
        with site.app.app_context():
            site.oauth.clients.add(
                {
                    "client_id": CLIENT_ID,
                    "token_endpoint_auth_method": "none",
                    "grant_types": ["authorization_code", "refresh_token"],
                    "redirect_uris": ["http://127.0.0.1/callback"],
                    "scope": "read",
                }
            )
        yield site


def allow(site, url):
    """Allow it, and bring the answer to the suite, which may begin to listen a little later than it asks."""
    bring(decide(site, url))


def bring(location):
    for _ in range(100):
        try:
            requests.get(location, timeout=10)
            return
        except requests.ConnectionError:
            time.sleep(0.05)
    raise AssertionError("the suite does not listen")


def run_suite(site, node, folder, *options, visit=allow):
    """Run all scenarios, and open the URL that the suite asks a person to open; the checks of each scenario."""
    results = folder / "results"
    words = ["authorization", "--url", site.issuer, "--port", str(free_port()), "--output-dir", str(results), *options]
    said = []
    with node.start(node.find(SUITE), *words, seconds=SECONDS) as running:
        for line in running.lines():
            said.append(line)
            if line.startswith(f"{site.issuer}/oauth2/authorize?"):
                visit(site, line)
    found = {path.parent.name: json.loads(path.read_text()) for path in results.rglob("checks.json")}
    assert found, "\n".join(said)
    return found


def test_every_scenario_for_an_authorization_server_succeeds(site, node, tmp_path):
    listed = SCENARIO.findall(node.run(node.find(SUITE), "list", "--authorization"))
    found = run_suite(site, node, tmp_path, "--client-id", CLIENT_ID, "--resource", RESOURCE)
    outcomes = {check["id"]: (check["status"], check.get("errorMessage")) for part in found.values() for check in part}

    assert listed
    assert [
        name for name in listed if not any(folder.startswith(f"authorization-server-{name}-") for folder in found)
    ] == []
    assert set(outcomes.values()) == {("SUCCESS", None)}, outcomes


def test_suite_notices_a_request_without_a_resource(site, node, tmp_path):
    found = run_suite(site, node, tmp_path, "--client-id", CLIENT_ID, visit=visit_for_nothing)
    statuses = {check["id"]: check["status"] for part in found.values() for check in part}

    assert statuses["authorization-code-grant"] == "FAILURE"
    assert causes(site.refusals) == ["resource_missing"]


def visit_for_nothing(site, url):
    """Open a request that is refused; the refusal goes to the suite."""
    location = requests.get(url, timeout=10, allow_redirects=False).headers["Location"]
    assert "error=invalid_target" in location
    assert "iss=" in location
    bring(location)
