"""OAUTH2_REQUIRE_RESOURCE: every token is for what the request names (RFC 8707)."""

import pytest

from flask_private_key_jwt.jose import jose
from tests.authorization_server.conftest import answer_in, build_request
from tests.conftest import API
from tests.refusals import causes

OTHER_API = "https://other-api.example"


@pytest.fixture
def settings():
    return {"OAUTH2_REQUIRE_RESOURCE": True, "OAUTH2_RESOURCES": [API, OTHER_API]}


def audience_of(answer):
    assert answer.status_code == 200, answer.json
    return jose.decode_unverified(answer.json["access_token"])[1]["aud"]


def test_request_without_a_resource_is_refused(browser, webapp, push, refusals):
    assert answer_in(browser.sign_in().open(build_request()))["error"] == "invalid_target"
    assert push().json["error"] == "invalid_target"
    assert causes(refusals) == ["resource_missing", "resource_missing"]
    assert push(resource=API).status_code == 201
    assert browser.open(build_request(resource=API)).status_code == 200


@pytest.mark.parametrize("resource", [f"{API}/", "https://API.example", "https://evil.example", "", "api"])
def test_request_for_another_resource_is_refused(resource, browser, webapp, refusals):
    answer = answer_in(browser.sign_in().open(build_request(resource=resource)))

    assert answer["error"] == "invalid_target"
    assert causes(refusals) == ["resource_unknown" if resource else "resource_missing"]


@pytest.mark.parametrize("settings", [{"OAUTH2_RESOURCES": [API, OTHER_API]}])
def test_resource_may_be_missing_without_the_setting(settings, get_code, redeem):
    assert audience_of(redeem(get_code())) == API


def test_code_is_redeemed_with_a_resource_only(get_code, redeem, refusals):
    code = get_code(resource=API)

    assert redeem(code).json["error"] == "invalid_target"
    assert redeem(code, resource=OTHER_API).json["error"] == "invalid_target"
    assert causes(refusals) == ["resource_missing", "resource_not_granted"]
    assert audience_of(redeem(code, resource=API)) == API  # nothing was spent before


def test_refresh_inherits_the_resource_of_the_exchange(get_code, redeem, refresh, refusals):
    token = redeem(get_code(resource=[API, OTHER_API]), resource=OTHER_API).json["refresh_token"]

    assert audience_of(refresh(token)) == OTHER_API
    assert audience_of(refresh(token, resource=OTHER_API)) == OTHER_API
    assert refresh(token, resource=API).json["error"] == "invalid_target"
    assert causes(refusals) == ["resource_not_granted"]


@pytest.mark.parametrize("settings", [{"OAUTH2_RESOURCES": [API, OTHER_API]}])
def test_refresh_is_for_all_that_was_granted_without_the_setting(settings, get_code, redeem, refresh):
    token = redeem(get_code(resource=[API, OTHER_API]), resource=OTHER_API).json["refresh_token"]

    assert audience_of(refresh(token)) == [API, OTHER_API]


def test_client_that_acts_for_itself_gets_the_first_resource_as_before(ask_token):
    assert audience_of(ask_token()) == API
