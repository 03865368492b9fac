"""An API under ``OAUTH2_PROFILE = "atproto"``: bound tokens and nonces at every view, and what it says of itself."""

import pytest

from flask_private_key_jwt.replay.memory import MemoryReplayStore
from tests.refusals import causes
from tests.resource_server.api_answers import USE_DPOP_NONCE
from tests.resource_server.conftest import API, ISSUER


@pytest.fixture
def settings():
    return {
        "OAUTH2_PROFILE": "atproto",
        "OAUTH2_REPLAY_STORE": MemoryReplayStore(),
        "SECRET_KEY": "a secret for tests only, long enough",
    }


def test_every_view_takes_bound_tokens_with_a_nonce(call, build_token, build_proof, proof_key):
    token = build_token(bound_to=proof_key)
    first = call.dpop(token)

    assert (first.status_code, first.json) == (401, USE_DPOP_NONCE)
    proof = build_proof(token, nonce=first.headers["DPoP-Nonce"])
    answer = call.dpop(token, proof=proof)
    assert answer.status_code == 200
    assert answer.headers["DPoP-Nonce"]


@pytest.mark.parametrize("path", ["/any", "/read", "/optional"])
def test_no_view_takes_a_bearer_token(call, refusals, path):
    assert call.bearer(path=path).status_code == 401
    assert causes(refusals) == ["token_not_bound"]


def test_document_names_one_server_and_says_that_tokens_are_bound(app):
    answer = app.test_client().get("/.well-known/oauth-protected-resource")

    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert (answer.json["resource"], answer.json["authorization_servers"]) == (API, [ISSUER])
    assert answer.json["dpop_bound_access_tokens_required"] is True
    assert "ES256" in answer.json["dpop_signing_alg_values_supported"]
