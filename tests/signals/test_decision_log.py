"""``OAUTH2_LOG_FORMAT = "json"``: one line for each decision."""

import json
import logging
import subprocess
import sys

import flask
import pytest

from flask_private_key_jwt import ResourceProtector
from flask_private_key_jwt.errors import ConfigurationError
from tests.checkout import CHECKOUT
from tests.conftest import API, CLIENT_ID, ISSUER, START, make_app

JSON = {"OAUTH2_LOG_FORMAT": "json"}
NAME = "flask_private_key_jwt.decisions"


@pytest.fixture
def lines(caplog):
    """The lines so far, parsed."""
    caplog.set_level(logging.INFO, logger=NAME)
    return lambda: [json.loads(record.getMessage()) for record in caplog.records if record.name == NAME]


@pytest.fixture(params=[JSON])
def settings(request):
    return request.param


def test_a_token_is_one_line(ask_token, lines):
    ask_token()

    (line,) = (line for line in lines() if line["event"] == "token_issued")
    assert (line["time"], line["level"], line["client_id"], line["scope"]) == (START, "INFO", CLIENT_ID, ["read"])


def test_a_refusal_is_one_line_and_not_a_second_one_as_text(ask_token, lines, caplog):
    answer = ask_token(assertion="x")

    (line,) = (line for line in lines() if line["event"] == "request_refused")
    assert (line["level"], line["endpoint"], line["error"]) == ("WARNING", "token", "invalid_client")
    assert line["reference"] == answer.headers["Error-Reference"]
    assert " refused: " not in "".join(record.getMessage() for record in caplog.records if record.name != NAME)


@pytest.mark.parametrize("settings", [{}, {"OAUTH2_LOG_FORMAT": "text"}])
def test_as_text_there_is_no_line_of_json(ask_token, lines, caplog):
    ask_token()
    ask_token(assertion="x")

    assert lines() == []
    assert "token refused: invalid_client" in caplog.text


def test_a_change_is_one_line(oauth, app, client, lines):
    with app.app_context():
        oauth.clients.disable(CLIENT_ID)

    assert lines()[-1]["event"] == "client_changed"
    assert lines()[-1]["members"] == ["enabled"]


def test_a_line_is_one_printable_line_of_ascii(ask_token, caplog, lines):
    ask_token(grant_type='x"\n\x1b[31mé\u2028')

    text = next(record.getMessage() for record in caplog.records if record.name == NAME)
    assert text.isascii()
    assert text.isprintable()
    assert lines()[-1]["event"] == "request_refused"


def test_no_line_holds_an_assertion_or_a_token(ask_token, build_assertion, introspect, caplog, lines):
    signed = build_assertion()
    answer = ask_token(assertion=signed)
    ask_token(assertion=signed)
    introspect(answer.json["access_token"])

    assert len(lines()) >= 3
    assert signed not in caplog.text
    assert answer.json["access_token"] not in caplog.text


def test_an_api_alone_writes_lines_too(lines):
    app = flask.Flask("api")
    app.config.from_mapping(OAUTH2_ISSUER=ISSUER, OAUTH2_RESOURCE=API, **JSON)
    protect = ResourceProtector()
    protect.init_app(app)
    app.add_url_rule("/", view_func=protect()(lambda: "in"))

    app.test_client().get("/")

    assert [(line["event"], line["level"], line["endpoint"]) for line in lines()] == [
        ("request_refused", "INFO", "resource")
    ]


@pytest.mark.parametrize("value", ["JSON", "xml"])
def test_another_format_is_refused(value, tmp_path):
    with pytest.raises(ConfigurationError, match="must be one of text, json"):
        make_app(f"sqlite:///{tmp_path}/other.sqlite", OAUTH2_LOG_FORMAT=value)


@pytest.mark.parametrize(
    ("set_up", "expected"),
    [
        ("", "{"),
        ("logging.basicConfig(format='mine: %(message)s')", "mine: {"),
        ("logging.getLogger('flask_private_key_jwt.decisions').setLevel('WARNING')", ""),
    ],
)
def test_lines_go_to_the_applications_handlers_or_to_standard_error(set_up, expected):
    program = f"""
import logging
{set_up}
from flask_private_key_jwt.signals.events import Announcer, ClientRemoved
Announcer(object(), log_json=True).tell(ClientRemoved("console", "operator"))
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=True)

    assert run.stdout == ""
    assert run.stderr.count("client_removed") == (1 if expected else 0)
    assert run.stderr.startswith(expected)
