"""``flask oauth2 registration-token …``: good use, output for people and scripts, a sentence for the rest."""

import json

import pytest

from flask_private_key_jwt.authorization_server.state import current_state
from flask_private_key_jwt.database.batches import KEEP_ENDED_SECONDS
from tests.conftest import START

DAY = 86400


@pytest.fixture
def settings():
    return {"OAUTH2_REGISTRATION": "token"}


@pytest.fixture
def run(app):
    def run(*words):
        return app.test_cli_runner().invoke(args=["oauth2", "registration-token", *map(str, words)])

    return run


@pytest.fixture
def create(run):
    """Make a token and give what --json tells of it."""

    def create(*words):
        outcome = run("create", "--json", *words)
        assert outcome.exit_code == 0, outcome.output
        return json.loads(outcome.stdout)

    return create


@pytest.fixture
def register_with(app, client_key):
    """The status of a registration over HTTP."""

    def register_with(token, **members):
        body = {"jwks": {"keys": [client_key.public_jwk()]}, **members}
        headers = {"Authorization": f"Bearer {token}"}
        return app.test_client().post("/oauth2/register", json=body, headers=headers)

    return register_with


# --- create -----------------------------------------------------------------------------------------------
def test_create_prints_the_token_alone_for_scripts_to_take(run, register_with):
    outcome = run("create")

    assert outcome.exit_code == 0
    token = outcome.stdout.removesuffix("\n")
    assert len(token) == 43
    assert "1 use left, until 2027-01-22 08:00 UTC. It is not shown again." in outcome.stderr
    assert token not in outcome.stderr
    assert register_with(token).status_code == 201
    assert register_with(token).status_code == 401


def test_create_tells_everything_as_json(create):
    made = create("--uses", 3, "--expires-in", "12h", "--label", "ACME", "--allow-client-id")

    assert {name: value for name, value in made.items() if name not in ("id", "token")} == {
        "label": "ACME",
        "uses_left": 3,
        "may_choose_client_id": True,
        "created_at": START,
        "expires_at": START + DAY // 2,
    }


def test_client_id_may_be_chosen_only_where_it_was_allowed(create, register_with):
    assert register_with(create()["token"], client_id="mine").json["client_id"] != "mine"
    assert register_with(create("--allow-client-id")["token"], client_id="mine").json["client_id"] == "mine"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1m", 60), ("90m", 5400), ("12h", DAY // 2), ("7d", 7 * DAY), ("4w", 28 * DAY), ("366d", 366 * DAY)],
)
def test_lifetime_is_read(create, text, seconds):
    assert create("--expires-in", text)["expires_at"] == START + seconds


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5d", "7 d", "7D", "7y", "367d", "9999999m", "٣d"])
def test_lifetime_that_is_none_is_refused(run, text):
    outcome = run("create", "--expires-in", text)

    assert outcome.exit_code == 2
    assert f"{text!r} is not a time such as 90m, 12h, 7d or 4w, of at most 366d." in outcome.stderr
    assert outcome.stdout == ""


@pytest.mark.parametrize("uses", ["0", "-1", "1000001", "many"])
def test_uses_that_are_none_are_refused(run, uses):
    assert run("create", "--uses", uses).exit_code == 2


@pytest.mark.parametrize("label", ["x" * 256, "two\nlines"])
def test_label_that_fits_no_line_is_refused(run, label):
    outcome = run("create", "--label", label)

    assert outcome.exit_code == 2
    assert outcome.stderr == "Error: The label must be at most 255 printable characters.\n"


@pytest.mark.parametrize("settings", [{}])
def test_create_says_when_registration_is_closed(run):
    outcome = run("create")

    assert outcome.exit_code == 0
    assert "Note: OAUTH2_REGISTRATION is closed; nobody can use the token until it is token or open." in outcome.stderr


# --- list -------------------------------------------------------------------------------------------------
def test_list_shows_what_each_token_is_good_for(run, create, register_with, clock):
    short = create("--expires-in", "1m")
    used = create("--label", "for Bob")
    many = create("--uses", 5, "--allow-client-id")
    register_with(used["token"])
    clock.move(60)

    lines = run("list", "--lines").stdout.splitlines()

    assert sorted(lines) == sorted(
        [
            f"{short['id']}  expired",
            f"{used['id']}  used up, until 2027-01-22 08:00 UTC  for Bob",
            f"{many['id']}  5 uses left, until 2027-01-22 08:00 UTC, client_id may be chosen",
        ]
    )


def test_list_as_json_never_shows_a_token(run, create):
    made = create()

    outcome = run("list", "--json")

    assert json.loads(outcome.stdout) == [{name: value for name, value in made.items() if name != "token"}]
    assert made["token"] not in outcome.output


def test_list_of_nothing_is_empty(run):
    assert (run("list").output, json.loads(run("list", "--json").stdout)) == ("Note: there is nothing to list.\n", [])


# --- revoke -----------------------------------------------------------------------------------------------
def test_revoke_ends_one_token(run, create, register_with):
    revoked, other = create("--uses", 2), create()
    assert register_with(revoked["token"]).status_code == 201

    outcome = run("revoke", revoked["id"], "--yes")

    assert (outcome.exit_code, outcome.stdout) == (0, f"Registration token {revoked['id']} is revoked.\n")
    assert register_with(revoked["token"]).status_code == 401
    assert register_with(other["token"]).status_code == 201


def test_revoke_as_json_tells_what_was_revoked(run, create):
    made = create()
    del made["token"]

    assert json.loads(run("revoke", made["id"], "--json", "--yes").stdout) == made


@pytest.mark.parametrize("token_id", ["", "abcdef012345", "shorter"])
def test_revoke_of_no_token_is_refused(run, create, token_id):
    create()
    outcome = run("revoke", token_id, "--yes")

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith(f"Error: There is no registration token {token_id}; `flask oauth2 ")
    assert len(run("list", "--lines").stdout.splitlines()) == 1


# --- reissue ----------------------------------------------------------------------------------------------
def test_reissue_prints_the_token_alone_for_scripts_to_take(run, app, client):
    outcome = run("reissue", client.client_id)

    uri = "https://as.example/oauth2/register/client?client_id=console"
    assert outcome.exit_code == 0
    assert outcome.stderr == f"For {uri}. It is not shown again.\n"
    headers = {"Authorization": f"Bearer {outcome.stdout.strip()}"}
    assert app.test_client().get(uri.removeprefix("https://as.example"), headers=headers).status_code == 200


def test_reissue_as_json(run, client):
    issued = json.loads(run("reissue", client.client_id, "--json").stdout)

    assert issued["registration_client_uri"] == "https://as.example/oauth2/register/client?client_id=console"
    assert len(issued["registration_access_token"]) == 43


def test_reissue_for_nobody_is_refused(run):
    outcome = run("reissue", "nobody")

    assert (outcome.exit_code, outcome.stderr) == (2, "Error: No client 'nobody' is registered.\n")


# --- purge, and a database without the tables -------------------------------------------------------------
def test_purge_deletes_expired_tokens(app, run, create, clock):
    create("--expires-in", "1m")
    kept = create("--expires-in", "62m")
    clock.move(60 + KEEP_ENDED_SECONDS)

    outcome = app.test_cli_runner().invoke(args=["oauth2", "purge"])

    assert outcome.stdout == "1 expired entry deleted.\n"
    with app.app_context():
        assert [token.id for token in current_state().registration_tokens.all()] == [kept["id"]]


@pytest.mark.parametrize("words", [["create"], ["list"], ["revoke", "abcdef012345"], ["reissue", "console"]])
def test_database_without_the_tables_is_a_sentence(server, run, words):
    app, _, db = server
    with app.app_context():
        db.drop_all()

    outcome = run(*words)

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith("Error: The database did not answer: ")
    assert "tables or columns are missing: run `flask db upgrade`." in outcome.stderr
