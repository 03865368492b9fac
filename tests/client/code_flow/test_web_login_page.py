"""The programs of docs/web-login.md, as they stand there, against our own server."""

import re
import subprocess
import sys
import threading

import pytest
import requests
from werkzeug.serving import make_server

from flask_private_key_jwt.client import generate_key
from tests.checkout import CHECKOUT
from tests.client.code_flow.chromium import open_in_chromium
from tests.client.code_flow.people import register, walk
from tests.third_party.person import PERSON, serving_people

PROGRAMS = re.findall(
    r"^```python\n(.*?)^```", (CHECKOUT / "docs" / "web-login.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
)


@pytest.fixture(autouse=True)
def clock_():
    """The wall clock goes on: the programs are others' processes, or could be."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with serving_people(tmp_path_factory.mktemp("people"), OAUTH2_DPOP_NONCE="required") as site:
        yield site


def make_keys(folder):
    for name in ("shop", "shop-dpop", "notes-dpop"):
        (folder / f"{name}.pem").write_bytes(generate_key().as_pem())
    return folder


@pytest.fixture(scope="module")
def shop(site, tmp_path_factory):
    """The web application of the page; its URL."""
    names = {"__name__": "shop"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(make_keys(tmp_path_factory.mktemp("shop")))
        patch.setenv("FLASK_SECRET_KEY", "a secret for tests only, the shop's")
        patch.setenv("FLASK_ISSUER", site.issuer)
        patch.setenv("FLASK_API", site.api)
        exec(compile(PROGRAMS[0], "docs/web-login.md", "exec"), names)
    server = make_server("127.0.0.1", 0, names["app"], threaded=True)
    url = f"http://127.0.0.1:{server.server_port}"
    key = names["client"]._flow._signer.key
    register(
        site,
        key,
        client_id="shop",
        redirect_uris=[f"{url}/callback"],
        application_type="native",
        scope="openid read",
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


def test_example_is_short():
    assert len([line for line in PROGRAMS[0].splitlines() if line.strip()]) <= 55


def test_person_signs_in_and_out(shop):
    with requests.Session() as browser:
        browser.trust_env = False
        assert browser.get(shop, timeout=5).text == '<a href="/login">Sign in</a>'
        leads = browser.get(f"{shop}/login", allow_redirects=False, timeout=5).headers["Location"]
        back = walk(leads, until=shop)

        home = browser.get(back, timeout=5)
        assert home.text.startswith(f"{PERSON} {{&#39;client&#39;: &#39;shop&#39;, &#39;cnf&#39;: ")

        again = browser.get(back, timeout=5)
        assert (again.status_code, "waits for no such answer" in again.text) == (400, True)
        assert browser.get(shop, timeout=5).text == home.text  # nothing was lost by that

        assert browser.post(f"{shop}/logout", timeout=5).text == '<a href="/login">Sign in</a>'


@pytest.mark.parametrize(
    "query",
    ["", "error=access_denied&state=x", "code=x&state=<script>", "code=a&code=b", "state=%FF", "code=x&state=%00"],
)
def test_what_strangers_bring_is_refused_with_a_page(query, shop):
    answer = requests.get(f"{shop}/callback?{query}", timeout=5)

    assert answer.status_code == 400
    assert '<a href="/">Back</a>' in answer.text
    assert "<script>" not in answer.text


def test_link_to_somebody_elses_answer_signs_nobody_in(shop):
    """Login CSRF: an attacker has a victim open the answer to a sign-in of the attacker's (RFC 6749 §10.12)."""
    with requests.Session() as attacker, requests.Session() as victim:
        leads = attacker.get(f"{shop}/login", allow_redirects=False, timeout=5).headers["Location"]
        victim.get(f"{shop}/login", allow_redirects=False, timeout=5)

        assert victim.get(walk(leads, until=shop), timeout=5).status_code == 400
        assert victim.get(shop, timeout=5).text == '<a href="/login">Sign in</a>'


def test_two_tabs_of_one_browser(shop):
    with requests.Session() as browser:
        leads = [browser.get(f"{shop}/login", allow_redirects=False, timeout=5).headers["Location"] for _ in range(2)]

        for lead in leads:
            assert PERSON in browser.get(walk(lead, until=shop), timeout=5).text


def test_real_browser_signs_in(shop, tmp_path):
    with requests.Session() as browser:  # the person allows it once
        walk(browser.get(f"{shop}/login", allow_redirects=False, timeout=5).headers["Location"], until=shop)

    assert f"{PERSON} {{'client': 'shop'" in open_in_chromium(f"{shop}/login", tmp_path / "browser")


def test_program_on_a_persons_machine(site, tmp_path):
    make_keys(tmp_path)
    register(site, client_id="notes", scope="openid offline_access read")
    # Stands in for the system's browser: a program that plays the person.
    (tmp_path / "browser.py").write_text(
        "import sys\nimport requests\nfrom tests.client.code_flow.people import walk\n"
        "requests.get(walk(sys.argv[1], until='/callback?'), timeout=5)\n"
    )
    environment = {
        "ISSUER": site.issuer,
        "API": site.api,
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(CHECKOUT),
        "BROWSER": f"{sys.executable} {tmp_path / 'browser.py'} %s &",
    }

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", PROGRAMS[1], *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
        )

    first = run()
    assert '"client":"notes"' in first.stdout.replace(" ", ""), first.stderr
    assert (tmp_path / "notes-tokens.json").stat().st_mode & 0o777 == 0o600
    assert run("--sign-out").stdout == first.stdout
    assert not (tmp_path / "notes-tokens.json").exists()
