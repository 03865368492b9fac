"""The same rules for assertions hold at every endpoint."""

import secrets

import pytest

from tests.conftest import CLIENT_ID, INVALID_CLIENT, INVALID_REQUEST, ISSUER
from tests.refusals import causes

STATUS = {"token": 400, "introspect": 401, "revoke": 400}
"""Of a client that is not who it says, by endpoint."""


@pytest.fixture(params=STATUS)
def ask(request, client, post_as):
    """Ask an endpoint what it answers, and check that the answer fits it."""

    def ask(**changes):
        form = {"grant_type": "client_credentials"} if request.param == "token" else {"token": "x"}
        answer = post_as(CLIENT_ID, f"/oauth2/{request.param}", **{**form, **changes})
        if answer.status_code != 200:
            refused = STATUS[request.param] if answer.json == INVALID_CLIENT else 400
            assert (answer.status_code, answer.json) in [(refused, INVALID_CLIENT), (400, INVALID_REQUEST)]
            assert ("WWW-Authenticate" in answer.headers) == (answer.status_code == 401)
        return answer

    ask.url = f"{ISSUER}/oauth2/{request.param}"
    return ask


@pytest.mark.parametrize(
    ("change", "cause", "says"),
    [
        ({"iss": "other"}, "assertion_iss_not_sub", "assertion: iss 'other' is not sub 'console'"),
        ({"iss": "nobody", "sub": "nobody"}, "client_unknown", "client 'nobody' is not registered"),
        ({"aud": "https://evil.example"}, "assertion_aud", "assertion: aud 'https://evil.example' is not"),
        ({"aud": [ISSUER, "https://evil.example"]}, "assertion_aud_not_one", "assertion: aud is not exactly one value"),
        ({"exp": None}, "assertion_exp_missing", "assertion: missing claim 'exp'"),
        ({"exp": 1}, "assertion_expired", "assertion: expired"),
        ({"exp": 4_000_000_000}, "assertion_lives_too_long", "assertion: exp is 2200000000 s ahead, more than 300 s"),
        ({"jti": None}, "assertion_jti_missing", "assertion: missing claim 'jti'"),
        ({"nbf": 4_000_000_000}, "assertion_not_yet_valid", "assertion: nbf is in the future"),
        (
            {"header": {"typ": "at+jwt"}},
            "assertion_typ",
            "assertion: typ 'at+jwt' is not absent or client-authentication+jwt or jwt",
        ),
        (
            {"header": {"typ": "dpop+jwt"}},
            "assertion_typ",
            "assertion: typ 'dpop+jwt' is not absent or client-authentication+jwt or jwt",
        ),
        ({"header": {"kid": "x"}}, "assertion_no_key", "assertion: no key of the client fits kid 'x'"),
    ],
)
def test_wrong_assertion_is_refused_and_spends_nothing(change, cause, says, ask, build_assertion, refusals):
    jti = secrets.token_urlsafe(8)
    wrong = build_assertion(**{"jti": jti, **change})

    assert ask(assertion=wrong).json == INVALID_CLIENT
    assert refusals[0].startswith(says)
    assert refusals[0].cause == cause
    assert ask(assertion=build_assertion(jti=jti)).status_code == 200


def test_own_url_is_no_audience(ask, build_assertion):
    assert ask(assertion=build_assertion(aud=ask.url)).json == INVALID_CLIENT


def test_own_url_is_an_audience_for_a_client_of_old(app, oauth, client, ask, build_assertion):
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"assertion_audience": "compatibility"})

    assert ask(assertion=build_assertion(aud=ask.url)).status_code == 200
    assert ask(assertion=build_assertion(aud=f"{ISSUER}/oauth2/par")).json == INVALID_CLIENT


@pytest.mark.parametrize(
    "change",
    [
        {"client_secret": "x"},
        {"headers": {"Authorization": "Basic Y29uc29sZTp4"}},
        {"headers": {"Authorization": "Bearer x"}},
    ],
)
def test_second_way_of_authenticating_is_refused(change, ask, refusals):
    assert ask(**change).json == INVALID_REQUEST
    assert causes(refusals) == ["client_auth_twice"]


@pytest.mark.parametrize(
    "change",
    [
        {"client_assertion_type": None},
        {"client_assertion_type": "urn:x"},
        {"client_id": "other"},
        {"client_assertion": None},
        {"client_assertion": "x"},
    ],
)
def test_form_that_does_not_fit_the_assertion_is_refused(change, ask):
    assert ask(**change).json == INVALID_CLIENT


def test_disabled_client_is_refused_from_its_next_request_on(app, oauth, ask, refusals):
    assert ask().status_code == 200
    refusals.clear()
    with app.app_context():
        oauth.clients.disable(CLIENT_ID)

    assert ask().json == INVALID_CLIENT
    assert refusals == ["client 'console' is disabled"]
    assert causes(refusals) == ["client_disabled"]


def test_assertion_for_one_endpoint_is_spent_at_all(client, post_as, build_assertion, refusals):
    """One server, one issuer, one use."""
    forms = {
        "token": {"grant_type": "client_credentials"},
        "introspect": {"token": "x"},
        "revoke": {"token": "x"},
    }
    for first in forms:
        assertion = build_assertion()
        assert post_as(CLIENT_ID, f"/oauth2/{first}", assertion=assertion, **forms[first]).status_code == 200
        refusals.clear()
        for second, form in forms.items():
            answer = post_as(CLIENT_ID, f"/oauth2/{second}", assertion=assertion, **form)
            assert (answer.status_code, answer.json) == (STATUS[second], INVALID_CLIENT)
        assert causes(refusals) == ["assertion_replayed"] * 3
