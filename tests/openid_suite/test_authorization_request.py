"""Authorization requests that must not be answered with a code."""

import pytest

from tests.openid_suite.relying_party import CALLBACK
from tests.openid_suite.variants import assert_refused

NOT_OURS = ("unsupported_response_type", "invalid_request", "unauthorized_client")


def test_ensure_request_object_without_redirect_uri_fails(client, refusals):
    assert_refused(client.push(redirect_uri=None), refusals, "redirect_uri_missing", "invalid_request")


def test_ensure_redirect_uri_in_authorization_request(client2, refusals):
    assert_refused(client2.push(redirect_uri=None), refusals, "redirect_uri_missing", "invalid_request")


@pytest.mark.parametrize("redirect_uri", [f"{CALLBACK}/other", f"{CALLBACK}?x=1", "https://evil.example/callback"])
def test_plain_fapi_tolerate_unregistered_redirect_uri(redirect_uri, client, refusals):
    answer = client.push(redirect_uri=redirect_uri)

    assert_refused(
        answer,
        refusals,
        "redirect_uri_not_registered",
        "invalid_request",
        says=f"redirect_uri {redirect_uri!r} is not registered",
    )


def test_ensure_response_type_code_idtoken_fails(client, refusals):
    answer = client.push(response_type="code id_token")

    assert_refused(
        answer, refusals, "response_type_not_supported", *NOT_OURS, says="response_type 'code id_token' is not code"
    )


def test_ensure_response_type_token_fails(client, refusals):
    assert_refused(
        client.push(response_type="token"),
        refusals,
        "response_type_not_supported",
        *NOT_OURS,
        says="response_type 'token' is not code",
    )
