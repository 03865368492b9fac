"""``flask oauth2 client list``, and the notes of ``add``: whose a client is, what for, when used, what it lacks."""

import json

import pytest
from sqlalchemy import text

from flask_private_key_jwt.authorization_server.cli import client_list
from flask_private_key_jwt.authorization_server.cli.output import Cell
from flask_private_key_jwt.authorization_server.registration.overview import ClientOverviews
from flask_private_key_jwt.authorization_server.stores.contracts import DocumentKey
from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.jose.certificates import build_self_signed, jwk_of, load_certificate
from tests.authorization_server.client_auth.conftest import SECONDS_UNTIL, UNTIL
from tests.authorization_server.conftest import APP_ID
from tests.conftest import API, CLIENT_ID, START

DAY = 86400
URL = "https://client.example/jwks.json"


@pytest.fixture
def run(app):
    def run(*words, given=None):
        return app.test_cli_runner().invoke(args=["oauth2", "client", *map(str, words)], input=given)

    return run


@pytest.fixture
def listed(run):
    """The clients as ``--json`` prints them, by name."""

    def listed(*words):
        outcome = run("list", "--json", *words)
        assert (outcome.exit_code, outcome.stderr) == (0, "")
        return {entry["client_id"]: entry for entry in json.loads(outcome.stdout)}

    return listed


@pytest.fixture
def certified(register, keys):
    """A client whose keys have certificates for so many days."""

    def certified(*days, client_id="certified", **members):
        built = [build_self_signed(keys("ES256", f"{n}"), common_name="x", days=n, now=START) for n in days]
        return register(client_id=client_id, jwks={"keys": [jwk_of(load_certificate(pem)) for pem in built]}, **members)

    return certified


# --- the table ------------------------------------------------------------------------------------------------
def test_list_shows_owner_kind_last_use_and_end_of_keys(run, client, certified, ask_token, clock):
    certified(30, owner="finance", scope="read", dpop_bound_access_tokens=True)
    clock.move(60)
    ask_token()

    outcome = run("list")

    assert (outcome.exit_code, outcome.stderr) == (0, "")
    head, one, two = outcome.stdout.splitlines()
    names = ("CLIENT", "OWNER", "KIND", "CREDENTIAL", "TOKENS", "LAST", "KEYS", "STATE", "SCOPE")
    columns = [head.index(name) for name in names]
    fields = [[row[a:b].strip() for a, b in zip(columns, [*columns[1:], None], strict=True)] for row in (one, two)]
    assert fields == [
        ["certified", "finance", "service", "key", "DPoP", "never", "2027-02-14 08:00 UTC", "enabled", "read"],
        ["console", "-", "service", "key", "Bearer or DPoP", "2027-01-15 08:01 UTC", "-", "enabled", "read write"],
    ]


def test_kind_says_for_whom_a_client_acts(webapp, native, client, register, client_key, listed):
    jwks = {"keys": [client_key.public_jwk()]}
    register(client_id="orders", jwks=jwks, introspection_resources=[API])

    kinds = {name: entry["kind"] for name, entry in listed().items()}

    assert kinds == {APP_ID: "web", "native": "native", CLIENT_ID: "service", "orders": "api"}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("--owner finance", {"billing"}),
        ("--owner nobody", set()),
        ("--kind native", {"native"}),
        ("--kind service", {"billing", CLIENT_ID}),
        ("--scope write", {CLIENT_ID}),
        ("--disabled", {"billing"}),
        ("--self-registered", {"native"}),
        ("--unused-for 1d", {"billing", "native"}),
        ("--keys-end-within 30d", {"billing"}),
        ("--keys-end-within 29d", set()),
        ("--kind service --scope read --disabled", {"billing"}),
    ],
)
def test_list_is_filtered(words, names, client, native, certified, run, ask_token, listed):
    certified(30, client_id="billing", owner="finance", scope="read")
    run("disable", "billing")
    run("vouch", "native", "--withdraw")
    ask_token()

    assert listed(*words.split()).keys() == names


def test_json_says_what_is_registered_and_what_is_known(client, listed, ask_token):
    ask_token()

    entry = listed()[CLIENT_ID]

    assert (entry["registered_by"], entry["last_used_at"], entry["keys_expire_at"]) == ("operator", START, None)
    assert (entry["shortcomings"], entry["scope"]) == ([], "read write")


@pytest.mark.parametrize(("seconds", "color"), [(-1, "red"), (0, "yellow"), (30 * DAY, "yellow"), (31 * DAY, None)])
def test_end_of_keys_has_the_color_of_its_nearness(seconds, color, clock):
    assert client_list._show_end(START + seconds).color == color


def test_client_without_an_end_has_no_color():
    assert client_list._show_end(None) == Cell("-")


# --- when it was used, how long its keys last -----------------------------------------------------------------
def test_last_key_decides_when_a_client_is_out(certified, listed):
    certified(10, 40)

    assert listed()["certified"]["keys_expire_at"] == START + 40 * DAY


def test_key_without_a_certificate_has_no_end(certified, run, listed, tmp_path, client_key):
    certified(10)
    (tmp_path / "next.json").write_text(json.dumps(client_key.public_jwk()))
    run("add-key", "certified", tmp_path / "next.json")

    assert listed()["certified"]["keys_expire_at"] is None


def test_keys_at_a_url_are_those_that_are_kept(app, register, keys, listed):
    """Nothing is fetched for a list."""
    register(client_id="remote", jwks_uri=URL, scope="read")
    assert (listed()["remote"]["keys_expire_at"], listed()["remote"]["shortcomings"]) == (None, [])

    pem = build_self_signed(keys("ES256", "remote"), common_name="x", days=5, now=START)
    with app.app_context():
        documents, key = app.extensions["private_key_jwt"].documents, DocumentKey("operator-jwks", URL)
        assert documents.claim(key, now=START, not_before=START - 60)
        body = json.dumps({"keys": [jwk_of(load_certificate(pem))]})
        documents.save(key, body, fetched_at=START, fresh_until=START)

    assert listed()["remote"]["keys_expire_at"] == START + 5 * DAY


@pytest.mark.parametrize("settings", [{"OAUTH2_CLIENT_SECRETS_UNTIL": UNTIL}])
def test_secret_is_used_and_ends_too(run, register, listed):
    register(client_id="old", token_endpoint_auth_method="client_secret_post", scope="read")
    run("secret", "give", "old", "--until", "2027-01-20")
    assert listed()["old"]["keys_expire_at"] == START + 5 * DAY - 8 * 3600

    run("secret", "give", "old")

    assert listed()["old"]["keys_expire_at"] == START + SECONDS_UNTIL
    assert listed()["old"]["last_used_at"] is None


def test_public_client_was_used_when_it_last_got_a_token(native, server, listed, clock):
    app, _, db = server
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO oauth2_refresh_token (digest, grant_id, client_id, subject, scope, resources, dpop_bound, "
                "idle_until, expires_at, last_used_at) VALUES (x'00', 'g', 'native', 'alice', 'read', '', 1, 1, 1, :at)"
            ),
            {"at": START - 7},
        )

    assert listed()["native"]["last_used_at"] == START - 7


# --- a client that could do nothing ---------------------------------------------------------------------------
@pytest.fixture
def write(tmp_path, client_key):
    def write(**members):
        path = tmp_path / "client.json"
        given = {"client_id": "new", "jwks": {"keys": [client_key.public_jwk()]}, "scope": "read", **members}
        path.write_text(json.dumps({name: value for name, value in given.items() if value is not None}))
        return path

    return write


def test_client_that_can_do_all_that_it_may_gets_no_note(run, write):
    assert run("add", write()).stderr == ""


@pytest.mark.parametrize(
    ("members", "note"),
    [
        ({"scope": None}, "it has no scope, so it gets no token."),
        (
            {"redirect_uris": ["https://app.example/callback"]},
            "it has redirect_uris, but not the grant type authorization_code.",
        ),
    ],
)
def test_client_that_could_do_nothing_is_said_to(members, note, run, write):
    outcome = run("add", write(**members))

    assert (outcome.exit_code, outcome.stdout) == (0, "Client new is registered.\n")
    assert outcome.stderr == f"Note: {note}\n"
    assert f"Note: new: {note}\n" in run("list").stderr
    assert "see note" in run("list").stdout


def test_api_that_only_introspects_needs_no_scope(run, write):
    assert run("add", write(scope=None, introspection_resources=[API])).stderr == ""


@pytest.mark.parametrize("settings", [{"OAUTH2_CLIENT_SECRETS_UNTIL": UNTIL}])
def test_client_without_its_secret_is_said_to_lack_it(run, write, clock):
    added = run("add", write(jwks=None, token_endpoint_auth_method="client_secret_basic"))
    assert added.stderr == "Note: it has no secret yet: flask oauth2 client secret give new.\n"

    run("secret", "give", "new")
    assert run("update", "new", "--name", "New").stderr == ""

    clock.move(SECONDS_UNTIL)
    assert "client_secret_basic" in run("list").stderr


def test_client_whose_certificates_are_over_is_said_to_have_no_key(certified, run, clock):
    certified(30, scope="read")
    assert run("list").stderr == ""

    clock.move(31 * DAY)

    assert run("list").stderr == "Note: certified: none of its keys is valid now.\n"
    assert run("update", "certified", "--owner", "x").stderr == "Note: none of its keys is valid now.\n"


def test_client_is_registered_though_the_note_cannot_be_had(run, write, monkeypatch, listed):
    def fail(*_):
        raise StoreUnavailable("database: gone", cause="database_error")

    with monkeypatch.context() as patch:
        patch.setattr(ClientOverviews, "find_shortcomings", fail)
        outcome = run("add", write())

    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, "Client new is registered.\n", "")
    assert listed().keys() == {"new"}


def test_disabled_client_gets_no_note_for_what_it_cannot_do(run, write):
    run("add", write(scope=None))
    run("disable", "new")

    outcome = run("list")

    assert (outcome.stderr, "disabled" in outcome.stdout) == ("", True)


# --- options of add -------------------------------------------------------------------------------------------
def test_client_that_acts_for_people_is_added_by_options(run, write, people, listed):
    words = ["--web", "--redirect-uri", "https://app.example/a", "--redirect-uri", "https://app.example/b"]

    outcome = run("add", write(), *words, "--grant-type", "authorization_code", "--grant-type", "refresh_token")

    assert (outcome.exit_code, outcome.stderr) == (0, "")
    entry = listed()["new"]
    assert entry["redirect_uris"] == ["https://app.example/a", "https://app.example/b"]
    assert entry["grant_types"] == ["authorization_code", "refresh_token"]
    assert (entry["application_type"], entry["kind"]) == ("web", "web")


def test_public_native_client_is_added_without_a_file(run, people, listed):
    words = "--public --native --redirect-uri http://127.0.0.1/callback --grant-type authorization_code --scope read"

    outcome = run("add", "--client-id", "notes", *words.split())

    assert (outcome.exit_code, outcome.stderr) == (0, "")
    entry = listed()["notes"]
    assert (entry["token_endpoint_auth_method"], entry["application_type"]) == ("none", "native")
    assert (entry["kind"], entry["dpop_bound_access_tokens"]) == ("native", True)
    assert "none" in run("list").stdout.splitlines()[1].split()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--redirect-uri http://app.example/", "redirect_uris: 'http://app.example/' "),
        ("--grant-type password", "grant type 'password' is not supported"),
        ("--grant-type authorization_code", "redirect_uris is missing: authorization_code needs at least one."),
        ("--public", "jwks is there, but token_endpoint_auth_method is 'none'."),
    ],
)
def test_option_that_is_not_acceptable_is_refused(words, says, run, write, people, listed):
    outcome = run("add", write(), *words.split())

    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert says in outcome.stderr
    assert listed() == {}


def test_last_of_two_application_types_counts(run, write, people, listed):
    words = "--redirect-uri https://app.example/a --grant-type authorization_code --native --web"

    assert run("add", write(), *words.split()).exit_code == 0

    assert listed()["new"]["application_type"] == "web"


def test_update_replaces_the_lists(webapp, run, listed):
    assert run("update", APP_ID, "--redirect-uri", "https://app.example/new").exit_code == 0

    assert listed()[APP_ID]["redirect_uris"] == ["https://app.example/new"]
    assert listed()[APP_ID]["grant_types"] == ["authorization_code", "refresh_token"]
