"""Which API a token is for: the ``resource`` parameter (RFC 8707 §2)."""

from urllib.parse import urlencode

import pytest

from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.jose import decode_unverified
from tests.conftest import API, ASSERTION_TYPE, CLIENT_ID, ISSUER
from tests.refusals import causes

INVALID_TARGET = {"error": "invalid_target", "error_description": "The requested resource is invalid or unknown."}
FILES = "urn:example:files"
TWO = {"OAUTH2_RESOURCES": [API, FILES]}


@pytest.fixture
def ask_for(app, client, build_assertion):
    """A valid token request for these resources, the parameter sent once for each."""

    def ask(*resources):
        fields = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", build_assertion()),
            *(("resource", resource) for resource in resources),
        ]
        form = "application/x-www-form-urlencoded"
        return app.test_client().post("/oauth2/token", data=urlencode(fields), content_type=form)

    return ask


def audience_of(answer):
    return decode_unverified(answer.json["access_token"])[1]["aud"]


@pytest.mark.parametrize("settings", [TWO])
@pytest.mark.parametrize(
    ("resources", "audience"),
    [
        ([], API),
        ([""], API),
        ([API], API),
        ([FILES], FILES),
        ([FILES, API], [FILES, API]),
        ([API, API], API),
        (["", FILES], FILES),
    ],
)
def test_token_is_for_the_resources_asked_for_or_else_for_the_first(resources, audience, ask_for):
    assert audience_of(ask_for(*resources)) == audience


@pytest.mark.parametrize("settings", [{"OAUTH2_RESOURCES": []}])
def test_without_the_setting_the_issuer_is_the_only_resource(ask_for, refusals):
    assert audience_of(ask_for()) == audience_of(ask_for(ISSUER)) == ISSUER
    assert ask_for(API).json == INVALID_TARGET
    assert refusals == [f"resource {API!r} is not in OAUTH2_RESOURCES"]
    assert causes(refusals) == ["resource_unknown"]


@pytest.mark.parametrize("settings", [TWO])
@pytest.mark.parametrize(
    "resource",
    [
        "https://evil.example",
        API + "/",
        API.upper(),
        API + "/v1",
        API + "#v1",
        API + "?x=1",
        "http://api.example",
        "api.example",
        "/",
        " ",
        f"{API} {FILES}",
        f"{API},{FILES}",
        CLIENT_ID,
        "\x00",
        "é",
    ],
)
def test_unknown_or_malformed_resource_is_refused(resource, ask_for, refusals):
    answer = ask_for(resource)

    assert (answer.status_code, answer.json) == (400, INVALID_TARGET)
    assert refusals == [f"resource {resource!a} is not in OAUTH2_RESOURCES"]
    assert causes(refusals) == ["resource_unknown"]


@pytest.mark.parametrize("settings", [TWO])
@pytest.mark.parametrize("order", [[API, "https://evil.example"], ["https://evil.example", API]])
def test_one_unknown_resource_among_several_refuses_the_whole(order, ask_for, refusals):
    assert ask_for(*order).json == INVALID_TARGET
    assert refusals == ["resource 'https://evil.example' is not in OAUTH2_RESOURCES"]
    assert causes(refusals) == ["resource_unknown"]


def test_client_id_is_never_the_audience(ask_for):
    claims = jose.decode_unverified(ask_for().json["access_token"])[1]

    assert (claims["client_id"], claims["aud"]) == (CLIENT_ID, API)
