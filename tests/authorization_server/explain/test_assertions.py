"""An assertion is explained by the checks that the token endpoint runs, and in their order."""

import json

import pytest

from flask_private_key_jwt.authorization_server.explain.order import CHECKS
from tests.authorization_server.explain.conftest import failed, outcomes
from tests.conftest import CLIENT_ID, ISSUER, START
from tests.refusals import causes


def test_refused_assertion_is_explained(client, clock, build_assertion, explain):
    assertion = build_assertion(iat=START - 155, exp=START - 95)

    said = explain(assertion)

    assert (said["kind"], said["accepted"], said["client_id"]) == ("assertion", False, CLIENT_ID)
    assert (said["error"], said["cause"]) == ("invalid_client", "assertion_expired")
    assert said["reason"] == "assertion: expired, 95 s ago"
    assert (said["expected"], said["received"]) == (f"exp after {START - 10}", f"exp {START - 95}")
    assert said["clock_difference_seconds"] == -155
    assert said["times"]["exp"] == -95
    assert said["todo"] == [{"who": "client", "what": "sign anew; compare the clocks"}]
    found = outcomes(said)
    assert (found["signature"], found["aud"], found["exp"], found["jti"]) == ("ok", "ok", "failed", "not reached")
    assert (found["request"], found["once"]) == ("not checked", "not checked")


def test_accepted_assertion_is_said_to_be(client, build_assertion, explain):
    said = explain(build_assertion())

    assert (said["accepted"], said["client_id"], said["cause"], said["todo"]) == (True, CLIENT_ID, None, [])
    assert set(outcomes(said).values()) == {"ok", "not checked"}


def test_moment_of_the_check_can_be_given(client, clock, build_assertion, explain):
    assertion = build_assertion()
    clock.move(86400)

    assert explain(assertion)["cause"] == "assertion_expired"
    assert explain(assertion, "--at", str(START))["accepted"]
    assert explain(assertion, "--at", "2027-01-15T08:00:00Z")["accepted"]
    assert explain(assertion, "--at", "2027-01-15T09:00:00+01:00")["at"] == START


def test_explanation_spends_nothing(client, build_assertion, ask_token, explain):
    assertion = build_assertion()

    assert explain(assertion)["accepted"]
    assert explain(assertion)["accepted"]
    assert ask_token(assertion=assertion).status_code == 200


def test_explanation_writes_nothing(server, client, build_assertion, explain):
    app, _, db = server
    with app.app_context():
        before = [db.session.execute(db.select(table)).all() for table in db.metadata.sorted_tables]
        db.session.rollback()

    explain(build_assertion())
    explain(build_assertion(exp=1))

    with app.app_context():
        assert [db.session.execute(db.select(table)).all() for table in db.metadata.sorted_tables] == before


@pytest.mark.parametrize(
    ("times", "difference"),
    [
        ({"iat": START + 99}, 99),
        ({"iat": None, "nbf": START + 99}, 99),
        ({"iat": START, "exp": START - 95}, 0),  # the clocks agree: the client chose a wrong exp
        ({"iat": None, "exp": START - 95}, None),  # it may have been made long ago
        ({"aud": "https://other.example"}, None),
    ],
)
def test_clock_difference_is_told_where_it_is_known(times, difference, client, build_assertion, explain):
    assert explain(build_assertion(**times))["clock_difference_seconds"] == difference


def test_key_that_cannot_be_used_is_told(server, client, client_key, build_assertion, explain):
    app, _, db = server
    with app.app_context():
        clients = db.metadata.tables["oauth2_client"]
        unusable = {"kty": "EC", "crv": "P-192", "x": "AA", "y": "AA", "kid": "old"}
        jwks = json.dumps({"keys": [unusable]})
        db.session.execute(db.update(clients).values(jwks=jwks, version="another"))
        db.session.commit()

    said = explain(build_assertion())

    assert (said["cause"], said["keys"]) == ("assertion_no_key", [])
    assert any(note.startswith("A key of the client is passed over: ") for note in said["notes"])


def test_every_key_says_why_it_did_not_verify(register, keys, build_assertion, explain):
    rsa, old, other = keys("RS256"), keys("ES256", "old"), keys("ES256", "other")
    register(
        client_id=CLIENT_ID,
        jwks={"keys": [rsa.public_jwk(kid="rsa"), old.public_jwk(kid="old"), other.public_jwk(kid="k")]},
    )

    said = explain(build_assertion(header={"kid": "k"}))

    assert said["cause"] == "assertion_signature"
    assert [(key["kid"], key["why"].partition(":")[0]) for key in said["keys"]] == [
        ("rsa", "not tried"),
        ("old", "not tried"),
        ("k", "tried"),
    ]
    assert "RS256" in said["keys"][0]["why"]
    assert "ES256" in said["keys"][0]["why"]
    assert said["keys"][1]["why"] == "not tried: the header names another key"
    assert said["keys"][2]["why"] == "tried: the signature does not verify with it"
    assert said["keys"][2]["thumbprint"] == other.public.thumbprint


WRONG = [
    # what makes each check fail, in the order of the checks; the rest stays wrong in all cases before
    ("typ", {"header": {"typ": "at+jwt"}}),
    ("response_type", {"response_type": "code"}),
    ("iss, sub", {"iss": "another"}),
    ("client", {"iss": "nobody", "sub": "nobody"}),
    ("signature", {"header": {"kid": "nobody's"}}),
    ("aud", {"aud": "https://other.example"}),
    ("exp", {"exp": START - 100}),
    ("nbf, iat", {"iat": START + 100}),
    ("lifetime", {"exp": START + 90000}),
    ("jti", {"jti": 7}),
]


@pytest.mark.parametrize(("name", "change"), WRONG)
def test_each_check_fails_for_its_own_reason(name, change, client, build_assertion, explain):
    assert failed(explain(build_assertion(**change), "--kind", "assertion")) == name


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_checks_are_made_in_the_order_that_is_told(number, client, build_assertion, explain, ask_token, refusals):
    """If everything is wrong from one check on, that check refuses: at the endpoint, and so in the explanation."""
    changes = {}
    for _, change in reversed(WRONG[number:]):
        header = {**changes.get("header", {}), **change.get("header", {})}
        changes = {**changes, **change, **({"header": header} if header else {})}
    assertion = build_assertion(**changes)

    said = explain(assertion, "--kind", "assertion")
    ask_token(assertion=assertion)

    assert failed(said) == WRONG[number][0]
    assert causes(refusals) == [said["cause"]]
    reached = [check["name"] for check in said["checks"] if check["outcome"] in ("ok", "failed")]
    told = [check.name for check in CHECKS["assertion"] if check.rehearsed]
    assert reached == told[: told.index(WRONG[number][0]) + 1]


def test_text_for_a_person_says_who_has_to_do_what(client, build_assertion, run, tmp_path):
    file = tmp_path / "assertion.jwt"
    file.write_text(build_assertion(aud="https://other.example") + "\n")

    outcome = run(str(file))

    assert outcome.exit_code == 1
    assert outcome.stdout.startswith(
        "The assertion of client console is refused, at 2027-01-15T08:00:00Z: invalid_client, cause assertion_aud.\n"
        f"Reason: assertion: aud 'https://other.example' is not ['{ISSUER}']\n"
    )
    assert f"Expected: {ISSUER}\nReceived: https://other.example\n" in outcome.stdout
    assert "It means: the JWT is for another server.\n  client: name this one exactly\n" in outcome.stdout


@pytest.mark.parametrize("text", ["", "two words", "a.b.c", "eyJhbGciOiJFUzI1NiJ9.W10.AA", "é.é.é", "\x1b[31m.a.b"])
def test_what_is_no_jwt_is_explained_too(text, client, explain):
    assert not explain(text)["accepted"]


def test_explanation_never_shows_the_assertion(client, build_assertion, run):
    hidden = build_assertion()

    outcome = run("-", stdin=build_assertion(aud=hidden))

    assert "(a JWT)" in outcome.stdout
    assert hidden[:60] not in outcome.stdout


def test_database_that_does_not_answer_says_nothing_about_the_assertion(server, client, build_assertion, run):
    app, _, db = server
    with app.app_context():
        db.metadata.tables["oauth2_client"].drop(db.engine)

    outcome = run("-", "--json", stdin=build_assertion())

    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert "The database did not answer" in outcome.stderr


def test_file_that_is_not_there_is_an_error(run, tmp_path):
    outcome = run(str(tmp_path / "none"))

    assert (outcome.exit_code, outcome.stdout) == (2, "")


@pytest.mark.parametrize("moment", ["yesterday", "", "-5", "99999999999999"])
def test_moment_that_cannot_be_read_is_an_error(moment, run):
    outcome = run("-", "--at", moment, stdin="a.b.c")

    assert (outcome.exit_code, outcome.stdout) == (2, "")
