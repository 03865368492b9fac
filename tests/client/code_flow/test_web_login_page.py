"""The programs of docs/web-login.md, as they stand there, against our own server."""

import re
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
import requests
from sqlalchemy import create_engine
from werkzeug.serving import make_server

from flask_private_key_jwt.client import AuthorizationCodeClient, SignInRequired, generate_key
from tests.checkout import CHECKOUT
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


WEB_APPLICATION, TABLE_STORE, ON_THIS_MACHINE = PROGRAMS


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
        exec(compile(WEB_APPLICATION, "docs/web-login.md", "exec"), names)
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
    assert len([line for line in WEB_APPLICATION.splitlines() if line.strip()]) <= 55


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


def test_real_browser_signs_in_and_out(shop, chromium):
    chromium.open(shop)
    chromium.press('a[href="/login"]')
    chromium.wait_for(
        "document.querySelector('[name=decision_token]') || document.forms[0]?.action.endsWith('/logout')"
    )
    if chromium.evaluate("document.querySelector('[name=decision_token]') !== null"):
        chromium.press("button[value=allow]")
    chromium.wait_for_text("body", f"{PERSON} {{'client': 'shop'")

    chromium.press("form button")
    chromium.wait_for_text("body", "Sign in")


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
            [sys.executable, "-c", ON_THIS_MACHINE, *arguments],
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


# --- the table of tokens ----------------------------------------------------------------------------------------
@pytest.fixture
def make_table_store():
    """Makes the table of the page in a database, and stores over it."""
    names, engines = {}, []
    exec(compile(TABLE_STORE, "docs/web-login.md", "exec"), names)

    def make(url):
        engine = create_engine(url)
        engines.append(engine)
        names["person_tokens"].metadata.create_all(engine)
        return lambda: names["TableTokenStore"](engine, "handle")

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture(scope="module")
def _native(site):
    register(site, client_id="native", scope="openid offline_access read")


@pytest.fixture
def make_native(_native, site, proof_key):
    """Makes a client whose refresh token is replaced at each use."""
    return lambda: AuthorizationCodeClient(site.issuer, "native", dpop_key=proof_key)


def sign_in(client, store, site):
    request = client.start("http://127.0.0.1/callback", scope="openid offline_access read", resource=site.api)
    store.save(client.finish(walk(request.url, until="/callback?"), request.pending))


def test_tokens_are_kept_in_a_table(sql_url, make_table_store, make_native, site):
    store, client = make_table_store(sql_url)(), make_native()
    assert store.load() is None
    sign_in(client, store, site)
    assert store.load().subject == PERSON

    before = store.load().refresh_token
    auth = client.auth(store, resource=site.api)
    auth._access._tokens.forget(store.load().token.access_token)
    assert requests.get(site.bound_values, auth=auth, timeout=5).status_code == 200
    assert store.load().refresh_token != before

    client.sign_out(store)
    assert store.load() is None


@pytest.mark.parametrize("database", ["postgres_url", "mariadb_url"])
def test_one_process_renews_at_a_time(database, make_table_store, make_native, site, request):
    make_store = make_table_store(request.getfixturevalue(database))
    sign_in(make_native(), make_store(), site)
    old = make_store().load()
    make_store().save(replace(old, token=replace(old.token, expires_at=1)))
    programs = [make_native() for _ in range(4)]  # clients of their own, as in four processes
    tokens = []

    def call(program):
        tokens.append(program.auth(make_store(), resource=site.api).token().access_token)

    threads = [threading.Thread(target=call, args=[program]) for program in programs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(tokens), len(set(tokens))) == (4, 1)


def test_tokens_that_are_over_are_deleted_from_the_table(make_table_store, make_native, site, tmp_path):
    make_store, client = make_table_store(f"sqlite:///{tmp_path}/tokens.sqlite"), make_native()
    sign_in(client, make_store(), site)
    over = replace(make_store().load(), refresh_token="wrong")
    make_store().save(replace(over, token=replace(over.token, expires_at=1)))

    with pytest.raises(SignInRequired):
        client.auth(make_store(), resource=site.api).token()
    assert make_store().load() is None
