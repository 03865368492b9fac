"""``WWW-Authenticate`` word for word (RFC 6750 §3, RFC 9449 §7.1, §9, RFC 9728 §5.1)."""

import pytest

from tests.refusals import causes
from tests.resource_server.api_answers import INSUFFICIENT_SCOPE, INVALID_TOKEN, MISSING_TOKEN, challenges

EVERY_FRAMEWORK = True

METADATA = 'resource_metadata="https://api.example/.well-known/oauth-protected-resource"'
ALGS = 'algs="ES256 PS256"'
NO_PROOF = 'error="invalid_dpop_proof", error_description="The DPoP proof is invalid."'
NO_TOKEN = 'error="invalid_token", error_description="The access token is invalid."'


@pytest.fixture
def settings():
    return {"OAUTH2_DPOP_SIGNING_ALGS": ["ES256", "PS256"]}


@pytest.fixture
def bearer_only(make_caller):
    return make_caller(OAUTH2_REPLAY_STORE=None)


def test_no_credentials_get_a_challenge_for_each_scheme_and_no_error(call):
    assert challenges(call.send("/any")) == [f"DPoP {ALGS}, {METADATA}", f"Bearer {METADATA}"]


def test_no_credentials_learn_the_scope_to_ask_for(call):
    assert challenges(call.send("/read")) == [
        f'DPoP scope="read", {ALGS}, {METADATA}',
        f'Bearer scope="read", {METADATA}',
    ]


def test_a_bad_token_learns_the_scope_to_ask_for(call):
    assert challenges(call.bearer("x", path="/read")) == [f'Bearer {NO_TOKEN}, scope="read", {METADATA}']


def test_a_bad_proof_learns_no_scope(call, build_token, proof_key):
    answer = call.dpop(build_token(bound_to=proof_key), proof="x", path="/read")

    assert challenges(answer) == [f"DPoP {NO_PROOF}, {ALGS}, {METADATA}"]


def test_where_dpop_is_required_bearer_is_not_offered(call):
    assert challenges(call.send("/bound")) == [f"DPoP {ALGS}, {METADATA}"]


def test_where_no_proof_can_be_checked_dpop_is_not_offered(bearer_only):
    assert challenges(bearer_only.send("/any")) == [f"Bearer {METADATA}"]


def test_dpop_where_it_is_not_served_counts_as_no_credentials(bearer_only):
    answer = bearer_only.dpop()

    assert answer.status_code == 401
    assert answer.json == MISSING_TOKEN
    assert challenges(answer) == [f"Bearer {METADATA}"]
    assert causes(bearer_only.refusals) == ["dpop_not_served"]


def test_a_bound_token_is_refused_as_bearer_where_dpop_is_not_served(bearer_only, build_token, proof_key):
    answer = bearer_only.bearer(build_token(bound_to=proof_key))

    assert answer.status_code == 401
    assert challenges(answer) == [f"Bearer {NO_TOKEN}, {METADATA}"]


def test_a_bad_bearer_token_gets_one_bearer_challenge(call):
    assert challenges(call.bearer("x")) == [f"Bearer {NO_TOKEN}, {METADATA}"]


def test_a_bad_token_under_dpop_gets_one_dpop_challenge(call):
    assert challenges(call.send("/any", Authorization="DPoP x")) == [f"DPoP {NO_TOKEN}, {ALGS}, {METADATA}"]


def test_a_bad_proof_gets_one_dpop_challenge(call, build_token, proof_key):
    answer = call.dpop(build_token(bound_to=proof_key), proof="x")

    assert challenges(answer) == [f"DPoP {NO_PROOF}, {ALGS}, {METADATA}"]


def test_a_bound_token_as_bearer_gets_a_dpop_challenge(call, build_token, proof_key):
    answer = call.bearer(build_token(bound_to=proof_key))

    assert answer.status_code == 401
    assert answer.json == INVALID_TOKEN
    assert challenges(answer) == [f"DPoP {NO_TOKEN}, {ALGS}, {METADATA}"]


def test_a_bearer_token_where_dpop_is_required_gets_a_dpop_challenge(call, refusals):
    answer = call.bearer(path="/bound")

    assert answer.status_code == 401
    assert answer.json == INVALID_TOKEN
    assert challenges(answer) == [f"DPoP {NO_TOKEN}, {ALGS}, {METADATA}"]
    assert causes(refusals) == ["token_not_bound"]


def test_a_malformed_request_gets_one_challenge(call):
    answer = call.send("/any", Authorization="Bearer a b")

    assert answer.status_code == 400
    [challenge] = challenges(answer)
    assert challenge.startswith('Bearer error="invalid_request"')


@pytest.mark.parametrize("bound", [False, True])
def test_too_little_scope_names_the_scope_that_is_needed(call, refusals, build_token, proof_key, bound):
    token = build_token(bound_to=proof_key if bound else None, scope="write")
    answer = call.dpop(token, path="/read") if bound else call.bearer(token, path="/read")

    assert answer.status_code == 403
    assert answer.json == INSUFFICIENT_SCOPE
    assert refusals == ["the token has scope 'write', not 'read'"]
    assert causes(refusals) == ["scope_insufficient"]
    described = 'error="insufficient_scope", error_description="The access token lacks a required scope.", scope="read"'
    expected = f"DPoP {described}, {ALGS}, {METADATA}" if bound else f"Bearer {described}, {METADATA}"
    assert challenges(answer) == [expected]


@pytest.mark.parametrize("hostile", ['x"y', "x\\y", "x\r\nSet-Cookie: a=b", "é", "\x00", "😀", "\ud800"])
@pytest.mark.parametrize("place", ["kid", "alg", "typ"])
def test_no_header_repeats_what_a_token_says(call, refusals, build_token, hostile, place):
    answer = call.bearer(build_token(header={place: hostile}))

    assert answer.status_code == 401
    assert answer.json == INVALID_TOKEN
    assert challenges(answer) == [f"Bearer {NO_TOKEN}, {METADATA}"]
    assert "Set-Cookie" not in answer.headers
    assert all(" " <= character <= "~" for character in refusals[0])


def test_a_resource_that_is_no_url_has_no_metadata_to_name(make_caller):
    api = make_caller(OAUTH2_RESOURCE="urn:example:api", OAUTH2_EXTERNAL_URL="https://api.example")

    assert challenges(api.send("/bound"))[0].endswith('Ed25519"')


def test_a_resource_that_is_no_url_and_takes_no_dpop_has_a_bare_challenge(make_caller):
    api = make_caller(OAUTH2_RESOURCE="urn:example:api", OAUTH2_REPLAY_STORE=None)

    assert challenges(api.send("/any")) == ["Bearer"]
