"""``flask oauth2 revoke``: whose tokens end, and that a typing error ends nobody's tokens."""

import pytest

from flask_private_key_jwt.jose import jose
from tests.conftest import API, CLIENT_ID


@pytest.fixture
def run(app):
    def run(*words):
        return app.test_cli_runner().invoke(args=["oauth2", "revoke", *words, "--yes"])

    return run


@pytest.fixture
def token(ask_token):
    return ask_token().json["access_token"]


@pytest.fixture
def is_active(introspect):
    return lambda token: introspect(token).json["active"]


def jti_of(token):
    return jose.decode_unverified(token)[1]["jti"]


EVERY_TOKEN = "0 grants, and every access token issued up to now.\n"


@pytest.mark.parametrize(
    ("words", "whose"),
    [
        (["--client", CLIENT_ID], "what client console holds"),
        (["--subject", CLIENT_ID], "what 'console' granted"),
        (["--client", CLIENT_ID, "--subject", CLIENT_ID], "what 'console' granted client console"),
    ],
)
def test_all_that_a_client_or_a_person_has_is_revoked(words, whose, run, token, is_active):
    outcome = run(*words)

    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, f"Revoked: {whose}; {EVERY_TOKEN}", "")
    assert not is_active(token)


def test_one_token_is_revoked_by_its_name(run, ask_token, token, is_active):
    another = ask_token().json["access_token"]

    outcome = run("--jti", jti_of(token))

    assert (outcome.exit_code, outcome.stdout) == (0, f"Access token {jti_of(token)} is revoked, if there is one.\n")
    assert not is_active(token)
    assert is_active(another)


def test_name_may_begin_with_a_dash(run, app, client):
    outcome = run("--jti", "-x")

    assert (outcome.exit_code, outcome.stdout) == (0, "Access token -x is revoked, if there is one.\n")


@pytest.mark.parametrize("words", [["--client", "Console"], ["--client", "nobody", "--subject", "alice"]])
def test_unknown_client_is_pointed_out(words, run, token, is_active):
    outcome = run(*words)

    assert outcome.exit_code == 0
    assert outcome.stderr == f"Note: no client {words[1]} is registered here.\n"
    assert is_active(token)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--client", ""],
        ["--client", "", "--subject", ""],
        ["--jti", ""],
        ["--client", CLIENT_ID, "--subject", ""],
        ["--client", "", "--subject", "alice"],
        ["--client", CLIENT_ID, "--jti", "x"],
        ["--subject", "alice", "--jti", "x"],
    ],
)
def test_it_must_be_clear_whose_tokens_are_meant(words, run, token, is_active):
    outcome = run(*words)

    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert outcome.stderr == "Error: Give --client, --subject or both, or else --jti.\n"
    assert is_active(token)


@pytest.mark.parametrize("words", [["--client", CLIENT_ID], ["--subject", "alice"], ["--jti", "x"]])
def test_database_without_tables_is_a_sentence(words, run, server):
    app, _, db = server
    with app.app_context():
        db.drop_all()

    outcome = run(*words)

    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert "no such table" in outcome.stderr


def test_resource_servers_are_named_on_the_command_line(app, oauth, client, introspect, token):
    def run(*words):
        outcome = app.test_cli_runner().invoke(args=["oauth2", "client", *words])
        assert outcome.exit_code == 0, outcome.output

    def resources():
        with app.app_context():
            return oauth.clients.get(CLIENT_ID).introspection_resources

    run("update", CLIENT_ID, "--introspection-resource", API, "--introspection-resource", "https://as.example")
    assert resources() == (API, "https://as.example")
    run("update", CLIENT_ID, "--name", "Console")
    assert resources() == (API, "https://as.example")
    run("update", CLIENT_ID, "--introspection-resource", API)
    assert resources() == (API,)


def test_unknown_resource_is_refused(app, client):
    words = ["oauth2", "client", "update", CLIENT_ID, "--introspection-resource", "https://other.example"]

    outcome = app.test_cli_runner().invoke(args=words)

    assert outcome.exit_code == 2
    assert "introspection_resources is not a list of what is in OAUTH2_RESOURCES" in outcome.stderr
