"""``flask oauth2 client secret …`` and ``client secrets``: a secret is shown once, and never the one that was given."""

import json

import pytest
from sqlalchemy import text

from tests.authorization_server.client_auth.conftest import PASSWORD, SECONDS_UNTIL, UNTIL, basic
from tests.conftest import CLIENT_ID, START


@pytest.fixture
def settings():
    return {"OAUTH2_CLIENT_SECRETS_UNTIL": UNTIL}


@pytest.fixture
def run(app, client):
    def run(*words, given=None):
        return app.test_cli_runner().invoke(args=["oauth2", "client", *map(str, words)], input=given)

    return run


@pytest.fixture
def show(app):
    """The status of a token request with this secret."""

    def show(password):
        form = {"grant_type": "client_credentials"}
        return app.test_client().post("/oauth2/token", data=form, headers=basic(CLIENT_ID, password)).status_code

    return show


def assert_refused(outcome, says):
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    assert says in outcome.stderr
    assert PASSWORD not in outcome.stderr


def test_made_secret_is_printed_alone_for_scripts_to_take(run, show):
    outcome = run("secret", "give", CLIENT_ID, "--until", "2027-01-20")

    secret = outcome.stdout.removesuffix("\n")
    assert len(secret) == 64
    assert "client console, for client_secret_basic, until 2027-01-20 00:00 UTC. It is not shown" in outcome.stderr
    assert secret not in outcome.stderr
    assert show(secret) == 200


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_given_secret_is_not_printed(end, run, show):
    outcome = run("secret", "give", CLIENT_ID, "-", given=PASSWORD + end)

    assert outcome.exit_code == 0
    assert outcome.stdout == ""
    assert outcome.stderr.endswith("for client_secret_basic, until OAUTH2_CLIENT_SECRETS_UNTIL.\n")
    assert PASSWORD not in outcome.output + outcome.stderr
    assert show(PASSWORD) == 200


def test_given_secret_is_not_in_the_json(run):
    printed = json.loads(run("secret", "give", CLIENT_ID, "-", "--json", given=PASSWORD).stdout)
    made = json.loads(run("secret", "give", CLIENT_ID, "--json", "--method", "client_secret_jwt").stdout)

    assert "client_secret" not in printed
    assert printed["created_at"] == START
    assert (len(made["client_secret"]), made["method"], made["counts"]) == (64, "client_secret_jwt", True)


@pytest.mark.parametrize(
    ("words", "given", "says"),
    [
        ((CLIENT_ID, "-"), "too short", "the secret has 9 characters, not 32 to 1024"),
        ((CLIENT_ID, "-"), PASSWORD[:31] + "\n", "the secret has 31 characters"),
        (("nobody",), None, "No client 'nobody' is registered."),
        ((CLIENT_ID, "--until", "soon"), None, "the date 'soon' must be an ISO 8601 date or time in UTC"),
        ((CLIENT_ID, "--method", "none"), None, "Invalid value for '--method'"),
        ((CLIENT_ID, "--alg", "ES256"), None, "Invalid value for '--alg'"),
    ],
)
def test_wrong_use_of_give_says_what_is_wrong(words, given, says, run):
    assert_refused(run("secret", "give", *words, given=given), says)


@pytest.mark.parametrize("settings", [{}])
def test_without_the_setting_the_command_names_it(run):
    assert_refused(run("secret", "give", CLIENT_ID), "OAUTH2_CLIENT_SECRETS_UNTIL is not set")


def test_replaced_secret_counts_for_a_day_more(run, show, clock):
    run("secret", "give", CLIENT_ID, "-", given=PASSWORD)

    secret = run("secret", "replace", CLIENT_ID).stdout.removesuffix("\n")

    assert show(PASSWORD) == show(secret) == 200
    clock.move(86400)
    assert (show(PASSWORD), show(secret)) == (401, 200)


@pytest.mark.parametrize(("words", "seconds"), [(("--overlap", "2h"), 7200), (("--at-once", "--yes"), 0)])
def test_overlap_is_chosen(words, seconds, run, show, clock):
    run("secret", "give", CLIENT_ID, "-", given=PASSWORD)
    run("secret", "replace", CLIENT_ID, *words)
    if seconds:
        clock.move(seconds - 1)
        assert show(PASSWORD) == 200
        clock.move(1)

    assert show(PASSWORD) == 401


def test_wrong_overlap_is_refused(run):
    run("secret", "give", CLIENT_ID)

    assert_refused(run("secret", "replace", CLIENT_ID, "--overlap", "soon"), "'soon' is not a time such as 90m")


def test_date_is_set_and_told(run, show, clock):
    run("secret", "give", CLIENT_ID, "-", given=PASSWORD)

    outcome = run("secret", "end", CLIENT_ID, "2027-01-15T08:00:10Z")

    assert "of client console counts until 2027-01-15 08:00 UTC." in outcome.stdout
    clock.move(10)
    assert show(PASSWORD) == 401
    assert_refused(run("secret", "end", CLIENT_ID, "2027-01-20", "--name", "00000000"), "has no secret '00000000'")


def test_one_secret_is_removed_by_its_name(run, show):
    name = json.loads(run("secret", "give", CLIENT_ID, "-", "--json", given=PASSWORD).stdout)["name"]
    run("secret", "give", CLIENT_ID)

    outcome = run("secret", "remove", CLIENT_ID, name, "--yes")

    assert outcome.stdout == "Client console has 1 secret less, from its next request on.\n"
    assert outcome.stderr == ""
    assert show(PASSWORD) == 401
    assert_refused(run("secret", "remove", CLIENT_ID, name, "--yes"), f"has no secret '{name}'")


def test_removing_needs_a_name_or_all(run):
    run("secret", "give", CLIENT_ID)
    run("secret", "give", CLIENT_ID)

    assert_refused(run("secret", "remove", CLIENT_ID), "Name the secret that is meant, or give --all.")
    assert_refused(run("secret", "remove", CLIENT_ID, "x", "--all"), "Name the secret that is meant, or give --all.")
    assert run("secret", "remove", CLIENT_ID, "--all", "--yes").stdout.startswith("Client console has 2 secrets less")


def test_client_that_cannot_authenticate_any_more_is_told(run, register):
    register(client_id="old", token_endpoint_auth_method="client_secret_basic")
    run("secret", "give", "old")

    assert "it has neither keys nor secrets now" in run("secret", "remove", "old", "--all", "--yes").stderr


def test_what_became_of_the_secrets_is_told_as_json(run):
    run("secret", "give", CLIENT_ID)
    run("secret", "give", CLIENT_ID)

    ended = json.loads(run("secret", "end", CLIENT_ID, "2027-01-20", "--json").stdout)
    removed = json.loads(run("secret", "remove", CLIENT_ID, ended[0]["name"], "--yes", "--json").stdout)

    assert {secret["expires_at"] for secret in ended} == {START + 5 * 86400 - 8 * 3600}
    assert removed == {"removed": 1, "left": ended[1:]}


# --- who still uses one ---------------------------------------------------------------------------------------
def test_list_says_who_uses_a_secret_and_when_last(run, register, show, ask_token, clock):
    register(client_id="old", token_endpoint_auth_method="client_secret_post")
    run("secret", "give", CLIENT_ID, "-", "--until", "2027-01-20", given=PASSWORD)
    run("secret", "give", "old")
    clock.move(3600)
    ask_token()
    clock.move(3600)
    show(PASSWORD)

    one, two = run("secrets", "--lines").stdout.splitlines()

    assert one.startswith("console  client_secret_basic  ")
    assert one.endswith(
        "last used 2027-01-15 10:00 UTC  until 2027-01-20 00:00 UTC  keys last signed 2027-01-15 09:00 UTC"
    )
    assert two.startswith("old  client_secret_post  ")
    assert two.endswith("last used never  until OAUTH2_CLIENT_SECRETS_UNTIL  no keys")
    head, *table = run("secrets").stdout.splitlines()
    assert head.split()[:3] == ["CLIENT", "METHOD", "NAME"]
    assert [row.split()[0] for row in table] == ["console", "old"]
    assert [row.split()[0] for row in run("secrets", "--client", "old").stdout.splitlines()[1:]] == ["old"]
    assert run("secrets", "--client", "other").stdout == "There is no such secret.\n"
    rows = json.loads(run("secrets", "--json").stdout)
    assert [(row["client_id"], row["last_used_at"], row["keys"], row["counts"]) for row in rows] == [
        (CLIENT_ID, START + 7200, {"last_signed_at": START + 3600}, True),
        ("old", None, None, True),
    ]


def test_secret_of_a_client_that_is_gone_is_listed_too(app, server, run):
    run("secret", "give", CLIENT_ID)
    with app.app_context(), server[2].engine.begin() as connection:
        connection.execute(text("DELETE FROM oauth2_client"))  # by hand, which leaves the secret

    assert "console  client_secret_basic  " in run("secrets").stdout


def test_list_shows_what_is_refused(run, clock):
    assert run("secrets").stdout == "No client has a secret.\n"
    run("secret", "give", CLIENT_ID)
    assert "refused now" not in run("secrets").stdout

    clock.move(SECONDS_UNTIL)

    assert run("secrets", "--lines").stdout.endswith("keys last signed never  refused now\n")
    assert run("secrets").stdout.endswith("refused now\n")
    assert run("secrets", "--accepted").stdout == "There is no such secret.\n"


# --- the application's own secret changes ---------------------------------------------------------------------
def test_reencrypt_says_what_still_needs_the_old_secret(app, run, show):
    run("secret", "give", CLIENT_ID, "-", given=PASSWORD)
    run("secret", "give", CLIENT_ID, "--method", "client_secret_jwt")
    reencrypt = app.test_cli_runner().invoke(args=["oauth2", "key", "reencrypt"])
    assert reencrypt.stderr == ""

    state = app.extensions["private_key_jwt"]
    state.secrets._values = ("a newer secret for tests only, long enough", *state.secrets._values)
    reencrypt = app.test_cli_runner().invoke(args=["oauth2", "key", "reencrypt"])
    assert reencrypt.stderr.startswith("Note: 1 of the clients' own secrets needs an older one until the client")

    assert show(PASSWORD) == 200
    assert app.test_cli_runner().invoke(args=["oauth2", "key", "reencrypt"]).stderr == ""
