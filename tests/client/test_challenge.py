"""client/challenge.py: the error of the right challenge, among whatever a server sends."""

import pytest

from flask_private_key_jwt.client.challenge import find_challenge_error


@pytest.mark.parametrize(
    "header",
    [
        'DPoP error="invalid_token"',
        "DPoP error=invalid_token",
        'dpop ERROR="invalid_token"',
        'DPoP algs="ES256 PS256", error="invalid_token", error_description="a, b"',
        'DPoP algs="ES256",error="invalid_token"',
        'DPoP  error = "invalid_token"',
        'Bearer realm="x", DPoP error="invalid_token"',
        'Bearer error="insufficient_scope", DPoP error="invalid_token", Basic realm="error=\\"x\\""',
        'DPoP error="invalid_token", Bearer error="insufficient_scope"',
        'DPoP error_description="say \\"error=none\\"", error="invalid_token"',
        'Negotiate abc==, DPoP error="invalid_token"',
    ],
)
def test_the_error_of_the_scheme_is_found(header):
    assert find_challenge_error(header, "DPoP") == "invalid_token"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "DPoP",
        'DPoP algs="ES256"',
        'Bearer error="invalid_token"',
        'DPoP realm="x", Bearer error="invalid_token"',
        'error="invalid_token"',
        'DPoP error_description="error=\\"invalid_token\\""',
        'DPoP error_description="DPoP error=invalid_token"',
        'XDPoP error="invalid_token"',
        ", , =",
        '"',
    ],
)
def test_the_error_of_nothing_else_is_taken_for_it(header):
    assert find_challenge_error(header, "DPoP") is None


def test_a_long_header_takes_no_long_time():
    assert find_challenge_error('DPoP error="' + "\\" * 60000, "Bearer") is None
    assert find_challenge_error("a" * 60000 + "=" + '"' * 60000, "DPoP") is None
