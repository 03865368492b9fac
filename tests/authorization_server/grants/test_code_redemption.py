"""A code can be used once, with its client, redirect URI, verifier and key."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from flask_private_key_jwt.errors import InvalidGrant
from flask_private_key_jwt.jose import jose
from tests.authorization_server.conftest import APP_ID, VERIFIER
from tests.conftest import API, INVALID_CLIENT
from tests.refusals import causes

INVALID_GRANT = {"error": "invalid_grant", "error_description": "The grant is invalid, expired or revoked."}


@pytest.fixture
def other(register, client_key):
    return register(
        client_id="other",
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code"],
        redirect_uris=["https://other.example/"],
        scope="read",
    )


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"code": "x"}, "code_unknown"),
        ({"redirect_uri": None}, "redirect_uri_mismatch"),
        ({"redirect_uri": "https://app.example/callback"}, "redirect_uri_mismatch"),
        ({"code_verifier": None}, "code_verifier_missing"),
        ({"code_verifier": "x" * 43}, "code_verifier_mismatch"),
        ({"code_verifier": VERIFIER[:-1]}, "code_verifier_malformed"),
        ({"code_verifier": "é" * 43}, "code_verifier_malformed"),
    ],
)
def test_wrong_request_is_refused_and_leaves_the_code_good(change, cause, get_code, redeem, refusals):
    code = get_code()

    answer = redeem(**{"code": code, **change})

    assert (answer.status_code, answer.json, causes(refusals)) == (400, INVALID_GRANT, [cause])
    assert redeem(code).status_code == 200


def test_code_of_another_client_is_refused_and_stays_good(get_code, redeem, other, refusals):
    code = get_code()

    assert redeem(code, owner="other").json == INVALID_GRANT
    assert causes(refusals) == ["code_foreign"]
    assert redeem(code).status_code == 200


def test_failed_authentication_leaves_the_code_good(get_code, redeem, build_assertion, keys):
    code = get_code()
    stranger = build_assertion(iss=APP_ID, sub=APP_ID, key=keys("ES256", "stranger"))

    assert redeem(code, assertion=stranger).json == INVALID_CLIENT
    assert redeem(code, assertion=False, client_id=APP_ID).json == INVALID_CLIENT
    assert redeem(code).status_code == 200


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (60, 400)])
def test_code_expires(seconds, status, get_code, redeem, clock):
    code = get_code()
    clock.move(seconds)

    assert redeem(code).status_code == status


def test_resource_that_was_not_granted_leaves_the_code_good(get_code, redeem, refusals):
    code = get_code()

    assert redeem(code, resource="https://nope.example").json["error"] == "invalid_target"
    assert refusals == ["resource 'https://nope.example' was not granted"]
    assert causes(refusals) == ["resource_not_granted"]
    assert redeem(code).status_code == 200


def test_scope_the_client_has_lost_leaves_the_code_good(app, oauth, get_code, redeem, refusals):
    code = get_code(scope="read write")
    with app.app_context():
        oauth.clients.update(APP_ID, {"scope": "read"})

    assert redeem(code).json["error"] == "invalid_scope"
    assert refusals == ["scope 'write' is not registered for the client"]
    assert causes(refusals) == ["scope_not_registered"]
    with app.app_context():
        oauth.clients.update(APP_ID, {"scope": "read write"})
    assert redeem(code).status_code == 200


def test_refusal_by_the_token_policy_leaves_the_code_good(oauth, get_code, redeem, refusals):
    answers = [InvalidGrant("not now"), None]

    @oauth.token_policy
    def say_no_once(client, request, grant):
        if refusal := answers.pop(0):
            raise refusal

    code = get_code()

    assert redeem(code).json == INVALID_GRANT
    assert refusals == ["not now"]
    assert causes(refusals) == ["invalid_grant"]
    assert redeem(code).status_code == 200


def test_second_use_for_another_resource_revokes_too(get_code, redeem, refresh, refusals):
    code = get_code()
    first = redeem(code)

    assert redeem(code, resource="https://nope.example").json == INVALID_GRANT

    assert causes(refusals) == ["code_used"]
    assert refresh(first.json["refresh_token"]).json == INVALID_GRANT


def test_missing_code_is_refused(redeem, webapp, refusals):
    assert redeem(None).json["error"] == "invalid_request"
    assert causes(refusals) == ["code_missing"]


def test_second_use_revokes_what_came_of_the_first(app, get_code, redeem, refresh, refusals):
    code = get_code()
    first = redeem(code)
    assert refresh(first.json["refresh_token"]).status_code == 200

    assert redeem(code).json == INVALID_GRANT

    assert causes(refusals) == ["code_used"]
    assert refresh(first.json["refresh_token"]).json == INVALID_GRANT
    state = app.extensions["private_key_jwt"]
    with app.app_context():
        assert state.server.revocations.is_grant_revoked(state.authorizations.find_code(code).granted)


def test_second_use_with_another_verifier_revokes_nothing(get_code, redeem, refresh):
    code = get_code()
    first = redeem(code)

    assert redeem(code, code_verifier="x" * 43).json == INVALID_GRANT

    assert refresh(first.json["refresh_token"]).status_code == 200


def test_of_two_redemptions_at_once_one_succeeds(get_code, redeem, build_assertion):
    code = get_code()
    assertions = [build_assertion(iss=APP_ID, sub=APP_ID) for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda assertion: redeem(code, assertion=assertion), assertions))

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]


def test_revocation_reaches_a_code_that_is_not_redeemed_yet(app, oauth, get_code, redeem, refusals):
    code = get_code()
    with app.app_context():
        assert oauth.revoke(subject="alice") == 1

    assert redeem(code).json == INVALID_GRANT
    assert causes(refusals) == ["grant_revoked"]


# --- resource indicators ------------------------------------------------------------------------------------
FILES = "urn:example:files"


@pytest.mark.parametrize("settings", [{"OAUTH2_RESOURCES": [API, FILES]}])
@pytest.mark.parametrize(
    ("allowed", "asked", "audience"),
    [
        (None, None, API),
        ([API, FILES], None, [API, FILES]),
        ([API, FILES], FILES, FILES),
        (FILES, None, FILES),
        (FILES, API, None),
        (None, FILES, None),
    ],
)
def test_token_is_for_what_was_allowed_or_a_part_of_it(allowed, asked, audience, get_code, redeem, refresh):
    answer = redeem(get_code(**({"resource": allowed} if allowed else {})), resource=asked)

    if audience is None:
        assert answer.json["error"] == "invalid_target"
    else:
        assert jose.decode_unverified(answer.json["access_token"])[1]["aud"] == audience
