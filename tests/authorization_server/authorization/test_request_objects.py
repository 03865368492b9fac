"""What a request object must be, pushed or in the URL (RFC 9101, FAPI 2.0 Message Signing §5.3.1)."""

import base64
import hmac
import json
from hashlib import sha256

import pytest

from tests.authorization_server.conftest import APP_ID, NULL, PAR_URL, REDIRECT_URI, answer_in, build_request
from tests.conftest import API, ISSUER
from tests.refusals import causes

INVALID = {"error": "invalid_request_object", "error_description": "The request object is invalid."}
HOUR = 3600


@pytest.fixture(params=["pushed", "in the URL"])
def bring(request, push_object, open_object):
    """Bring a request object to the one place or the other."""
    return push_object if request.param == "pushed" else open_object


def assert_accepted(answer, refusals):
    assert answer.status_code in (201, 302), answer.text
    assert refusals == []


def assert_refused(answer, refusals, cause, *, says=""):
    """JSON to the client that pushed it; a page to the person, as there is no place that may hear of it."""
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    if answer.is_json:
        assert answer.json == INVALID
        assert answer.headers["Cache-Control"] == "no-store"
    else:
        assert answer.mimetype == "text/html"
        assert "The request cannot be verified" in answer.text
    assert causes(refusals) == [cause], refusals
    assert refusals[0].startswith(says)


def test_valid_object_is_accepted(bring, refusals):
    assert_accepted(bring(), refusals)


# --- the JWT ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "typ",
    [
        None,
        "JWT",
        "jwt",
        "application/jwt",
        "oauth-authz-req+jwt",
        "application/oauth-authz-req+jwt",
        "OautH-auThZ-REQ+jWt",
        "Application/OAuth-Authz-Req+JWT",
    ],
)
def test_typ_of_a_request_object_is_accepted(typ, bring, refusals):
    assert_accepted(bring(header={"typ": typ}), refusals)


@pytest.mark.parametrize(
    "typ",
    [
        "client-authentication+jwt",
        "dpop+jwt",
        "at+jwt",
        "key-possession+jwt",
        "secevent+jwt",
        "token-introspection+jwt",
        "oauth-authz-req",
        "oauth-authz-req+jwt ",
        "application/application/oauth-authz-req+jwt",
        "text/oauth-authz-req+jwt",
        "",
    ],
)
def test_typ_of_another_kind_of_jwt_is_refused(typ, bring, refusals):
    assert_refused(bring(header={"typ": typ}), refusals, "request_object_typ", says="request object: typ '")


@pytest.mark.parametrize(
    ("header", "cause", "says"),
    [
        ({"typ": 5}, "request_object_typ_not_text", ""),
        ({"kid": ["x"]}, "request_object_kid_not_text", ""),
        ({"crit": ["exp"]}, "request_object_crit", ""),
        ({"b64": False}, "request_object_crit", ""),
        ({"alg": "none"}, "request_object_alg", "request object: alg 'none' is not accepted"),
        ({"alg": "HS256"}, "request_object_alg", "request object: alg 'HS256' is not accepted"),
        ({"alg": 'x"\\é'}, "request_object_alg", "request object: alg 'x\"\\\\\\xe9' is not accepted"),
        ({"alg": "RS256"}, "request_object_no_key", ""),
        ({"alg": "ES384"}, "request_object_no_key", ""),
        ({"kid": "another"}, "request_object_no_key", "request object: no key of the client fits kid 'another'"),
    ],
)
def test_header_that_is_not_right_is_refused(header, cause, says, bring, refusals):
    assert_refused(bring(header=header), refusals, cause, says=says)


def test_kid_may_be_left_out(bring, refusals):
    assert_accepted(bring(header={"kid": None}), refusals)


def test_header_and_claims_that_are_not_known_are_ignored(bring, refusals):
    assert_accepted(bring(header={"x": 5, "cty": "a"}, vendor={"a": [1, None]}, jti=5), refusals)


@pytest.mark.parametrize(
    ("text", "cause", "says"),
    [
        ("x", "request_object_malformed", ""),
        ("e30.e30.", "request_object_malformed", ""),
        ("e30.e30.eA.eA.eA", "request_object_malformed", ""),
        ("e30.e30.eA", "request_object_alg_missing", ""),
        ("é", "request_object_malformed", ""),
        ("x" * 16385, "request_object_too_long", "request object: longer than 16384 bytes"),
    ],
)
def test_text_that_is_no_signed_jwt_is_refused(text, cause, says, bring, refusals):
    assert_refused(bring(text), refusals, cause, says=says)


def encode(header, payload):
    parts = (json.dumps(part).encode() if isinstance(part, (dict, list)) else part for part in (header, payload))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def test_unsigned_object_is_refused(bring, build_object, refusals):
    payload = build_object().split(".")[1]

    assert_refused(bring(f"{encode({'alg': 'none'}, b'')}{payload}."), refusals, "request_object_malformed")


def test_object_under_a_mac_with_the_public_key_is_refused(bring, build_object, client_key, refusals):
    signed = encode({"alg": "HS256", "kid": client_key.public.thumbprint}, b"") + build_object().split(".")[1]
    mac = hmac.digest(json.dumps(client_key.public_jwk()).encode(), signed.encode(), sha256)
    text = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    assert_refused(bring(text), refusals, "request_object_alg", says="request object: alg 'HS256' is not accepted")


@pytest.mark.parametrize(
    ("payload", "cause"),
    [
        (b"[]", "request_object_not_object"),
        (b'"x"', "request_object_not_object"),
        (b"5", "request_object_not_object"),
        (b"null", "request_object_not_object"),
        (b"{", "request_object_not_json"),
        (b'{"client_id":"webapp","client_id":"x"}', "request_object_member_repeated"),
    ],
)
def test_payload_that_is_no_object_is_refused(payload, cause, bring, refusals):
    text = f"{encode({'alg': 'ES256'}, payload)}.eA"

    assert_refused(bring(text), refusals, cause, says="request object: the payload is not")


@pytest.mark.parametrize("part", [1, 2])
def test_object_that_was_altered_is_refused(part, bring, build_object, refusals):
    parts, others = build_object().split("."), build_object(state="another").split(".")
    parts[part] = others[part]

    assert_refused(bring(".".join(parts)), refusals, "request_object_signature")


def test_key_that_is_not_registered_is_refused_under_any_name(bring, keys, client_key, refusals):
    foreign = keys("ES256", "foreign")

    assert_refused(bring(key=foreign), refusals, "request_object_no_key")
    refusals.clear()
    kid = {"kid": client_key.public.thumbprint}
    assert_refused(bring(key=foreign, header=kid), refusals, "request_object_signature")


def test_object_of_another_client_is_refused(bring, register, keys, refusals):
    own = keys("ES256", "other")
    register(
        client_id="other",
        jwks={"keys": [own.public_jwk()]},
        grant_types=["authorization_code"],
        redirect_uris=[REDIRECT_URI],
        scope="read",
    )

    assert_refused(
        bring(key=own, client_id="other", iss="other"),
        refusals,
        "request_object_client_id",
        says="request object: client_id 'other' is not",
    )
    refusals.clear()
    assert_refused(bring(key=own), refusals, "request_object_no_key")


# --- algorithms -----------------------------------------------------------------------------------------------------
def set_client(app, oauth, **metadata):
    with app.app_context():
        oauth.clients.update(APP_ID, metadata)


@pytest.mark.parametrize("alg", ["ES256", "ES384", "PS256", "RS256", "EdDSA", "Ed25519"])
def test_algorithm_that_the_server_accepts_is_accepted(alg, bring, app, oauth, keys, refusals):
    set_client(app, oauth, jwks={"keys": [keys("ES256", "client").public_jwk(), keys(alg, "signs").public_jwk()]})

    assert_accepted(bring(key=keys(alg, "signs")), refusals)


@pytest.mark.parametrize("settings", [{"OAUTH2_REQUEST_OBJECT_SIGNING_ALGS": ["PS256"]}])
def test_algorithm_that_the_server_does_not_accept_is_refused(bring, app, oauth, keys, refusals):
    ours, rsa = keys("ES256", "client").public_jwk(), keys("PS256", "signs")
    set_client(app, oauth, jwks={"keys": [ours, {**rsa.public_jwk(), "alg": "PS256"}]})

    assert_refused(bring(), refusals, "request_object_alg", says="request object: alg 'ES256' is not accepted")
    refusals.clear()
    assert_accepted(bring(key=rsa), refusals)


def test_client_is_held_to_its_registered_algorithm(bring, app, oauth, keys, refusals):
    rsa = keys("PS256", "signs")
    both = {"keys": [keys("ES256", "client").public_jwk(), rsa.public_jwk()]}
    set_client(app, oauth, jwks=both, request_object_signing_alg="PS256")

    assert_refused(
        bring(),
        refusals,
        "request_object_alg_not_registered",
        says="request object: alg 'ES256' is not the registered 'PS256'",
    )
    refusals.clear()
    assert_accepted(bring(key=rsa), refusals)


# --- whose it is, and for whom ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "cause", "says"),
    [
        ({"client_id": None}, "request_object_client_id_missing", ""),
        ({"client_id": "Webapp"}, "request_object_client_id", "request object: client_id 'Webapp' is not 'webapp'"),
        ({"client_id": [APP_ID]}, "request_object_client_id", "request object: client_id ['webapp'] is not 'webapp'"),
        ({"iss": "other"}, "request_object_iss", "request object: iss 'other' is not 'webapp'"),
        ({"iss": NULL}, "request_object_iss", "request object: iss None is not 'webapp'"),
        ({"iss": [APP_ID]}, "request_object_iss", "request object: iss ['webapp'] is not 'webapp'"),
        ({"sub": APP_ID}, "request_object_sub", ""),
        ({"aud": None}, "request_object_aud_missing", ""),
        ({"aud": NULL}, "request_object_aud_malformed", ""),
        ({"aud": []}, "request_object_aud", "request object: aud [] does not name 'https://as.example'"),
        (
            {"aud": "https://other.example"},
            "request_object_aud",
            "request object: aud 'https://other.example' does not name",
        ),
        (
            {"aud": ["https://other.example"]},
            "request_object_aud",
            "request object: aud ['https://other.example'] does not name",
        ),
        ({"aud": ISSUER + "/"}, "request_object_aud", "request object: aud 'https://as.example/' does not name"),
        ({"aud": PAR_URL}, "request_object_aud", "request object: aud 'https://as.example/oauth2/par' does not name"),
        ({"aud": [ISSUER, 5]}, "request_object_aud_malformed", ""),
        ({"aud": {ISSUER: 1}}, "request_object_aud_malformed", ""),
        ({"aud": True}, "request_object_aud_malformed", ""),
        ({"aud": [[ISSUER]]}, "request_object_aud_malformed", ""),
    ],
)
def test_object_that_is_another_s_or_for_another_is_refused(change, cause, says, bring, refusals):
    assert_refused(bring(**change), refusals, cause, says=says)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": None},
        {"sub": "alice"},
        {"aud": [ISSUER]},
        {"aud": [ISSUER, "https://other.example"]},
        {"aud": ["https://other.example", ISSUER]},
    ],
)
def test_object_that_names_this_server_is_accepted(change, bring, refusals):
    assert_accepted(bring(**change), refusals)


# --- when ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("nbf", "exp"),
    [(0, 1), (0, HOUR), (10, 20), (10, 10 + HOUR), (10.5 - 1, 60), (-HOUR + 1, 1), (-60, 0.5), (5, 3)],
)
def test_object_in_its_time_is_accepted(nbf, exp, bring, clock, refusals):
    assert_accepted(bring(nbf=clock.now + nbf, exp=clock.now + exp), refusals)


@pytest.mark.parametrize(
    ("nbf", "exp", "cause", "says"),
    [
        (-60, 0, "request_object_expired", "request object: expired, 0 s ago"),
        (-60, -0.5, "request_object_expired", ""),
        (-HOUR, 0, "request_object_expired", ""),
        (11, 60, "request_object_not_yet_valid", "request object: nbf is in the future"),
        (10.5, 60, "request_object_not_yet_valid", "request object: nbf is in the future"),
        (0, HOUR + 1, "request_object_lives_too_long", "request object: exp is more than 3600 s after nbf"),
        (0, HOUR + 0.5, "request_object_lives_too_long", "request object: exp is more than 3600 s after nbf"),
        (-HOUR, 1, "request_object_lives_too_long", "request object: exp is more than 3600 s after nbf"),
        (-70 * 60, 60, "request_object_lives_too_long", "request object: exp is more than 3600 s after nbf"),
        (-70 * 60, -HOUR, "request_object_expired", "request object: expired, 3600 s ago"),
        (11, 60, "request_object_not_yet_valid", "request object: nbf is in the future, 11 s ahead"),
    ],
)
def test_object_out_of_its_time_is_refused(nbf, exp, cause, says, bring, clock, refusals):
    assert_refused(bring(nbf=clock.now + nbf, exp=clock.now + exp), refusals, cause, says=says)


@pytest.mark.parametrize("name", ["nbf", "exp"])
def test_object_without_its_times_is_refused(name, bring, refusals):
    assert_refused(bring(**{name: None}), refusals, f"request_object_{name}_missing")


@pytest.mark.parametrize("iat", [None, -86400, 0, 10])
def test_object_that_was_made_by_now_is_accepted(iat, bring, clock, refusals):
    assert_accepted(bring(iat=iat if iat is None else clock.now + iat), refusals)


@pytest.mark.parametrize("iat", [11, 61, 3600])
def test_object_that_is_yet_to_be_made_is_refused(iat, bring, clock, refusals):
    """FAPI 2.0 Security Profile §5.3.2.1: as for any JWT that a client makes."""
    says = f"request object: iat is in the future, {iat} s ahead"

    assert_refused(bring(iat=clock.now + iat), refusals, "request_object_not_yet_valid", says=says)


@pytest.mark.parametrize("name", ["nbf", "exp", "iat"])
@pytest.mark.parametrize("value", [NULL, "1800000000", True, [1], {}, 2**53, -(2**53), 10**400])
def test_time_that_is_no_number_is_refused(name, value, bring, refusals):
    assert_refused(bring(**{name: value}), refusals, f"request_object_{name}_not_number")


# --- what is inside -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["request", "request_uri"])
@pytest.mark.parametrize("value", ["urn:ietf:params:oauth:request_uri:x", "", NULL, {}, 5])
def test_object_that_stands_for_another_one_is_refused(name, value, bring, refusals):
    assert_refused(bring(**{name: value}), refusals, "request_object_nested", says=f"request object: holds {name!r}")


TEXTS = (
    *("response_type", "response_mode", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method"),
    *("dpop_jkt", "prompt", "login_hint", "nonce", "id_token_hint"),
)


@pytest.mark.parametrize("name", [*TEXTS, "resource", "max_age"])
@pytest.mark.parametrize("value", [True, 1.5, {"a": 1}, [["x"]], NULL])
def test_parameter_that_is_no_text_is_refused(name, value, bring, refusals):
    assert_refused(bring(**{name: value}), refusals, f"request_object_{name}_not_text")


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("value", [5, ["read"]])
def test_parameter_is_no_number_and_no_list(name, value, bring, refusals):
    assert_refused(bring(**{name: value}), refusals, f"request_object_{name}_not_text")


@pytest.mark.parametrize("name", [*TEXTS, "resource"])
def test_half_of_a_surrogate_pair_is_refused(name, bring, refusals):
    """It would fit into no Location and no database."""
    assert_refused(bring(**{name: "x\ud800"}), refusals, f"request_object_{name}_not_unicode")


@pytest.mark.parametrize("name", ["claims", "registration"])
@pytest.mark.parametrize("value", ["{}", [], 5, NULL, True])
def test_parameter_that_is_no_json_object_is_refused(name, value, bring, refusals):
    assert_refused(bring(**{name: value}), refusals, f"request_object_{name}_not_object")


@pytest.mark.parametrize(
    "change",
    [
        {"max_age": 60},
        {"max_age": "60"},
        {"claims": {"userinfo": {"email": None}}},
        {"claims": {}},
        {"resource": API},
        {"resource": [API]},
        {"resource": [API, API]},
        {"resource": []},
        {"state": "é 𝄞"},
        {"state": None},
        {"acr_values": 5, "display": ["x"]},
    ],
)
def test_parameter_of_its_json_type_is_accepted(change, bring, refusals):
    assert_accepted(bring(**change), refusals)


@pytest.mark.parametrize(
    ("change", "error", "cause", "says"),
    [
        ({"redirect_uri": None}, "invalid_request", "redirect_uri_missing", "no redirect_uri"),
        (
            {"redirect_uri": "https://evil.example"},
            "invalid_request",
            "redirect_uri_not_registered",
            "redirect_uri 'https://evil.example' is not",
        ),
        (
            {"response_mode": "fragment"},
            "invalid_request",
            "response_mode_not_supported",
            "response_mode 'fragment' is not supported",
        ),
    ],
)
def test_object_without_a_place_for_the_answer_is_refused(change, error, cause, says, bring, refusals):
    answer = bring(**change)

    assert answer.status_code == 400
    assert (answer.json["error"] if answer.is_json else error) == error
    assert "evil" not in answer.text
    assert causes(refusals) == [cause]
    assert refusals[0].startswith(says)


REFUSED_AS_EVER = pytest.mark.parametrize(
    ("change", "error", "cause", "says"),
    [
        ({"response_type": None}, "invalid_request", "response_type_missing", ""),
        (
            {"response_type": "code id_token"},
            "unsupported_response_type",
            "response_type_not_supported",
            "response_type 'code id_token' is not code",
        ),
        ({"code_challenge": None}, "invalid_request", "code_challenge_missing", ""),
        (
            {"code_challenge_method": None},
            "invalid_request",
            "code_challenge_method",
            "code_challenge_method 'plain' is not S256",
        ),
        ({"scope": "admin"}, "invalid_scope", "scope_not_registered", "scope 'admin' is not registered"),
        (
            {"resource": "https://evil.example"},
            "invalid_target",
            "resource_unknown",
            "resource 'https://evil.example' is not in",
        ),
        ({"resource": [API, "x"]}, "invalid_target", "resource_unknown", "resource 'x' is not in"),
        ({"dpop_jkt": "x"}, "invalid_request", "dpop_jkt_malformed", ""),
        ({"max_age": -1}, "invalid_request", "max_age_malformed", ""),
        ({"max_age": 10**400}, "invalid_request", "max_age_malformed", ""),
        ({"prompt": "none login"}, "invalid_request", "prompt_none_combined", ""),
        ({"registration": {}}, "registration_not_supported", "registration_parameter", ""),
    ],
)


@REFUSED_AS_EVER
def test_pushed_object_is_refused_for_its_parameters_as_ever(change, error, cause, says, push_object, refusals):
    answer = push_object(**change)

    assert (answer.status_code, answer.json["error"]) == (400, error)
    assert causes(refusals) == [cause]
    assert refusals[0].startswith(says)


@REFUSED_AS_EVER
def test_object_in_the_url_is_refused_where_its_own_redirect_uri_says(
    change, error, cause, says, open_object, refusals
):
    answer = answer_in(open_object(state="inside", beside={"state": "outside", "redirect_uri": "x"}, **change))

    assert answer.pop("error_description")
    assert answer == {"tenant": "1", "error": error, "state": "inside", "iss": ISSUER}
    assert causes(refusals) == [cause]
    assert refusals[0].startswith(says)


# --- what is beside it --------------------------------------------------------------------------------------------
def test_what_is_beside_the_object_is_ignored(bring, refusals):
    beside = build_request(scope="admin", redirect_uri="https://evil.example", response_type="token", max_age="x")
    beside |= {"client_id": APP_ID, "resource": "https://evil.example"}

    assert_accepted(bring(beside=beside), refusals)


def test_parameter_that_is_beside_the_object_only_is_not_used(bring, refusals):
    answer = bring(code_challenge=None, code_challenge_method=None, beside=build_request())

    assert answer.status_code in (400, 303)
    assert causes(refusals) == ["code_challenge_missing"]


def test_empty_object_is_none(push, browser, webapp):
    assert push(request="").status_code == 201
    assert browser.open(build_request(request="")).status_code == 302


# --- keys that are not to be had ------------------------------------------------------------------------------------
def test_public_client_has_no_key_to_sign_with(native, post, browser, build_object, refusals):
    claims = {"client_id": "native", "iss": "native", "redirect_uri": "http://127.0.0.1/callback"}
    request = build_object(**claims)

    pushed = post("/oauth2/par", assertion=False, client_id="native", request=request)
    assert (pushed.status_code, pushed.json) == (400, INVALID)
    assert browser.open({"client_id": "native", "request": request}).status_code == 400
    assert causes(refusals) == ["request_object_public_client"] * 2
