"""What a log in JSON or a report of an error shows of the values that hold what a caller sent."""

import json

import pytest

from flask_private_key_jwt.authorization_server.grants.base import Allowed
from flask_private_key_jwt.authorization_server.request import FormRequest
from flask_private_key_jwt.resource_server.call import Call
from flask_private_key_jwt.resource_server.credentials import Credentials

SECRET = "what-the-caller-sent"
REQUEST = FormRequest(
    "token", "https://as.example/token", {"client_secret": SECRET}, proof=SECRET, authorization=f"Basic {SECRET}"
)


@pytest.mark.parametrize(
    "value",
    [
        REQUEST,
        Allowed("authorization_code", None, REQUEST, None, nonce=SECRET, spend=SECRET.encode),
        Call("GET", "", "/", f"access_token={SECRET}", f"Bearer {SECRET}", SECRET),
        Credentials("DPoP", SECRET, SECRET),
    ],
    ids=lambda value: type(value).__name__,
)
def test_neither_their_repr_nor_their_parts_are_shown(value):
    assert SECRET not in repr(value)
    # Whoever writes JSON, or walks through the variables of a traceback, takes tuples and mappings apart.
    assert SECRET not in json.dumps({"value": value}, default=repr)
