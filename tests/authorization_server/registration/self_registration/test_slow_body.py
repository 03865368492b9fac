"""A request body that arrives slowly does not use up the time budget of the stores."""

import io
import json

import pytest

from flask_private_key_jwt.database import deadline
from tests.authorization_server.registration.self_registration.answers import REGISTER


@pytest.fixture
def slow(monkeypatch):
    """A body whose last byte comes after a minute, by the steady clock: ``slow({"scope": "read"})``."""
    at = [1000.0]
    monkeypatch.setattr(deadline, "monotonic", lambda: at[0])

    class Slow(io.BytesIO):
        def readinto(self, buffer):
            at[0] += 60
            return super().readinto(buffer)

    def slow(members):
        body = json.dumps(members).encode()
        return {"input_stream": Slow(body), "content_length": len(body), "content_type": "application/json"}

    return slow


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_slow_update_counts(method, slow, manage, registered):
    body = {"client_id": registered["client_id"], "jwks": registered["jwks"], "client_name": "New"}

    answer = manage(method, **slow(body))

    assert (answer.status_code, answer.json["client_name"]) == (200, "New")


def test_slow_registration_with_a_token_counts(slow, app, metadata, create_token):
    headers = {"Authorization": f"Bearer {create_token()}"}

    assert app.test_client().post(REGISTER, headers=headers, **slow(metadata)).status_code == 201


def test_slow_update_with_a_wrong_token_is_refused_as_ever(slow, manage, refusals):
    assert manage("PATCH", token="wrong", **slow({"client_name": "New"})).status_code == 401
    assert refusals[-1].cause == "registration_access_token_mismatch"
