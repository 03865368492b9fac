"""The token endpoint: DPoP over HTTP, and the key that a token is bound to (RFC 9449 §5)."""

import pytest

from flask_private_key_jwt.jose import jose
from tests.authorization_server.endpoints.answers import assert_json_never_stored, assert_refused
from tests.conftest import ASSERTION_TYPE, CLIENT_ID, ISSUER, TOKEN_URL


def cnf_of(answer):
    return jose.decode_unverified(answer.json["access_token"])[1].get("cnf")


# --- binding ----------------------------------------------------------------------------------------------
def test_proof_binds_the_token_to_its_key(ask_token, build_dpop, proof_key, refusals):
    answer = ask_token(proof=build_dpop())

    assert (answer.status_code, answer.json["token_type"]) == (200, "DPoP")
    assert cnf_of(answer) == {"jkt": proof_key.public.thumbprint}
    assert_json_never_stored(answer)
    assert refusals == []


def test_token_is_unbound_without_a_proof(ask_token):
    answer = ask_token()

    assert answer.json["token_type"] == "Bearer"
    assert cnf_of(answer) is None


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "PS256", "RS256", "EdDSA", "Ed25519"])
def test_key_of_any_type_may_be_bound_to(alg, ask_token, build_dpop, keys):
    answer = ask_token(proof=build_dpop(key=keys(alg)))

    assert cnf_of(answer) == {"jkt": keys(alg).public.thumbprint}


def test_thumbprint_is_of_the_required_members_only(ask_token, build_dpop, proof_key):
    jwk = {**proof_key.public.jwk, "kid": "mine", "use": "sig", "x-color": "green"}

    assert cnf_of(ask_token(proof=build_dpop(header={"jwk": jwk}))) == {"jkt": proof_key.public.thumbprint}


def test_key_of_the_assertion_may_be_the_key_of_the_proof(ask_token, build_dpop, client_key):
    assert cnf_of(ask_token(proof=build_dpop(key=client_key))) == {"jkt": client_key.public.thumbprint}


# --- required or not --------------------------------------------------------------------------------------
@pytest.fixture
def bound_client(client, app, oauth):
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"dpop_bound_access_tokens": True})


@pytest.mark.usefixtures("bound_client")
def test_bound_client_gets_a_bound_token(ask_token, build_dpop):
    assert ask_token(proof=build_dpop()).json["token_type"] == "DPoP"


@pytest.mark.usefixtures("bound_client")
def test_bound_client_gets_nothing_without_a_proof(ask_token, refusals):
    assert_refused(ask_token(), "invalid_request", refusals, "proof_missing")


@pytest.mark.parametrize("settings", [{"OAUTH2_DPOP_REQUIRED": True}])
def test_server_may_require_proofs_of_every_client(ask_token, build_dpop, refusals):
    assert ask_token(proof=build_dpop()).json["token_type"] == "DPoP"
    assert_refused(ask_token(), "invalid_request", refusals, "proof_missing")


# --- refused proofs: each is checked to the full in tests/dpop ----------------------------------------------
@pytest.mark.parametrize(
    ("change", "cause", "says"),
    [
        ({"header": {"typ": None}}, "proof_typ", "proof: typ None is not dpop+jwt"),
        (
            {"header": {"typ": "client-authentication+jwt"}},
            "proof_typ",
            "proof: typ 'client-authentication+jwt' is not dpop+jwt",
        ),
        ({"header": {"alg": "HS256"}}, "proof_alg", "proof: alg 'HS256' is not accepted"),
        ({"header": {"alg": "none"}}, "proof_alg", "proof: alg 'none' is not accepted"),
        ({"header": {"jwk": None}}, "proof_jwk_not_object", ""),
        (
            {"header": {"jwk": {"kty": "oct", "k": "AA"}}},
            "proof_jwk_private",
            "proof: jwk: the key holds private members ['k']",
        ),
        ({"header": {"crit": ["b64"]}}, "proof_crit", ""),
        ({"jti": None}, "proof_jti_missing", ""),
        ({"htm": "GET"}, "proof_htm", "proof: htm 'GET' is not 'POST'"),
        ({"htm": None}, "proof_htm_missing", ""),
        ({"htu": ISSUER}, "proof_htu", "proof: htu 'https://as.example' is not"),
        ({"htu": "http://localhost/oauth2/token"}, "proof_htu", "proof: htu 'http://localhost/oauth2/token' is not"),
        ({"htu": None}, "proof_htu_missing", ""),
        ({"iat": None}, "proof_iat_missing", ""),
        ({"iat": 0}, "proof_expired", ""),
    ],
)
def test_wrong_proof_is_refused(change, cause, says, ask_token, build_dpop, refusals):
    answer = ask_token(proof=build_dpop(**change))

    assert_refused(answer, "invalid_dpop_proof", refusals, cause, says=says)
    assert "DPoP-Nonce" not in answer.headers


@pytest.mark.parametrize(
    ("proof", "cause"),
    [
        ("", "proof_malformed"),
        (" ", "proof_malformed"),
        ("x", "proof_malformed"),
        ("a.b.c", "proof_not_base64"),
        ("é", "proof_malformed"),
        ("Bearer x", "proof_malformed"),
        ("null", "proof_malformed"),
        ("[" * 8000, "proof_malformed"),
        ("x" * 8193, "proof_too_long"),
    ],
)
def test_header_that_is_no_proof_is_refused(proof, cause, ask_token, refusals):
    assert_refused(ask_token(proof=proof), "invalid_dpop_proof", refusals, cause)


def test_two_proofs_are_refused(app, client, build_assertion, build_dpop, refusals):
    """WSGI joins repeated headers with a comma; what servers really do is tested in tests/third_party."""
    proof = build_dpop()

    answer = post_with(app, build_assertion(), [("DPoP", proof), ("DPoP", proof)])

    assert_refused(answer, "invalid_dpop_proof", refusals, "proof_repeated")


@pytest.mark.parametrize("name", ["DPoP", "dpop", "DPOP"])
def test_name_of_the_header_is_read_in_any_case(name, app, client, build_assertion, build_dpop):
    assert post_with(app, build_assertion(), [(name, build_dpop())]).json["token_type"] == "DPoP"


def post_with(app, assertion, headers):
    form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    return app.test_client().post("/oauth2/token", data={"grant_type": "client_credentials", **form}, headers=headers)


def test_assertion_is_no_proof(ask_token, build_assertion, refusals):
    assert_refused(
        ask_token(proof=build_assertion()),
        "invalid_dpop_proof",
        refusals,
        "proof_typ",
        says="proof: typ None is not dpop+jwt",
    )


def test_proof_is_no_assertion(ask_token, build_dpop, refusals):
    answer = ask_token(assertion=build_dpop())

    assert_refused(answer, "invalid_client", refusals, "assertion_typ", says="assertion: typ 'dpop+jwt' is not")


# --- once only --------------------------------------------------------------------------------------------
def test_proof_is_good_once(ask_token, build_dpop, refusals):
    proof = build_dpop()
    assert ask_token(proof=proof).status_code == 200

    assert_refused(ask_token(proof=proof), "invalid_dpop_proof", refusals, "proof_replayed")


def test_same_jti_under_another_key_is_another_proof(ask_token, build_dpop, keys):
    for name in ("a", "b"):
        assert ask_token(proof=build_dpop(jti="same", key=keys("ES256", name))).status_code == 200


def test_same_jti_in_another_proof_of_the_key_is_refused(ask_token, build_dpop, clock, refusals):
    assert ask_token(proof=build_dpop(jti="same")).status_code == 200
    clock.move(5)

    answer = ask_token(proof=build_dpop(jti="same"))

    assert_refused(answer, "invalid_dpop_proof", refusals, "proof_replayed")


def test_same_jti_in_assertion_and_proof_is_no_replay(ask_token, build_assertion, build_dpop):
    assert ask_token(assertion=build_assertion(jti="same"), proof=build_dpop(jti="same")).status_code == 200


@pytest.mark.parametrize("settings", [{"OAUTH2_ISSUER": "https://as.example/tenant/"}])
def test_htu_is_the_token_endpoint_of_an_issuer_with_a_path(ask_token, build_assertion, build_dpop, refusals):
    def ask(htu):
        return ask_token(assertion=build_assertion(aud="https://as.example/tenant/"), proof=build_dpop(htu=htu))

    assert ask("https://as.example/tenant/oauth2/token").status_code == 200
    assert_refused(ask(TOKEN_URL), "invalid_dpop_proof", refusals, "proof_htu")


# --- the mark outlives the proof -------------------------------------------------------------------------------------
LIVES = "proof: iat is 60 s ago, and a proof is good for 60 s"


@pytest.mark.parametrize(
    ("settings", "skew"), [({"OAUTH2_CLOCK_SKEW_SECONDS": 0}, 0), ({}, 10), ({"OAUTH2_CLOCK_SKEW_SECONDS": 60}, 60)]
)
def test_proof_from_a_clock_that_is_ahead_is_known_until_it_is_too_old(skew, ask_token, build_dpop, clock, refusals):
    proof, start = build_dpop(iat=clock.now + skew), clock.now
    assert ask_token(proof=proof).status_code == 200

    for second in sorted({1, 59, 60 + skew - 1}):
        clock.now = start + second
        assert_refused(ask_token(proof=proof), "invalid_dpop_proof", refusals, "proof_replayed")
        refusals.clear()
    clock.now = start + 60 + skew
    assert_refused(ask_token(proof=proof), "invalid_dpop_proof", refusals, "proof_expired", says=LIVES)


def test_mark_of_a_proof_is_there_a_second_longer_than_the_proof(ask_token, build_dpop, clock, refusals):
    """A worker whose clock is behind this one's by as much as is allowed for may still take the proof."""
    assert ask_token(proof=build_dpop(jti="one")).status_code == 200
    clock.move(60 + 10)

    again = ask_token(proof=build_dpop(jti="one"))

    assert_refused(again, "invalid_dpop_proof", refusals, "proof_replayed")
    clock.move(1)
    assert ask_token(proof=build_dpop(jti="one")).status_code == 200
