"""Whatever a caller sends: never a 5xx, always our JSON, and no header of theirs."""

import base64

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EVERY_FRAMEWORK = True

SETTINGS = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
HEADER = st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=300)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
TOKEN_MEMBERS = st.sampled_from(
    ["iss", "aud", "sub", "client_id", "exp", "iat", "nbf", "jti", "scope", "cnf", "typ", "alg", "kid", "crit", "b64"]
)
PROOF_MEMBERS = st.sampled_from(["jti", "htm", "htu", "iat", "ath", "nonce", "typ", "alg", "jwk", "kid", "crit"])
HEADER_MEMBERS = {"typ", "alg", "kid", "crit", "b64", "jwk"}


def check_harmless(answer):
    assert answer.status_code in (200, 400, 401, 403)
    assert answer.content_type == "application/json"
    if answer.status_code != 200:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers.getlist("WWW-Authenticate")
        assert set(answer.json) == {"error", "error_description"}


@SETTINGS
@given(scheme=st.sampled_from(["Bearer ", "DPoP ", "dpop ", "Basic ", ""]), rest=HEADER, proof=st.none() | HEADER)
def test_any_header_at_all(call, scheme, rest, proof):
    headers = {"Authorization": scheme + rest} | ({"DPoP": proof} if proof is not None else {})

    answer = call.send("/any", **headers)

    check_harmless(answer)
    assert answer.status_code != 200


@SETTINGS
@given(member=TOKEN_MEMBERS, value=JSON)
def test_any_value_in_a_well_signed_token(call, build_token, member, value):
    changed = {"header": {member: value}} if member in HEADER_MEMBERS else {member: value}

    check_harmless(call.bearer(build_token(**changed)))


@SETTINGS
@given(member=PROOF_MEMBERS, value=JSON)
def test_any_value_in_a_well_signed_proof(call, build_token, build_proof, proof_key, member, value):
    token = build_token(bound_to=proof_key)
    changed = {"header": {member: value}} if member in HEADER_MEMBERS else {member: value}

    check_harmless(call.dpop(token, proof=build_proof(token, **changed)))


@SETTINGS
@given(path=st.text(st.characters(min_codepoint=1, max_codepoint=0x2FFF), max_size=40), query=HEADER)
def test_any_path_and_query(call, build_token, build_proof, proof_key, path, query):
    token = build_token(bound_to=proof_key)
    headers = {"Authorization": f"DPoP {token}", "DPoP": build_proof(token)}

    answer = call.app.test_client().get("/" + path.replace("?", ""), query_string=query, headers=headers)

    assert answer.status_code < 500


@pytest.mark.parametrize("payload", ["[" * 60000, '{"a":' * 5000, "null", "[]", '"text"', "", "{", "\x00", "1" * 5000])
def test_a_payload_that_is_no_object_is_refused(make_caller, monkeypatch, build_token, payload):
    caller = make_caller(OAUTH2_TOKEN_MAX_BYTES=65536)
    head, _, signature = build_token().split(".")
    token = f"{head}.{base64.urlsafe_b64encode(payload.encode()).decode().rstrip('=') or 'e30'}.{signature}"

    answer = caller.bearer(token)

    assert answer.status_code == 401
    assert answer.json["error"] == "invalid_token"


@pytest.mark.parametrize("size", [9_000, 70_000])
def test_oversized_headers_are_refused(call, build_token, proof_key, size):
    token = build_token(bound_to=proof_key)

    assert call.bearer("x" * size).status_code == 401
    assert call.dpop(token, proof="x" * size).status_code == 401
