"""What a client assertion must be: each test has one thing wrong."""

import base64
import json

import pytest
from sqlalchemy import text

from flask_private_key_jwt.jose import jose, signatures
from flask_private_key_jwt.settings.values import ASYMMETRIC_ALGS
from tests.conftest import ASSERTION_TYPE, CLIENT_ID, INVALID_CLIENT, INVALID_REQUEST, ISSUER, START, TOKEN_URL
from tests.refusals import causes

EVIL = "https://evil.example/token"


def b64(value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def assert_refused(answer, refusals, cause, *, says=""):
    assert answer.status_code == 400
    assert answer.json == INVALID_CLIENT
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    assert answer.content_type == "application/json"
    assert "WWW-Authenticate" not in answer.headers
    assert causes(refusals) == [cause], refusals
    assert says in refusals[0]


def test_valid_assertion_is_accepted(ask_token, refusals):
    answer = ask_token()

    assert answer.status_code == 200
    assert answer.json["token_type"] == "Bearer"
    assert refusals == []


def test_header_that_was_accepted_before_accepts_no_other_signature(
    ask_token, build_assertion, keys, client_key, refusals
):
    header = {"kid": client_key.public.thumbprint}
    assert ask_token(assertion=build_assertion()).status_code == 200

    forged = ask_token(assertion=build_assertion(key=keys("ES256", "thief"), header=header))

    assert_refused(forged, refusals, "assertion_signature")
    assert ask_token(assertion=build_assertion()).status_code == 200


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "exp", "jti"])
def test_assertion_without_a_required_claim_is_refused(claim, ask_token, build_assertion, refusals):
    answer = ask_token(assertion=build_assertion(**{claim: None}))

    assert_refused(answer, refusals, f"assertion_{claim}_missing")


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_assertion_without_an_optional_claim_is_accepted(claim, ask_token, build_assertion):
    assert ask_token(assertion=build_assertion(**{claim: None})).status_code == 200


@pytest.mark.parametrize("claim", ["iss", "sub", "jti"])
@pytest.mark.parametrize("value", ["", 1, True, ["console"], {"console": 1}, 1.5])
def test_claim_that_is_not_a_text_is_refused(claim, value, ask_token, build_assertion, refusals):
    answer = ask_token(assertion=build_assertion(**{claim: value}))

    cause = "assertion_jti_malformed" if claim == "jti" else f"assertion_{claim}_not_text"
    assert_refused(answer, refusals, cause)


def test_iss_other_than_sub_is_refused(ask_token, build_assertion, refusals):
    assert_refused(
        ask_token(assertion=build_assertion(iss="other")),
        refusals,
        "assertion_iss_not_sub",
        says="iss 'other' is not sub 'console'",
    )


@pytest.mark.parametrize("name", ["nobody", "CONSOLE", "console ", "console\x00", "cönsole", "\ud800", "x" * 300])
def test_unknown_client_is_refused(name, ask_token, build_assertion, refusals):
    answer = ask_token(assertion=build_assertion(iss=name, sub=name))

    assert_refused(answer, refusals, "client_unknown")


def test_client_id_parameter_equal_to_sub_is_accepted(ask_token):
    assert ask_token(client_id=CLIENT_ID).status_code == 200


def test_client_id_parameter_other_than_sub_is_refused(ask_token, refusals):
    assert_refused(
        ask_token(client_id="other"),
        refusals,
        "client_id_mismatch",
        says="client_id 'other' is not the assertion's sub",
    )


def test_disabled_client_is_refused(ask_token, app, oauth, refusals):
    with app.app_context():
        oauth.clients.disable(CLIENT_ID)

    assert_refused(ask_token(), refusals, "client_disabled")


def test_client_enabled_again_is_accepted(ask_token, app, oauth):
    with app.app_context():
        oauth.clients.disable(CLIENT_ID)
        oauth.clients.update(CLIENT_ID, {"enabled": True})

    assert ask_token().status_code == 200


# --- audience ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("aud", [ISSUER, [ISSUER]])
def test_issuer_as_sole_audience_is_accepted(aud, ask_token, build_assertion):
    assert ask_token(assertion=build_assertion(aud=aud)).status_code == 200


@pytest.mark.parametrize(
    "aud",
    [
        TOKEN_URL,
        [TOKEN_URL],
        EVIL,
        ISSUER + "/",
        ISSUER.upper(),
        ISSUER + "/oauth2",
        ISSUER[:-1],
        "",
    ],
)
def test_other_audience_is_refused(aud, ask_token, build_assertion, refusals):
    assert_refused(ask_token(assertion=build_assertion(aud=aud)), refusals, "assertion_aud")


@pytest.mark.parametrize("aud", [5, {"aud": ISSUER}, [[ISSUER]]])
def test_audience_that_is_no_string_nor_list_of_strings_is_refused(aud, ask_token, build_assertion, refusals):
    assert_refused(ask_token(assertion=build_assertion(aud=aud)), refusals, "assertion_aud_malformed")


@pytest.mark.parametrize("aud", [[ISSUER, TOKEN_URL], [ISSUER, EVIL], [ISSUER, ISSUER], []])
def test_audience_that_is_not_exactly_one_value_is_refused(aud, ask_token, build_assertion, refusals):
    assert_refused(ask_token(assertion=build_assertion(aud=aud)), refusals, "assertion_aud_not_one")


@pytest.mark.parametrize("aud", [ISSUER, TOKEN_URL, [TOKEN_URL], [ISSUER, TOKEN_URL]])
def test_compatibility_client_may_name_the_token_endpoint(aud, ask_token, build_assertion, app, oauth):
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"assertion_audience": "compatibility"})

    assert ask_token(assertion=build_assertion(aud=aud)).status_code == 200


@pytest.mark.parametrize("aud", [EVIL, [TOKEN_URL, EVIL], [ISSUER, EVIL], [], TOKEN_URL + "/"])
def test_compatibility_client_may_not_name_others(aud, ask_token, build_assertion, app, oauth, refusals):
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"assertion_audience": "compatibility"})

    assert_refused(ask_token(assertion=build_assertion(aud=aud)), refusals, "assertion_aud")


def test_compatibility_client_with_the_explicit_type_must_name_the_issuer(
    ask_token, build_assertion, app, oauth, refusals
):
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"assertion_audience": "compatibility"})
    assertion = build_assertion(aud=TOKEN_URL, header={"typ": "client-authentication+jwt"})

    assert_refused(ask_token(assertion=assertion), refusals, "assertion_aud")


PAR_URL = f"{ISSUER}/oauth2/par"
WIDE = [{"OAUTH2_ASSERTION_AUDIENCE": "compatibility"}]


@pytest.mark.parametrize("aud", [ISSUER, TOKEN_URL, [TOKEN_URL], [ISSUER, TOKEN_URL]])
@pytest.mark.parametrize(("settings", "status"), [({}, 400), (WIDE[0], 200)], ids=["issuer", "compatibility"])
def test_setting_lets_every_client_of_the_operator_name_the_token_endpoint(aud, status, ask_token, build_assertion):
    names_issuer_alone = aud == ISSUER

    answer = ask_token(assertion=build_assertion(aud=aud))

    assert answer.status_code == (200 if names_issuer_alone else status)


@pytest.mark.parametrize(
    "aud",
    [EVIL, [TOKEN_URL, EVIL], [ISSUER, EVIL], [], TOKEN_URL + "/", PAR_URL, ISSUER + "/", [ISSUER, PAR_URL], None],
)
@pytest.mark.parametrize("settings", WIDE)
def test_setting_lets_nobody_name_others(aud, ask_token, build_assertion, refusals):
    cause = "assertion_aud_missing" if aud is None else "assertion_aud"

    assert_refused(ask_token(assertion=build_assertion(aud=aud)), refusals, cause)


@pytest.mark.parametrize("settings", WIDE)
@pytest.mark.parametrize(
    ("aud", "cause"),
    [(TOKEN_URL, "token_unknown"), (f"{ISSUER}/oauth2/revoke", "token_unknown"), (EVIL, "assertion_aud")],
)
def test_setting_counts_at_the_endpoint_that_is_asked(aud, cause, app, client, build_assertion, refusals):
    credentials = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": build_assertion(aud=aud)}

    answer = app.test_client().post("/oauth2/revoke", data={"token": "x", **credentials})

    assert answer.status_code == (400 if cause == "assertion_aud" else 200)
    assert causes(refusals) == [cause]


@pytest.mark.parametrize(
    ("settings", "status"), [(WIDE[0], 400), ({**WIDE[0], "OAUTH2_REGISTRATION_TRUSTED": True}, 200)]
)
@pytest.mark.parametrize("aud", [TOKEN_URL, [TOKEN_URL], [ISSUER, TOKEN_URL]])
def test_client_that_registered_itself_names_the_issuer(aud, status, server, client, ask_token, build_assertion):
    app, _, db = server
    assert ask_token(assertion=build_assertion(aud=aud)).status_code == 200
    with app.app_context():
        db.session.execute(text("UPDATE oauth2_client SET registered_by = 'client', version = 'newer'"))
        db.session.commit()

    assert ask_token(assertion=build_assertion(aud=aud)).status_code == status
    assert ask_token(assertion=build_assertion(aud=ISSUER)).status_code == 200


@pytest.mark.parametrize("settings", WIDE)
def test_setting_leaves_the_explicit_type_strict(ask_token, build_assertion, refusals):
    explicit = {"typ": "client-authentication+jwt"}
    assert ask_token(assertion=build_assertion(header=explicit)).status_code == 200

    answer = ask_token(assertion=build_assertion(aud=TOKEN_URL, header=explicit))

    assert_refused(answer, refusals, "assertion_aud")


@pytest.mark.parametrize("settings", WIDE)
def test_setting_lets_nobody_sign_for_longer(ask_token, build_assertion, clock, refusals):
    assert ask_token(assertion=build_assertion(aud=TOKEN_URL, exp=clock.now + 300)).status_code == 200

    answer = ask_token(assertion=build_assertion(aud=TOKEN_URL, exp=clock.now + 3600))

    assert_refused(answer, refusals, "assertion_lives_too_long", says="exp is 3600 s ahead, more than 300 s")


# --- times ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seconds", [-9, 1, 300, 310])
def test_exp_within_the_limits_is_accepted(seconds, ask_token, build_assertion, clock):
    assert ask_token(assertion=build_assertion(exp=clock.now + seconds, iat=None)).status_code == 200


@pytest.mark.parametrize(
    ("seconds", "cause", "reason"),
    [
        (-10, "assertion_expired", "expired"),
        (-300, "assertion_expired", "expired"),
        (311, "assertion_lives_too_long", "more than 300 s"),
        (10**9, "assertion_lives_too_long", "more than 300 s"),
    ],
)
def test_exp_outside_the_limits_is_refused(seconds, cause, reason, ask_token, build_assertion, clock, refusals):
    answer = ask_token(assertion=build_assertion(exp=clock.now + seconds, iat=None))

    assert_refused(answer, refusals, cause, says=reason)


@pytest.mark.parametrize("name", ["nbf", "iat"])
@pytest.mark.parametrize("seconds", [-100, 0, 8, 10])
def test_nbf_and_iat_up_to_ten_seconds_ahead_are_accepted(name, seconds, ask_token, build_assertion, clock):
    assert ask_token(assertion=build_assertion(**{name: clock.now + seconds})).status_code == 200


@pytest.mark.parametrize("name", ["nbf", "iat"])
@pytest.mark.parametrize("seconds", [11, 62])
def test_nbf_and_iat_further_ahead_are_refused(name, seconds, ask_token, build_assertion, clock, refusals):
    answer = ask_token(assertion=build_assertion(**{name: clock.now + seconds, "exp": clock.now + 120}))

    assert_refused(answer, refusals, "assertion_not_yet_valid", says=f"{name} is in the future")


@pytest.mark.parametrize(("iat", "exp"), [(-60, 300), (-1000, 60), (-(10**9), 310)])
def test_assertion_is_as_old_as_its_client_likes(iat, exp, ask_token, build_assertion, clock):
    """Many set iat back by a minute, against clocks that drift: exp alone says how long an assertion is good."""
    assert ask_token(assertion=build_assertion(iat=clock.now + iat, exp=clock.now + exp)).status_code == 200


@pytest.mark.parametrize(
    ("claims", "cause", "says"),
    [
        ({"exp": -10}, "assertion_expired", "expired, 10 s ago"),
        ({"exp": -3600.5}, "assertion_expired", "expired, 3600 s ago"),
        ({"iat": 3600}, "assertion_not_yet_valid", "iat is in the future, 3600 s ahead"),
        ({"nbf": 10.5}, "assertion_not_yet_valid", "nbf is in the future, 11 s ahead"),
        ({"exp": 3600, "iat": None}, "assertion_lives_too_long", "exp is 3600 s ahead, more than 300 s"),
    ],
)
def test_reason_says_by_how_much_the_clocks_differ(claims, cause, says, ask_token, build_assertion, clock, refusals):
    times = {name: value and clock.now + value for name, value in claims.items()}

    assert_refused(ask_token(assertion=build_assertion(**times)), refusals, cause, says=f"assertion: {says}")


def test_compatibility_client_may_sign_for_an_hour(ask_token, build_assertion, app, oauth, clock):
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"assertion_audience": "compatibility"})

    assert ask_token(assertion=build_assertion(exp=clock.now + 3600)).status_code == 200


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", ["soon", True, [], {}])
def test_time_that_is_not_a_number_is_refused(name, value, ask_token, build_assertion, refusals):
    assert_refused(ask_token(assertion=build_assertion(**{name: value})), refusals, f"assertion_{name}_not_number")


def test_time_with_a_fraction_is_accepted(ask_token, build_assertion, clock):
    assert ask_token(assertion=build_assertion(exp=clock.now + 59.5, iat=clock.now - 0.5)).status_code == 200


@pytest.mark.parametrize("number", ["1e999", "-1e999", "Infinity", "NaN", "1" + "0" * 400, "1" + "0" * 5000])
def test_absurd_number_is_refused(number, ask_token, build_assertion, client_key, refusals):
    header, payload, _ = build_assertion().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    text = json.dumps({**claims, "exp": 0}).replace('"exp": 0', f'"exp": {number}')
    answer = ask_token(assertion=sign_raw(client_key, header, b64(text.encode())))

    assert answer.status_code == 400
    assert answer.json == INVALID_CLIENT
    assert causes(refusals) in (["assertion_exp_not_number"], ["assertion_not_json"])


def sign_raw(key, header, payload):
    """Sign whatever the two segments hold."""
    signing_input = f"{header}.{payload}".encode()
    signature = signatures._ALGORITHMS[key.alg].sign(signing_input, key.native)
    return f"{header}.{payload}.{b64(signature)}"


# --- algorithms and keys ----------------------------------------------------------------------------------
@pytest.mark.parametrize("alg", ASYMMETRIC_ALGS)
def test_every_algorithm_is_accepted(alg, ask_token, build_assertion, register, keys):
    key = (
        keys(alg, rsa_bits=2048)
        if alg[:2] not in ("PS", "RS")
        else jose.PrivateKey(keys("PS256").native, alg, keys("PS256").public)
    )
    register(client_id="other", jwks={"keys": [key.public_jwk()]}, scope="read", default_scope="read")

    answer = ask_token(assertion=build_assertion(key=key, iss="other", sub="other"))

    assert answer.status_code == 200


@pytest.mark.parametrize("settings", [{"OAUTH2_ASSERTION_SIGNING_ALGS": ["PS256", "ES384"]}])
def test_algorithm_outside_the_setting_is_refused(settings, app, oauth, ask_other, refusals):
    assert_refused(ask_other("ES256"), refusals, "assertion_alg", says="alg 'ES256' is not accepted")


@pytest.mark.parametrize("settings", [{"OAUTH2_ASSERTION_SIGNING_ALGS": ["PS256", "ES384"]}])
def test_algorithm_of_the_setting_is_accepted(settings, ask_other):
    assert ask_other("ES384").status_code == 200


@pytest.fixture
def ask_other(app, register, keys, build_assertion):
    """A client with an ES384 key and one of another algorithm, asking with the latter."""

    def ask(alg):
        jwks = {"keys": [keys("ES384", "other").public_jwk(), keys(alg, "other").public_jwk()]}
        register(client_id="other", jwks=jwks, scope="read", default_scope="read")
        assertion = build_assertion(key=keys(alg, "other"), iss="other", sub="other")
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        return app.test_client().post("/oauth2/token", data=form)

    return ask


def test_algorithm_other_than_the_registered_one_is_refused(ask_token, app, oauth, keys, build_assertion, refusals):
    both = {"keys": [keys("RS256").public_jwk(alg=None), keys("ES256", "client").public_jwk()]}
    del both["keys"][0]["alg"]
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"jwks": both, "token_endpoint_auth_signing_alg": "RS256"})

    assert_refused(
        ask_token(), refusals, "assertion_alg_not_registered", says="alg 'ES256' is not the registered 'RS256'"
    )


def test_registered_algorithm_is_accepted(ask_token, app, oauth):
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"token_endpoint_auth_signing_alg": "ES256"})

    assert ask_token().status_code == 200


@pytest.mark.parametrize(
    "alg", ["none", "HS256", "NONE", "es256", "RS1", "ES256K", "Ed448", "", 'x"\\\n', "é", "\ud800"]
)
def test_foreign_algorithm_is_refused(alg, ask_token, build_assertion, refusals):
    _, payload, signature = build_assertion().split(".")
    answer = ask_token(assertion=f"{b64({'alg': alg})}.{payload}.{signature}")

    assert_refused(answer, refusals, "assertion_alg")


def test_hmac_with_the_public_key_as_secret_is_refused(ask_token, build_assertion, refusals):
    _, payload, _ = build_assertion().split(".")
    answer = ask_token(assertion=f"{b64({'alg': 'HS256'})}.{payload}.{b64(b'x' * 32)}")

    assert_refused(answer, refusals, "assertion_alg", says="alg 'HS256' is not accepted")


def test_wrong_key_is_refused(ask_token, build_assertion, keys, client_key, refusals):
    assertion = build_assertion(key=keys("ES256", "thief"), header={"kid": client_key.public.thumbprint})

    assert_refused(ask_token(assertion=assertion), refusals, "assertion_signature")


def test_key_of_another_client_is_refused(ask_token, build_assertion, register, keys, refusals):
    register(client_id="other", jwks={"keys": [keys("ES256", "other").public_jwk()]}, scope="read")

    answer = ask_token(assertion=build_assertion(key=keys("ES256", "other"), header={"kid": None}))

    assert_refused(answer, refusals, "assertion_signature")


def test_altered_payload_is_refused(ask_token, build_assertion, clock, refusals):
    header, _, signature = build_assertion().split(".")
    payload = b64({"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": ISSUER, "exp": clock.now + 60, "jti": "x"})

    assert_refused(ask_token(assertion=f"{header}.{payload}.{signature}"), refusals, "assertion_signature")


def test_unknown_kid_is_refused(ask_token, build_assertion, refusals):
    assert_refused(ask_token(assertion=build_assertion(header={"kid": "nope"})), refusals, "assertion_no_key")


def test_assertion_without_kid_tries_every_key(ask_token, app, oauth, keys, client_key, build_assertion):
    jwks = {"keys": [keys("ES256", "other").public_jwk(), client_key.public_jwk()]}
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"jwks": jwks})

    assert ask_token(assertion=build_assertion(header={"kid": None})).status_code == 200


def test_keys_that_share_a_kid_are_all_tried(ask_token, app, oauth, keys, client_key, build_assertion):
    jwks = {"keys": [keys("ES256", "other").public_jwk(kid="same"), client_key.public_jwk(kid="same")]}
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"jwks": jwks})

    assert ask_token(assertion=build_assertion(header={"kid": "same"})).status_code == 200


@pytest.mark.parametrize(
    "spoilt",
    [
        {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"},
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "RSA", "n": "A" * 4000, "e": "AQAB"},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"},
        {"kty": 5},
        {},
        "key",
        None,
    ],
)
def test_unusable_key_beside_a_good_one_does_no_harm(spoilt, ask_token, app, oauth, client_key):
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"jwks": {"keys": [spoilt, client_key.public_jwk()]}})

    assert ask_token().status_code == 200


@pytest.mark.parametrize("member", [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"alg": "ES384"}, {"alg": "ECDH-ES"}])
def test_key_for_another_purpose_is_not_used(member, ask_token, app, oauth, keys, client_key, refusals):
    jwks = {"keys": [client_key.public_jwk(**member), keys("ES256", "other").public_jwk()]}
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"jwks": jwks})

    assert_refused(ask_token(), refusals, "assertion_no_key")


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
def test_key_in_the_header_is_not_used(name, ask_token, build_assertion, keys, refusals):
    thief = keys("ES256", "thief")
    value = {"jwk": thief.public.jwk, "jku": EVIL, "x5u": EVIL, "x5c": ["AAAA"]}[name]

    answer = ask_token(assertion=build_assertion(key=thief, header={"kid": None, name: value}))

    assert_refused(answer, refusals, "assertion_signature")


# --- header and shape -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "typ",
    ["JWT", "jwt", "client-authentication+jwt", "application/client-authentication+jwt", "Client-Authentication+JWT"],
)
def test_typ_of_a_client_authentication_is_accepted(typ, ask_token, build_assertion):
    assert ask_token(assertion=build_assertion(header={"typ": typ})).status_code == 200


@pytest.mark.parametrize(
    "typ",
    [
        "dpop+jwt",
        "at+jwt",
        "oauth-authz-req+jwt",
        "logout+jwt",
        "secevent+jwt",
        "token-introspection+jwt",
        "",
        "x",
        'a"b\\',
    ],
)
def test_foreign_typ_is_refused(typ, ask_token, build_assertion, refusals):
    assert_refused(ask_token(assertion=build_assertion(header={"typ": typ})), refusals, "assertion_typ")


def test_unknown_header_parameters_and_claims_are_ignored(ask_token, build_assertion):
    assertion = build_assertion(header={"x-mine": {"a": [1]}, "é'\"": 1}, extra={"deep": [[1]]}, scope=5)

    assert ask_token(assertion=assertion).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": 5},
        {"crit": None},
        {"crit": [["x"]]},
        {"crit": [{}]},
        {"b64": False, "crit": ["b64"]},
        {"b64": False},
    ],
)
def test_header_that_must_be_understood_is_refused(header, ask_token, build_assertion, client_key, refusals):
    _, payload, _ = build_assertion().split(".")
    head = b64({"alg": "ES256", **header})

    assert_refused(ask_token(assertion=sign_raw(client_key, head, payload)), refusals, "assertion_crit")


def shape(header=None, payload=b"{}", signature="AAAA"):
    """A compact JWS of any two texts."""
    return f"{b64({'alg': 'ES256'} if header is None else header)}.{b64(payload)}.{signature}"


@pytest.mark.parametrize(
    ("assertion", "cause", "reason"),
    [
        ("x", "assertion_malformed", "three base64url parts"),
        ("..", "assertion_malformed", "three base64url parts"),
        ("a.b.c.d.e", "assertion_malformed", "three base64url parts"),
        ("a.b.c", "assertion_not_base64", "base64url"),
        ("é.é.é", "assertion_malformed", "three base64url parts"),
        ("a b.c.d", "assertion_malformed", "three base64url parts"),
        (shape(["alg"]), "assertion_not_object", "header is not a JSON object"),
        (shape("alg"), "assertion_not_object", "header is not a JSON object"),
        (shape(b"null"), "assertion_not_object", "header is not a JSON object"),
        (shape({}), "assertion_alg_missing", "no alg"),
        (shape({"alg": 5}), "assertion_alg_missing", "no alg"),
        (shape({"alg": "ES256", "kid": 5}), "assertion_kid_not_text", "kid is not text"),
        (shape({"alg": "ES256", "typ": ["JWT"]}), "assertion_typ_not_text", "typ is not text"),
        (shape(payload=b"[]"), "assertion_not_object", "payload is not a JSON object"),
        (shape(payload=b"{"), "assertion_not_json", "payload is not JSON"),
        (shape(payload=bytes([0xFF, 0xFE])), "assertion_not_json", "payload is not JSON"),
        (shape(payload=b"[" * 4000), "assertion_too_deep", "nested deeper"),
        (shape(payload=b'{"a":' * 1000), "assertion_too_deep", "nested deeper"),
        (shape(b'{"alg":"none","alg":"ES256"}'), "assertion_member_repeated", "stands twice"),
        (shape(payload=b'{"iss":"a","iss":"b"}'), "assertion_member_repeated", "stands twice"),
        ("A" * 8193, "assertion_too_long", "longer than 8192 bytes"),
    ],
)
def test_malformed_assertion_is_refused(assertion, cause, reason, ask_token, refusals):
    assert_refused(ask_token(assertion=assertion), refusals, cause, says=reason)


def test_surrogates_and_nul_in_jti_are_no_error(ask_token, build_assertion):
    assert ask_token(assertion=build_assertion(jti="\ud800\x00")).status_code == 200


def test_long_jti_is_accepted_up_to_256_characters(ask_token, build_assertion):
    assert ask_token(assertion=build_assertion(jti="j" * 256)).status_code == 200


def test_longer_jti_is_refused(ask_token, build_assertion, refusals):
    assert_refused(
        ask_token(assertion=build_assertion(jti="j" * 257)),
        refusals,
        "assertion_jti_malformed",
        says="jti is not a string of 1 to 256 characters",
    )


# --- once only --------------------------------------------------------------------------------------------
def test_same_assertion_again_is_refused(ask_token, build_assertion, refusals):
    assertion = build_assertion()
    assert ask_token(assertion=assertion).status_code == 200

    assert_refused(ask_token(assertion=assertion), refusals, "assertion_replayed")


def test_same_jti_in_another_assertion_is_refused(ask_token, build_assertion, clock, refusals):
    assert ask_token(assertion=build_assertion(jti="one")).status_code == 200

    answer = ask_token(assertion=build_assertion(jti="one", exp=clock.now + 100))

    assert_refused(answer, refusals, "assertion_replayed")


def test_same_jti_of_another_client_is_accepted(ask_token, build_assertion, register, keys):
    key = keys("ES256", "other")
    register(client_id="other", jwks={"keys": [key.public_jwk()]}, scope="read", default_scope="read")
    assert ask_token(assertion=build_assertion(jti="one")).status_code == 200

    assert ask_token(assertion=build_assertion(jti="one", key=key, iss="other", sub="other")).status_code == 200


def test_jti_may_come_again_once_its_assertion_is_past(ask_token, build_assertion, clock):
    assert ask_token(assertion=build_assertion(jti="one")).status_code == 200
    clock.move(60 + 10 + 1)  # a second later than it is over: a mark outlives what it guards

    assert ask_token(assertion=build_assertion(jti="one")).status_code == 200


@pytest.mark.parametrize(
    ("seconds", "cause", "reason"),
    [
        (59, "assertion_replayed", "was used before"),
        (69, "assertion_replayed", "was used before"),
        (70, "assertion_expired", "expired, 10 s ago"),
    ],
)
@pytest.mark.parametrize("fraction", [0, 0.5])
def test_replay_is_refused_until_the_assertion_expires_and_then_it_is_expired(
    seconds, cause, reason, fraction, ask_token, build_assertion, clock, refusals
):
    assertion = build_assertion(exp=clock.now + 60 - fraction)
    assert ask_token(assertion=assertion).status_code == 200
    clock.move(seconds)

    assert_refused(ask_token(assertion=assertion), refusals, cause, says=reason)


def test_mark_is_there_in_the_last_second_of_the_assertion_and_one_more(ask_token, build_assertion, clock, refusals):
    """So that a worker whose clock is a second behind another's finds it too."""
    assert ask_token(assertion=build_assertion(jti="one")).status_code == 200
    clock.move(70)

    assert_refused(ask_token(assertion=build_assertion(jti="one")), refusals, "assertion_replayed")


@pytest.mark.parametrize(
    "fault", [{"aud": EVIL}, {"exp": 1}, {"header": {"kid": "nope"}}, {"iss": "x"}, {"header": {"typ": "at+jwt"}}]
)
def test_refused_assertion_spends_no_jti(fault, ask_token, build_assertion):
    assert ask_token(assertion=build_assertion(jti="one", **fault)).status_code == 400

    assert ask_token(assertion=build_assertion(jti="one")).status_code == 200


def test_forged_assertion_cannot_burn_a_jti(ask_token, build_assertion, keys, client_key):
    forged = build_assertion(jti="one", key=keys("ES256", "thief"), header={"kid": client_key.public.thumbprint})
    assert ask_token(assertion=forged).status_code == 400

    assert ask_token(assertion=build_assertion(jti="one")).status_code == 200


# --- the form ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [None, "", "urn:x", ASSERTION_TYPE.upper(), ASSERTION_TYPE + " "])
def test_wrong_client_assertion_type_is_refused(kind, ask_token, refusals):
    assert_refused(ask_token(client_assertion_type=kind), refusals, "assertion_type")


@pytest.mark.parametrize("form", [{"client_assertion": None}, {"client_assertion": ""}])
def test_no_assertion_is_refused(form, ask_token, refusals):
    assert_refused(ask_token(**form), refusals, "assertion_missing")


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        ({"Authorization": "Basic Y29uc29sZTpzZWNyZXQ="}, {}),
        ({"Authorization": "Basic "}, {}),
        ({"Authorization": "Basic /v8="}, {}),
        ({"Authorization": "Bearer x"}, {}),
        ({}, {"client_secret": "secret"}),
    ],
)
def test_two_ways_of_authenticating_are_refused(headers, form, ask_token, refusals):
    answer = ask_token(headers=headers, **form)

    assert answer.status_code == 400
    assert answer.json == INVALID_REQUEST
    assert causes(refusals) == ["client_auth_twice"]


@pytest.mark.parametrize("name", ["client_secret", "client_id", "resource", "scope", "code", "unknown"])
def test_empty_parameter_is_an_absent_one(name, ask_token):
    assert ask_token(**{name: ""}).status_code == 200


@pytest.mark.parametrize("name", ["client_secret", "client_assertion_type", "client_assertion"])
def test_empty_parameter_stays_one_that_is_sent_once(name, ask_token, refusals):
    assert ask_token(**{name: ["", ""]}).json == INVALID_REQUEST
    assert refusals == [f"parameter {name!r} is sent more than once"]
    assert causes(refusals) == ["parameter_repeated"]


def test_empty_assertion_is_none(ask_token, refusals):
    assert_refused(ask_token(assertion="", client_id=CLIENT_ID), refusals, "assertion_missing")


@pytest.mark.parametrize(
    ("headers", "form"),
    [({"Authorization": "Basic Y29uc29sZTpzZWNyZXQ="}, {}), ({}, {"client_id": CLIENT_ID, "client_secret": "x"})],
)
def test_a_secret_instead_of_an_assertion_is_refused(headers, form, ask_token, refusals):
    answer = ask_token(client_assertion=None, headers=headers, **form)

    # RFC 6749 §5.2: whoever tries the Authorization header gets a 401 with a challenge.
    assert answer.status_code == (401 if headers else 400)
    assert ("WWW-Authenticate" in answer.headers) == bool(headers)
    assert answer.json == INVALID_CLIENT
    assert causes(refusals) == ["assertion_missing"]


def test_unknown_client_wrong_key_and_wrong_audience_look_the_same(ask_token, build_assertion, keys, client_key):
    answers = [
        ask_token(assertion=build_assertion(iss="nobody", sub="nobody")),
        ask_token(assertion=build_assertion(key=keys("ES256", "thief"), header={"kid": client_key.public.thumbprint})),
        ask_token(assertion=build_assertion(aud=EVIL)),
    ]
    faces = {
        (a.status_code, a.data, tuple(h for h in a.headers if h[0] not in ("Error-Reference", "Date"))) for a in answers
    }

    assert len(faces) == 1


@pytest.mark.parametrize(
    ("times", "claim"),
    [({"exp": -(10**300), "iat": None}, "exp"), ({"exp": START + 60.5, "iat": -(10**400)}, "iat")],
)
def test_number_too_large_to_compute_with_is_no_time(times, claim, ask_token, build_assertion, refusals):
    assert_refused(ask_token(assertion=build_assertion(**times)), refusals, f"assertion_{claim}_not_number")


def test_key_registered_without_a_kid_goes_by_its_thumbprint(ask_token, app, oauth, client_key, keys):
    jwks = {"keys": [client_key.public_jwk(kid=None), keys("ES256", "other").public_jwk()]}
    del jwks["keys"][0]["kid"]
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"jwks": jwks})

    assert ask_token().status_code == 200
