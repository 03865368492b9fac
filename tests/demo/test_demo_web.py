"""``make demo-web``: both servers and the web application until Ctrl-C, and a person who signs in there."""

import os
import re
import shutil
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
import requests
from demo_program import CHECKOUT, SECONDS, answers

from demo.clients import ALICE
from demo.console_client.browser import ScriptedBrowser, read_form


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


def start(demo, *words, **environment):
    """The demo, once it says what to open."""
    process = demo.start("demo.run", "--web", *demo.ports, *words, **environment)
    read_until(process, "Ctrl-C ends all of it.")
    return process


def read_until(process, sentence):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(sentence):
            return lines
    raise AssertionError("".join([*lines, process.stderr.read()]))


def end(process, number=signal.SIGINT):
    process.send_signal(number)
    out, err = process.communicate(timeout=SECONDS)
    return process.returncode, out, err


def members(page):
    """What a page shows, by name."""
    return dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", page.text))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_says_what_to_open_and_ends_well_on_a_signal(demo, number):
    process = demo.start("demo.run", "--web", *demo.ports)

    said = "".join(read_until(process, "Ctrl-C ends all of it."))

    assert f"Open {demo.web} and sign in as alice with the password wonderland." in said
    assert all(answers(port) for port in (demo.as_port, demo.api_port, demo.web_port))
    assert end(process, number) == (0, "\nAll servers are stopped.\n", "")
    assert not demo.processes()


def test_a_person_signs_in_and_out_also_on_the_second_run(demo, person):
    for run in ("first", "second"):
        process = start(demo)

        page = person.get("/login")

        assert page.url == f"{demo.web}/me"
        known = members(page)
        assert known["iss"] == demo.issuer
        assert known["aud"] == "web-client"
        assert "<h2>UserInfo says</h2>" in page.text
        assert f"GET {demo.issuer}/oauth2/userinfo: 200" in page.text
        assert f"GET {demo.api}/api/values: 200" in page.text
        assert "<li>read by web-client</li>" in page.text
        assert person.seen == (["signs in as alice", "presses allow"] if run == "first" else ["signs in as alice"])

        page = person.sign_out()

        assert urlsplit(page.url)[:3] == ("http", urlsplit(demo.web).netloc, "/signed-out")
        assert "signed out, here and at the token server" in page.text
        assert "Nobody is signed in" in person.http.get(demo.issuer, timeout=10).text
        assert end(process)[0] == 0
        person.seen.clear()


def test_a_person_who_denies_reads_so(demo):
    process = start(demo)

    page = Person(demo, decision="deny").get("/login")

    assert page.status_code == 403
    assert "You did not allow it, so you are not signed in." in page.text
    assert end(process)[0] == 0


def test_tokens_that_end_soon_are_refreshed(demo, person):
    process = start(demo, FLASK_OAUTH2_ACCESS_TOKEN_LIFETIME_SECONDS="5")
    person.get("/login")

    pages = [person.get("/me") for _ in range(2)]

    assert ["/api/values: 200" in page.text for page in pages] == [True, True]
    assert end(process)[0] == 0


def test_a_token_server_that_went_away_ends_the_demo_with_its_log(demo):
    process = start(demo)
    for number in demo.process_ids("demo.token_server"):
        os.kill(number, signal.SIGKILL)

    out, err = process.communicate(timeout=SECONDS)

    assert process.returncode == 2
    assert err.startswith("The token server has ended.\nThe end of ")
    assert "stopped" not in out


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
