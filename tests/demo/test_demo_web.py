"""``make demo-web``: both servers and the web application until Ctrl-C, and a person who signs in there."""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
import requests

from demo.clients import ALICE
from demo.console_client.browser import ScriptedBrowser, read_form
from tests.checkout import CHECKOUT
from tests.demo.demo_program import SECONDS, answers


class Person:
    """Alice at her browser: she goes through the token server's pages, and stops at those of the application."""

    def __init__(self, demo, *, decision="allow"):
        self.demo = demo
        self.http = requests.Session()
        self.http.trust_env = False
        self.script = ScriptedBrowser(ALICE, decision=decision)
        self.seen = self.script.seen

    def get(self, path):
        return self._go_on(self.http.get(self.demo.web + path, timeout=10))

    def press(self, path):
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.get("/requests").text)[1]
        return self.http.post(self.demo.web + path, data={"csrf_token": token}, timeout=10)

    def sign_out(self):
        form = read_form(self.get("/"))
        return self._go_on(self.http.post(form.action, data=form.fields, timeout=10))

    def _go_on(self, page):
        while page.url.startswith(self.demo.issuer) and (form := read_form(page)):
            page = self.http.post(form.action, data=self.script.fill_in(form), timeout=10)
        return page


@pytest.fixture
def person(demo):
    return Person(demo)


@contextmanager
def running(demo, **environment):
    """The demo, from when it says what to open."""
    process = demo.start("demo.run", "--web", *demo.ports, **environment)
    try:
        read_until(process, "Ctrl-C ends all of it.")
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)


def read_until(process, sentence):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(sentence):
            return lines
    raise AssertionError("".join([*lines, process.stderr.read()]))


def members(page):
    """What a page shows, by name."""
    return dict(re.findall(r"<dt>([^<]*)</dt><dd><bdi>([^<]*)</bdi></dd>", page.text))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_says_what_to_open_and_ends_well_on_a_signal(demo, number):
    process = demo.start("demo.run", "--web", *demo.ports)
    said = "".join(read_until(process, "Ctrl-C ends all of it."))
    listening = [answers(port) for port in (demo.as_port, demo.api_port, demo.web_port)]

    process.send_signal(number)
    out, err = process.communicate(timeout=SECONDS)

    assert f"Open {demo.web} and sign in as alice with the password wonderland." in said
    assert listening == [True] * 3
    assert (process.returncode, out, err) == (0, "\nAll servers are stopped.\n", "")
    assert not demo.processes()


def test_a_person_signs_in_and_reads_what_is_known(demo, person):
    with running(demo, HTTP_PROXY="http://127.0.0.1:9"):  # for the world, not for this machine
        page = person.get("/login")

    known = members(page)
    assert page.url == f"{demo.web}/me"
    assert person.seen == ["signs in as alice", "presses allow"]
    assert (known["iss"], known["aud"]) == (demo.issuer, "web-client")
    assert known["name"] == "alice"
    assert f"GET {demo.issuer}/oauth2/userinfo: 200" in page.text
    assert f"GET {demo.api}/api/values: 200" in page.text
    assert "<li>read by web-client</li>" in page.text


def test_a_person_signs_out_at_both(demo, person):
    with running(demo):
        person.get("/login")
        page = person.sign_out()
        at_server = person.http.get(demo.issuer, timeout=10)

    assert page.url.partition("?")[0] == f"{demo.web}/signed-out"
    assert "You are signed out, here and at the token server." in page.text
    assert "Nobody is signed in" in at_server.text


def test_a_second_run_knows_what_was_allowed(demo, person):
    with running(demo):
        Person(demo).get("/login")
    with running(demo):
        person.get("/login")

    assert person.seen == ["signs in as alice"]


def test_a_person_who_denies_reads_so(demo):
    with running(demo):
        page = Person(demo, decision="deny").get("/login")

    assert page.status_code == 403
    assert "You did not allow it, so you are not signed in." in page.text


def test_the_last_requests_are_shown_decoded_with_the_reasons_of_the_servers_logs(demo, person):
    with running(demo):
        person.get("/login")
        for path in (
            "/requests/call/mobile-client",
            "/requests/attack/replayed-assertion",
            "/requests/attack/other-key",
        ):
            page = person.press(path)

    assert page.url == f"{demo.web}/requests"
    assert "<bdi>the proof is made with another key than the token&#39;s</bdi>" in page.text
    assert "cause assertion_replayed, reference " in page.text
    assert "This must not be" not in page.text
    assert "&#34;aud&#34;: &#34;web-client&#34;" in page.text  # the ID token, decoded
    assert page.text.count("<section") == 1 + 1 + 2 + 2 + 3 + 2


def test_a_button_that_is_not_of_this_page_does_nothing(demo, person):
    with running(demo):
        foreign = person.http.post(f"{demo.web}/requests/attack/other-key", timeout=10)
        unknown = [person.press(f"/requests/{path}") for path in ("attack/nothing", "call/web-client")]
        page = person.get("/requests")

    assert foreign.status_code == 400
    assert [answer.status_code for answer in unknown] == [404, 404]
    assert "Nothing yet." in page.text


def test_tokens_that_end_soon_are_refreshed(demo, person):
    with running(demo, FLASK_OAUTH2_ACCESS_TOKEN_LIFETIME_SECONDS="10"):
        person.get("/login")
        pages = [person.get("/me") for _ in range(2)]

    assert [page.text.count(": 200</p>") for page in pages] == [2, 2]


def test_a_server_that_went_away_ends_the_demo_with_its_log(demo):
    with running(demo) as process:
        for number in demo.process_ids("demo.token_server"):
            os.kill(number, signal.SIGKILL)
        _, err = process.communicate(timeout=SECONDS)

    assert process.returncode == 2
    assert err.startswith("The token server has ended.\nThe end of ")


def test_a_taken_port_of_the_web_application_is_a_sentence(demo, taken):
    taken.bind(("127.0.0.1", demo.web_port))
    taken.listen()

    done = demo.run("demo.run", "--web", *demo.ports)

    taken.close()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Port {demo.web_port} is not free")
    assert "make demo-web WEB_PORT=" in done.stderr


def test_make_passes_on_the_ports_and_needs_no_keyboard(demo):
    make = shutil.which("make")
    assert make is not None
    ports = [f"AS_PORT={demo.as_port}", f"API_PORT={demo.api_port}", f"WEB_PORT={demo.web_port}"]
    # The set-up is tested elsewhere: this one takes the interpreter that runs the tests.
    process = subprocess.Popen(
        [make, "--silent", *ports, "demo-web", "--assume-old=set-up-demo", f"python='{sys.executable}'"],
        cwd=CHECKOUT,
        env=demo.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    read_until(process, f"Open {demo.web} and sign in as alice")

    process.terminate()
    process.communicate(timeout=SECONDS)
    assert demo.is_gone()


def test_another_server_on_the_same_port_is_noticed(demo):
    with running(demo) as process, demo.serving("granian", "demo.token_server", demo.as_port):
        _, err = process.communicate(timeout=SECONDS)

    assert process.returncode == 2
    assert f"Another server answers on port {demo.as_port} too" in err
    assert "make demo-web AS_PORT=" in err
