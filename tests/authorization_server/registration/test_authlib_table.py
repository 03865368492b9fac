"""Clients are taken over from a real table of Authlib's, with the secrets that are in plain text there."""

import json

import pytest
from authlib.integrations.sqla_oauth2 import OAuth2ClientMixin
from sqlalchemy import Integer, create_engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from tests.authorization_server.client_auth.conftest import UNTIL, basic
from tests.conftest import CLIENT_ID, START
from tests.jose.mac import sign_mac

LONG = "kZUtZmfXdKMwVfVFMhHnb36F0L0XqUAgBCCTgtFjhVzNxq5U"
"""48 letters and digits, as Authlib's documentation makes a secret."""


class Base(DeclarativeBase):
    pass


class AuthlibClient(Base, OAuth2ClientMixin):
    """The model that Authlib's documentation shows."""

    __tablename__ = "authlib_client"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)


def make_client(client_id, secret=LONG, *, expires_at=0, **metadata):
    client = AuthlibClient(client_id=client_id, client_secret=secret, client_secret_expires_at=expires_at)
    client.set_client_metadata({"grant_types": ["client_credentials"], "scope": "read", **metadata})
    return client


def fill(engine, *clients):
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(clients)
        session.commit()


@pytest.fixture
def settings():
    return {"OAUTH2_CLIENT_SECRETS_UNTIL": UNTIL}


@pytest.fixture
def authlib(app, server):
    """Add clients to Authlib's table, in the app's own database."""

    def authlib(*clients):
        with app.app_context():
            fill(server[2].engine, *clients)

    return authlib


@pytest.fixture
def take_over(app):
    def take_over(*words):
        outcome = app.test_cli_runner().invoke(args=["oauth2", "client", "from-authlib", *words])
        assert LONG not in outcome.output + outcome.stderr
        return outcome

    return take_over


@pytest.fixture
def ask(app):
    def ask(headers=None, **form):
        data = {"grant_type": "client_credentials", **form}
        return app.test_client().post("/oauth2/token", data=data, headers=headers or {})

    return ask


@pytest.fixture
def secrets(app, oauth):
    def secrets(client_id=None):
        with app.app_context():
            return oauth.clients.secrets.all(client_id)

    return secrets


def test_client_of_each_method_goes_on_as_before(authlib, take_over, ask, clock):
    authlib(
        make_client("basic"),  # Authlib's default
        make_client("posting", token_endpoint_auth_method="client_secret_post"),
        make_client("signing", token_endpoint_auth_method="client_secret_jwt"),
    )

    outcome = take_over("authlib_client")

    assert outcome.exit_code == 0
    assert outcome.stdout.splitlines() == [
        "basic: taken over",
        "posting: taken over",
        "signing: taken over; assertion_audience is compatibility",
    ]
    assert outcome.stderr == "3 clients.\n"
    assert ask(basic("basic", LONG)).json["scope"] == "read"
    assert ask(client_id="posting", client_secret=LONG).status_code == 200
    claims = {"iss": "signing", "sub": "signing", "aud": "https://as.example/oauth2/token", "jti": "1"}
    assertion = sign_mac({"alg": "HS256"}, {**claims, "exp": clock.now + 3600}, LONG)
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert ask(client_assertion_type=kind, client_assertion=assertion).status_code == 200


def test_what_becomes_of_each_client_is_told_as_json(authlib, take_over):
    authlib(make_client("basic"), make_client("public", token_endpoint_auth_method="password"))

    outcome = take_over("authlib_client", "--dry-run", "--json")

    told = json.loads(outcome.stdout)
    taken, other = told["clients"]
    assert (told["changed"], taken) == (False, {"client_id": "basic", "taken_over": True, "notes": []})
    assert (other["client_id"], other["taken_over"]) == ("public", False)
    assert other["why"] in outcome.stderr


def test_registration_is_taken_over(app, oauth, people, authlib, take_over):
    authlib(
        make_client(
            "web",
            client_name="Web",
            grant_types=["authorization_code", "refresh_token", "password", "implicit"],
            response_types=["code", "token"],
            redirect_uris=["https://web.example/callback"],
            scope="read write",
            client_uri="https://web.example",
            owner="whoever",
            default_scope="write",
            favourite_colour="blue",
        )
    )

    outcome = take_over("authlib_client")

    assert outcome.stdout == "web: taken over; without the grant type password; without the grant type implicit\n"
    with app.app_context():
        client = oauth.clients.get("web")
    assert client.client_name == "Web"
    assert client.grant_types == {"authorization_code", "refresh_token"}
    assert client.redirect_uris == ("https://web.example/callback",)
    assert (client.scope, client.default_scope, client.owner) == ({"read", "write"}, (), None)
    assert (client.registered_by, client.metadata) == ("operator", {"client_uri": "https://web.example"})


@pytest.mark.parametrize(
    ("client", "says"),
    [
        (make_client("old", "too short"), "the secret has 9 characters, not 32 to 1024"),
        (make_client("old", "x" * 31, token_endpoint_auth_method="client_secret_jwt"), "the secret has 31 octets"),
        (
            make_client(
                "old",
                "x" * 40,
                token_endpoint_auth_method="client_secret_jwt",
                token_endpoint_auth_signing_alg="HS512",
            ),
            "the secret has 40 octets, and HS512 needs 64",
        ),
        (make_client("old", "ü" * 32), "other characters than printable ASCII"),
        (make_client("old", None), "it authenticates with 'client_secret_basic'; register it"),
        (make_client("old", "", token_endpoint_auth_method="none"), "it authenticates with 'none'"),
        (make_client("old", token_endpoint_auth_method="private_key_jwt"), "it authenticates with 'private_key_jwt'"),
        (make_client("old", token_endpoint_auth_method=["x"]), "it authenticates with"),
        (make_client("old", grant_types=["password"]), "it has no grant type that is served here"),
        (make_client("old", grant_types=[]), "it has no grant type that is served here"),
        (make_client("old", grant_types=["urn:example:own"]), "grant type 'urn:example:own' is not supported"),
        (make_client("old", redirect_uris="https://x.example"), "redirect_uris is not a list"),
        (make_client("old", expires_at=START), "its secret has expired"),
        (make_client("ö"), "client_id is not a string of 1 to 255 printable ASCII characters"),
    ],
)
def test_client_that_cannot_be_taken_over_is_named_and_the_others_are_taken(client, says, authlib, take_over, secrets):
    fresh = AuthlibClient(
        client_id=client.client_id,
        client_secret=client.client_secret,
        client_secret_expires_at=client.client_secret_expires_at,
    )
    fresh.set_client_metadata(client.client_metadata)
    authlib(make_client("good"), fresh)

    outcome = take_over("authlib_client")

    assert outcome.exit_code == 0
    assert outcome.stdout == "good: taken over\n"
    assert says in outcome.stderr
    assert [secret.client_id for secret in secrets()] == ["good"]


def test_broken_metadata_is_named(app, server, authlib, take_over):
    authlib(make_client("old"))
    with app.app_context(), server[2].engine.begin() as connection:
        connection.execute(text("UPDATE authlib_client SET client_metadata = '[]'"))

    assert "old: not taken over: its client_metadata is not a JSON object." in take_over("authlib_client").stderr


def test_dry_run_changes_nothing_and_finds_the_same(app, oauth, authlib, take_over):
    authlib(make_client("good"), make_client("bad", "too short"))

    outcome = take_over("authlib_client", "--dry-run")

    assert outcome.stdout == "good: would be taken over\n"
    assert "bad: not taken over: client secret: the secret has 9 characters" in outcome.stderr
    assert outcome.stderr.endswith("1 client. Nothing was changed.\n")
    with app.app_context():
        assert oauth.clients.all() == []


def test_it_does_nothing_twice(authlib, take_over, secrets):
    authlib(make_client("basic"), make_client("signing", token_endpoint_auth_method="client_secret_jwt"))
    take_over("authlib_client")

    again = take_over("authlib_client")

    assert again.stdout == "basic: taken over; nothing to do\nsigning: taken over; nothing to do\n"
    assert len(secrets()) == 2


def test_client_that_is_here_already_gets_its_secret_and_stays_as_it_is(client, authlib, take_over, ask, ask_token):
    authlib(make_client(CLIENT_ID, scope="admin"))

    take_over("authlib_client")

    assert ask(basic(CLIENT_ID, LONG)).status_code == ask_token().status_code == 200
    assert ask(basic(CLIENT_ID, LONG), scope="admin").json["error"] == "invalid_scope"


@pytest.mark.parametrize(
    ("words", "expires_at", "ends"),
    [
        ((), 0, None),
        ((), START + 500, START + 500),
        (("--until", "2027-01-20"), 0, START + 4 * 86400 + 16 * 3600),
        (("--until", "2027-01-20"), START + 500, START + 500),
        (("--until", "20270115T080010Z"), START + 500, START + 10),
    ],
)
def test_earlier_date_counts(words, expires_at, ends, authlib, take_over, secrets):
    authlib(make_client("old", expires_at=expires_at))

    take_over("authlib_client", *words)

    assert [secret.expires_at for secret in secrets()] == [ends]


def test_secret_that_is_written_differently_by_http_basic_is_named(authlib, take_over):
    authlib(make_client("old", "a secret with 100% of what + needs to be"))

    assert "its secret holds % or +" in take_over("authlib_client").stdout


def test_table_may_be_in_another_database(tmp_path, take_over, secrets):
    url = f"sqlite:///{tmp_path}/authlib.sqlite"
    engine = create_engine(url)
    fill(engine, make_client("old"))
    engine.dispose()

    assert take_over("authlib_client", "--database", url).stdout == "old: taken over\n"
    assert [secret.client_id for secret in secrets()] == ["old"]


def test_table_that_is_none_of_authlibs_is_refused(take_over):
    for table in ("nowhere", "oauth2_replay"):
        outcome = take_over(table)

        assert outcome.exit_code == 2
        assert f"The table '{table}' cannot be read as one of Authlib's clients: OperationalError." in outcome.stderr


def test_wrong_date_is_refused(take_over):
    assert "--until soon must be an ISO 8601 date or time" in take_over("authlib_client", "--until", "soon").stderr


@pytest.mark.parametrize("settings", [{}])
def test_without_the_setting_nothing_is_taken_over(authlib, take_over, app, oauth):
    authlib(make_client("old"))

    assert "'client_secret_basic' is not supported" in take_over("authlib_client").stderr
    with app.app_context():
        assert oauth.clients.all() == []
