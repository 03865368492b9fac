"""Verification of JWT access tokens (RFC 9068 §4)."""

import pytest

from flask_private_key_jwt.jose import jose, signatures
from tests.refusals import causes
from tests.resource_server.api_answers import INVALID_TOKEN, challenges

EVERY_FRAMEWORK = True

API = "https://api.example"


def check_refused(answer, refusals, cause, *, says=""):
    assert answer.status_code == 401
    assert answer.json == INVALID_TOKEN
    assert causes(refusals) == [cause], refusals
    assert says in ("", refusals[0])
    assert challenges(answer)[0].startswith('Bearer error="invalid_token", error_description="')


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "PS256", "RS256", "EdDSA", "Ed25519"])
def test_a_token_of_any_accepted_algorithm_passes(call, issuer, build_token, keys, alg):
    key = keys(alg, "issuer")
    issuer.publish(key)

    assert call.bearer(build_token(key=key)).status_code == 200


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"])
def test_the_media_type_of_access_tokens_is_accepted(call, build_token, typ):
    assert call.bearer(build_token(header={"typ": typ})).status_code == 200


@pytest.mark.parametrize(
    "typ", [None, "JWT", "dpop+jwt", "client-authentication+jwt", "logout+jwt", "x/at+jwt", "at+jwt "]
)
def test_another_typ_is_refused_an_id_token_for_one(call, refusals, build_token, typ):
    shown = typ and typ.lower()

    check_refused(
        call.bearer(build_token(header={"typ": typ})), refusals, "token_typ", says=f"token: typ {shown!r} is not at+jwt"
    )


@pytest.mark.parametrize("aud", [API, [API], ["https://other.example", API]])
def test_an_audience_that_names_the_api_is_accepted(call, build_token, aud):
    assert call.bearer(build_token(aud=aud)).status_code == 200


@pytest.mark.parametrize(
    ("aud", "cause", "reason"),
    [
        (None, "token_aud_missing", "token: missing claim 'aud'"),
        (5, "token_aud_malformed", "token: aud is neither a string nor a list of strings"),
        ({API: 1}, "token_aud_malformed", "token: aud is neither a string nor a list of strings"),
        ([API, 5], "token_aud_malformed", "token: aud is neither a string nor a list of strings"),
        ([[API]], "token_aud_malformed", "token: aud is neither a string nor a list of strings"),
        ([], "token_aud", f"token: aud [] does not name {API!r}"),
        ("https://other.example", "token_aud", f"token: aud 'https://other.example' does not name {API!r}"),
        (API + "/", "token_aud", f"token: aud '{API}/' does not name {API!r}"),
        ("https://as.example", "token_aud", f"token: aud 'https://as.example' does not name {API!r}"),
        ("HTTPS://api.example", "token_aud", f"token: aud 'HTTPS://api.example' does not name {API!r}"),
    ],
)
def test_another_audience_is_refused(call, refusals, build_token, aud, cause, reason):
    check_refused(call.bearer(build_token(aud=aud)), refusals, cause, says=reason)


@pytest.mark.parametrize("iss", ["", 5, "https://as.example/", "https://AS.example", "https://evil.example"])
def test_another_issuer_is_refused(call, refusals, build_token, iss):
    says = f"token: iss {iss!r} is not 'https://as.example'"

    check_refused(call.bearer(build_token(iss=iss)), refusals, "token_iss", says=says)


def test_a_token_without_an_issuer_is_refused(call, refusals, build_token):
    check_refused(call.bearer(build_token(iss=None)), refusals, "token_iss_missing")


@pytest.mark.parametrize("claim", ["sub", "client_id", "jti"])
@pytest.mark.parametrize("value", [None, "", 5, ["x"]])
def test_a_required_text_that_is_none_is_refused(call, refusals, build_token, claim, value):
    cause = f"token_{claim}_missing" if value is None else f"token_{claim}_not_text"

    check_refused(call.bearer(build_token(**{claim: value})), refusals, cause)


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", ["1800000000", True, [], {}, 10**400, -(2**53)])
def test_a_time_that_is_no_number_is_refused(call, refusals, build_token, claim, value):
    check_refused(call.bearer(build_token(**{claim: value})), refusals, f"token_{claim}_not_number")


@pytest.mark.parametrize("claim", ["exp", "iat"])
def test_a_token_without_a_time_is_refused(call, refusals, build_token, claim):
    check_refused(call.bearer(build_token(**{claim: None})), refusals, f"token_{claim}_missing")


@pytest.mark.parametrize("constant", ["Infinity", "-Infinity", "NaN"])
def test_a_constant_json_does_not_know_is_refused(call, refusals, build_token, constant):
    says = f"token: the payload is not acceptable: {constant} is not JSON"

    check_refused(call.bearer(build_token(exp=float(constant))), refusals, "token_not_json", says=says)


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_a_time_that_overflows_is_refused(call, refusals, build_token, monkeypatch, number):
    # JSON has such numbers, Python reads them as infinity; its encoder cannot write them.
    write = signatures.encode_json
    monkeypatch.setattr(signatures, "encode_json", lambda members: write(members).replace('"huge"', number))

    check_refused(call.bearer(build_token(exp="huge")), refusals, "token_exp_not_number")


@pytest.mark.parametrize(("changes", "status"), [({"exp": -9}, 200), ({"exp": -10}, 401), ({"exp": 1.5}, 200)])
def test_a_token_lives_until_exp_and_the_skew(call, build_token, clock, changes, status):
    assert call.bearer(build_token(exp=clock.now + changes["exp"])).status_code == status


def test_an_expired_token_is_refused(call, refusals, build_token, clock):
    token = build_token()
    assert call.bearer(token).status_code == 200
    clock.move(700)

    check_refused(call.bearer(token), refusals, "token_expired", says="token: expired, 100 s ago")


@pytest.mark.parametrize("claim", ["iat", "nbf"])
@pytest.mark.parametrize(("seconds", "status"), [(10, 200), (11, 401)])
def test_a_token_from_the_future_is_refused_beyond_the_skew(call, refusals, build_token, clock, claim, seconds, status):
    answer = call.bearer(build_token(**{claim: clock.now + seconds}))

    assert answer.status_code == status
    assert causes(refusals) == ([] if status == 200 else ["token_not_yet_valid"])
    assert refusals == ([] if status == 200 else ["token: iat or nbf is in the future, 11 s ahead"])


def test_largest_date_is_a_date(call, build_token):
    assert call.bearer(build_token(exp=2**53 - 1)).status_code == 200


def test_unknown_claims_and_header_parameters_are_ignored(call, build_token):
    assert call.bearer(build_token(extra={"a": [1]}, header={"x-extra": 1})).status_code == 200


def test_a_token_of_another_key_with_the_issuers_kid_is_refused(call, refusals, build_token, issuer_key, keys):
    token = build_token(key=keys("ES256", "thief"), header={"kid": issuer_key.public.thumbprint})

    check_refused(call.bearer(token), refusals, "token_signature")


def test_an_altered_token_is_refused(call, refusals, build_token):
    head, _, signature = build_token().split(".")
    payload = build_token(scope="admin").split(".")[1]

    answer = call.bearer(f"{head}.{payload}.{signature}")

    check_refused(answer, refusals, "token_signature")


@pytest.mark.parametrize("alg", ["none", "HS256", "ES256K", "é", 'ES256"'])
def test_an_algorithm_that_is_none_of_ours_is_refused(call, refusals, build_token, alg):
    says = f"token: alg {alg!r} is not accepted".encode("ascii", "backslashreplace").decode()

    check_refused(call.bearer(build_token(header={"alg": alg})), refusals, "token_alg", says=says)


def test_an_algorithm_the_api_does_not_accept_is_refused(make_caller, build_token, issuer, keys):
    issuer.publish(keys("RS256", "issuer"))
    strict = make_caller(OAUTH2_TOKEN_SIGNING_ALGS=["ES256"])

    check_refused(
        strict.bearer(build_token(key=keys("RS256", "issuer"))),
        strict.refusals,
        "token_alg",
        says="token: alg 'RS256' is not accepted",
    )


def test_an_algorithm_the_key_is_not_for_is_refused(call, refusals, build_token, issuer, keys):
    key = keys("PS256", "issuer")
    issuer.publish(key)
    token = build_token(key=jose.PrivateKey(key.native, "RS256", key.public))

    check_refused(call.bearer(token), refusals, "token_signature")


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"crit": 5}, {"b64": False}])
def test_critical_header_parameters_are_refused(call, refusals, build_token, header):
    check_refused(call.bearer(build_token(header=header)), refusals, "token_crit")


@pytest.mark.parametrize("kid", [5, ["x"], {}])
def test_a_kid_that_is_no_text_is_refused(call, refusals, build_token, kid):
    check_refused(call.bearer(build_token(header={"kid": kid})), refusals, "token_kid_not_text")


def test_a_token_without_kid_is_tried_with_every_key(call, build_token, issuer, issuer_key, keys):
    issuer.publish(keys("RS256", "old"), keys("ES256", "old"), issuer_key)

    assert call.bearer(build_token(header={"kid": None})).status_code == 200


def test_a_token_without_kid_of_no_key_is_refused(call, refusals, build_token, keys):
    token = build_token(key=keys("ES256", "thief"), header={"kid": None})

    check_refused(call.bearer(token), refusals, "token_signature")


def test_of_several_keys_with_one_kid_the_right_one_is_found(call, build_token, issuer, issuer_key, keys):
    same = issuer_key.public.thumbprint
    issuer.jwks = [key.public_jwk(kid=same) for key in (keys("RS256", "x"), keys("ES256", "x"), issuer_key)]

    assert call.bearer(build_token()).status_code == 200


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
def test_keys_in_the_header_are_not_used(call, refusals, build_token, keys, name):
    thief = keys("ES256", "thief")

    answer = call.bearer(build_token(key=thief, header={name: thief.public.jwk, "kid": None}))

    check_refused(answer, refusals, "token_signature")


def test_a_token_over_the_limit_is_refused(make_caller, build_token):
    strict = make_caller(OAUTH2_TOKEN_MAX_BYTES=1024)
    assert strict.bearer(build_token()).status_code == 200

    check_refused(
        strict.bearer(build_token(extra="x" * 1000)),
        strict.refusals,
        "token_too_long",
        says="token: longer than 1024 bytes",
    )


def test_a_scope_that_is_no_text_is_refused(call, refusals, build_token):
    check_refused(call.bearer(build_token(scope=["read"])), refusals, "token_scope_not_text")


def test_a_token_without_scope_is_accepted_where_none_is_asked_for(call, build_token):
    assert call.bearer(build_token(scope=None)).status_code == 200
