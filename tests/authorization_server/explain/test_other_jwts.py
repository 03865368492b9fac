"""A proof, a token and a request object are explained by the checks that run on them, and in their order."""

import json

import pytest
from sqlalchemy import func

from flask_private_key_jwt.authorization_server.explain.order import CHECKS
from flask_private_key_jwt.dpop.proof import build_proof
from flask_private_key_jwt.fetching.safe_fetch import FetchedDocument
from flask_private_key_jwt.jose import jose
from tests.authorization_server.conftest import APP_ID
from tests.authorization_server.explain.conftest import failed, outcomes
from tests.conftest import API, CLIENT_ID, ISSUER, START, TOKEN_URL
from tests.refusals import causes


def merge(cases):
    """All changes of *cases* at once; the first one wins."""
    changes = {}
    for _, change in reversed(cases):
        header = {**changes.get("header", {}), **change.get("header", {})}
        changes = {**changes, **change, **({"header": header} if header else {})}
    return changes


def reached(said):
    return [check["name"] for check in said["checks"] if check["outcome"] in ("ok", "failed")]


def told(kind, name, *, without=()):
    names = [check.name for check in CHECKS[kind] if check.rehearsed and check.name not in without]
    return names[: names.index(name) + 1]


# --- proofs ---------------------------------------------------------------------------------------------------------
def test_accepted_proof_is_said_to_be_and_not_used_up(client, build_dpop, ask_token, explain):
    proof = build_dpop()

    said = explain(proof)

    assert (said["kind"], said["accepted"]) == ("proof", True)
    assert outcomes(said)["ath"] == "not checked"
    assert ask_token(proof=proof).status_code == 200


WRONG_PROOFS = [
    ("typ", {"header": {"typ": "JWT"}}),
    ("jwk", {"header": {"jwk": {"kty": "oct"}}}),
    ("jti", {"jti": 7}),
    ("htm", {"htm": "PUT"}),
    ("htu", {"htu": "https://other.example"}),
    ("times", {"iat": START - 3600}),
]


@pytest.mark.parametrize("number", range(len(WRONG_PROOFS)))
def test_checks_of_a_proof_are_told_in_their_order(number, client, build_dpop, explain, ask_token, refusals):
    name = WRONG_PROOFS[number][0]
    proof = build_dpop(**merge(WRONG_PROOFS[number:]))

    said = explain(proof, "--kind", "proof")
    ask_token(proof=proof)

    assert failed(said) == name
    assert causes(refusals) == [said["cause"]]
    assert reached(said) == told("proof", name, without=["ath"])


def test_request_of_a_proof_can_be_given(client, build_dpop, explain):
    proof = build_dpop(htm="GET", htu="https://as.example/oauth2/userinfo")

    assert explain(proof)["cause"] == "proof_htm"
    said = explain(proof, "--method", "GET")
    assert (said["cause"], said["expected"]) == ("proof_htu", TOKEN_URL)
    assert explain(proof, "--method", "GET", "--url", "https://as.example/oauth2/userinfo")["accepted"]


def test_token_beside_a_proof_can_be_given(client, proof_key, explain, tmp_path):
    proof = build_proof(proof_key, jti="x", method="GET", url=API, now=START, access_token="token-1")
    request = ("--method", "GET", "--url", API)
    file = tmp_path / "token"

    said = explain(proof, *request)
    assert said["accepted"]
    assert "Its ath is not checked: give the access token with --token FILE." in said["notes"]

    file.write_text("token-1\n")
    assert outcomes(explain(proof, *request, "--token", str(file)))["ath"] == "ok"
    file.write_text("token-2\n")
    assert failed(explain(proof, *request, "--token", str(file))) == "ath"


@pytest.mark.parametrize("settings", [{"OAUTH2_DPOP_NONCE": "required"}])
def test_nonce_of_a_proof_is_checked_where_one_is_required(settings, client, build_dpop, ask_token, explain, clock):
    nonce = ask_token(proof=build_dpop()).headers["DPoP-Nonce"]

    assert explain(build_dpop())["cause"] == "proof_nonce_missing"
    assert explain(build_dpop(nonce=nonce))["accepted"]
    clock.move(3600)
    assert explain(build_dpop(nonce=nonce))["cause"] == "proof_nonce_stale"
    assert explain(build_dpop(nonce=nonce), "--at", str(START))["accepted"]


# --- tokens ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def token(ask_token):
    return ask_token().json["access_token"]


def test_token_that_counts_is_said_to(token, explain):
    said = explain(token)

    assert (said["kind"], said["accepted"], said["client_id"]) == ("token", True, CLIENT_ID)
    assert outcomes(said)["revocation"] == "ok"


def test_api_of_a_token_can_be_given(token, explain):
    assert explain(token, "--resource", API)["accepted"]
    said = explain(token, "--resource", "https://other.example")
    assert (failed(said), said["expected"], said["received"]) == ("aud", "https://other.example", API)


def test_token_that_has_ended_says_why(app, token, clock, explain):
    clock.move(700)
    said = explain(token)
    assert (failed(said), said["reason"]) == ("exp", "token: expired, 100 s ago")

    assert explain(token, "--at", str(START))["accepted"]
    app.test_cli_runner().invoke(args=["oauth2", "revoke", "--client", CLIENT_ID, "--yes"])
    said = explain(token, "--at", str(START))
    assert (failed(said), said["cause"]) == ("revocation", "token_revoked")


def test_token_by_a_key_that_is_not_the_servers_names_the_servers_keys(token, keys, explain):
    header, claims = jose.decode_unverified(token)
    key = keys("ES256", "another")

    said = explain(jose.sign({**header, "kid": "foreign"}, claims, key))
    assert said["cause"] == "token_no_key"
    assert [(known["kid"], known["why"]) for known in said["keys"]] == [
        (header["kid"], "not tried: the header names another key")
    ]
    assert said["todo"] == [
        {"who": "issuer", "what": "register the key"},
        {"who": "operator", "what": "see client show"},
    ]

    said = explain(jose.sign(header, claims, key))
    assert (said["cause"], said["keys"][0]["why"]) == (
        "token_signature",
        "tried: the signature does not verify with it",
    )


def test_explaining_a_token_makes_no_key(server, client, build_assertion, explain):
    app, _, db = server

    assert not explain(build_assertion(header={"typ": "at+jwt"}))["accepted"]
    assert not explain(build_assertion(header={"typ": "at+jwt"}, iss=ISSUER))["accepted"]

    with app.app_context():
        keys = db.metadata.tables["oauth2_server_key"]
        assert db.session.scalar(db.select(func.count()).select_from(keys)) == 0


WRONG_TOKENS = [
    ("typ", {"header": {"typ": "JWT"}}, False),
    ("iss", {"iss": "https://other.example"}, False),
    ("signature", {}, False),
    ("aud", {"aud": 7}, True),
    ("sub, client_id, jti", {"sub": 7}, True),
    ("scope", {"scope": 7}, True),
    ("cnf", {"cnf": 7}, True),
    ("dates", {"iat": "x"}, True),
    ("exp", {"exp": START - 100}, True),
    ("iat, nbf", {"nbf": START + 100}, True),
]


@pytest.mark.parametrize("number", range(len(WRONG_TOKENS)))
def test_checks_of_a_token_are_told_in_their_order(number, app, token, keys, explain):
    name, _, by_the_server = WRONG_TOKENS[number]
    header, claims = jose.decode_unverified(token)
    changes = merge([(name, change) for name, change, _ in WRONG_TOKENS[number:]])
    with app.app_context():
        key = app.extensions["private_key_jwt"].server_keys.current().signing
    signer = key if by_the_server else keys("ES256", "another")

    said = explain(jose.sign({**header, **changes.pop("header", {})}, {**claims, **changes}, signer), "--kind", "token")

    assert failed(said) == name
    assert reached(said) == told("token", name)


def test_refresh_token_is_looked_up(people, webapp, get_code, redeem, refresh, explain):
    first = redeem(get_code()).json["refresh_token"]

    said = explain(first)
    assert (said["kind"], said["accepted"], said["client_id"]) == ("token", True, APP_ID)
    assert explain("a" * 43)["cause"] == "token_unknown"
    assert refresh(first).status_code == 200


# --- request objects ------------------------------------------------------------------------------------------------
def test_accepted_request_object_is_said_to_be(people, webapp, build_object, push_object, explain):
    text = build_object()

    said = explain(text)

    assert (said["kind"], said["accepted"], said["client_id"]) == ("request object", True, APP_ID)
    assert push_object(text).status_code == 201


WRONG_OBJECTS = [
    ("typ", {"header": {"typ": "at+jwt"}}),
    ("client_id, iss, sub", {"iss": "another"}),
    ("signature", {"header": {"kid": "nobody's"}}),
    ("aud", {"aud": "https://other.example"}),
    ("lifetime", {"nbf": START - 90000}),
    ("exp", {"exp": START - 100}),
    ("nbf, iat", {"iat": START + 100}),
    ("parameters", {"scope": 7}),
]


@pytest.mark.parametrize("number", range(len(WRONG_OBJECTS)))
def test_checks_of_a_request_object_are_told_in_their_order(
    number, people, webapp, build_object, push_object, explain, refusals
):
    name = WRONG_OBJECTS[number][0]
    text = build_object(**merge(WRONG_OBJECTS[number:]))

    said = explain(text, "--kind", "request-object")
    push_object(text)

    assert failed(said) == name
    assert causes(refusals) == [said["cause"]]
    assert reached(said) == told("request object", name)


def test_request_object_of_an_unknown_client_is_explained(people, webapp, build_object, explain):
    said = explain(build_object(client_id="nobody"))

    assert (failed(said), said["cause"]) == ("client", "client_unknown")


def test_use_of_a_key_is_not_noted(server, people, webapp, build_object, explain):
    app, _, db = server
    explain(build_object())

    with app.app_context():
        used = db.metadata.tables["oauth2_client_key"].c.last_used_at
        assert db.session.scalar(db.select(func.count(used))) == 0


# --- what is fetched ------------------------------------------------------------------------------------------------
def test_nothing_is_fetched_unless_told(register, build_assertion, explain, monkeypatch):
    fetched = []
    monkeypatch.setattr(
        "flask_private_key_jwt.fetching.safe_fetch.SafeFetcher.fetch", lambda self, url: fetched.append(url)
    )
    register(client_id=CLIENT_ID, jwks_uri="https://client.example/jwks", scope="read")

    said = explain(build_assertion())

    assert (said["cause"], failed(said), fetched) == ("client_keys_unavailable", "signature", [])


def test_documents_that_were_fetched_before_count(app, client_key, register, build_assertion, explain, ask, clock):
    assert ask().status_code == 200

    assert explain(build_assertion())["accepted"]
    clock.move(86400)
    assert explain(build_assertion(), "--at", str(START))["cause"] == "assertion_not_yet_valid"


@pytest.fixture
def ask(app, register, client_key, build_assertion, monkeypatch, post_as):
    """A token request of a client whose keys are published; they are fetched without a network."""
    members = {"keys": [client_key.public_jwk()]}
    document = FetchedDocument(members, json.dumps(members), None)
    monkeypatch.setattr("flask_private_key_jwt.fetching.safe_fetch.SafeFetcher.fetch", lambda self, url: document)
    register(client_id=CLIENT_ID, jwks_uri="https://client.example/jwks", scope="read")

    def ask():
        return post_as(CLIENT_ID, "/oauth2/token", grant_type="client_credentials")

    return ask


def test_documents_are_fetched_if_told(ask, build_assertion, explain):
    assert explain(build_assertion())["cause"] == "client_keys_unavailable"
    assert explain(build_assertion(), "--fetch")["accepted"]
    assert explain(build_assertion())["accepted"]
