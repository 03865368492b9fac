"""Where an API is in the same app, its tokens and proofs are explained by its own checks; its references are known."""

import json

import pytest

from flask_private_key_jwt import ResourceProtector
from flask_private_key_jwt.dpop.proof import build_proof
from flask_private_key_jwt.signals.refusal import KEEPER_KEY
from tests.authorization_server.explain.conftest import failed, outcomes
from tests.conftest import API, START

VALUES = f"{API}/values"


@pytest.fixture
def settings():
    return {"OAUTH2_RESOURCE": API, "OAUTH2_REFUSALS_KEPT_SECONDS": 3600}


@pytest.fixture
def api(app):
    require_oauth = ResourceProtector()
    require_oauth.init_app(app)

    @app.get("/values")
    @require_oauth("read")
    def values():
        return "[]"

    return app.test_client()


def test_token_is_held_against_the_api(api, ask_token, explain):
    token = ask_token().json["access_token"]

    assert explain(token)["accepted"]
    said = explain(token, "--resource", "https://other.example")
    assert (failed(said), said["notes"]) == ("aud", [])


def test_proof_beside_a_token_is_held_against_the_api(api, ask_token, build_dpop, proof_key, explain, tmp_path):
    token = ask_token(proof=build_dpop()).json["access_token"]
    file = tmp_path / "token"
    file.write_text(token)
    request = ("--method", "GET", "--url", VALUES, "--token", str(file))

    proof = build_proof(proof_key, jti="x", method="GET", url=VALUES, now=START, access_token=token)
    assert outcomes(explain(proof, *request))["ath"] == "ok"
    proof = build_proof(proof_key, jti="x", method="GET", url=VALUES, now=START, access_token="another")
    assert failed(explain(proof, *request)) == "ath"


def test_reference_of_the_api_is_explained(app, api, run, ask_token):
    answer = api.get("/values", headers={"Authorization": f"Bearer {ask_token().json['access_token']}x"})
    app.extensions[KEEPER_KEY].flush()

    said = json.loads(run(answer.headers["Error-Reference"], "--json").stdout)

    assert (answer.status_code, said["endpoint"], said["kind"], said["accepted"]) == (401, "resource", "token", False)
    assert said["cause"] in ("token_signature", "token_not_base64")
