"""How much data a client may register: every worker that serves the client keeps it in memory."""

import json

import pytest

from tests.authorization_server.registration.self_registration.answers import assert_refused

SMALL = {"OAUTH2_REGISTRATION": "token", "OAUTH2_REGISTRATION_MAX_BYTES": 4096}


def stored_bytes(rows):
    return len("".join(str(value) for value in rows("oauth2_client")[0].values()))


def test_what_nobody_reads_in_a_key_is_not_stored(post, create_token, client_key, rows):
    jwk = client_key.public_jwk()

    answer = post(create_token(), jwks={"keys": [{**jwk, "padding": "x" * 50000}], "padding": "x" * 5000})

    assert answer.json["jwks"] == {"keys": [jwk]}
    assert json.loads(rows("oauth2_client")[0]["jwks"]) == {"keys": [jwk]}
    assert stored_bytes(rows) < 2000


def test_what_nobody_reads_in_a_new_key_is_not_stored_either(manage, client_key, keys, rows):
    jwk = keys("ES256", "next").public_jwk()

    answer = manage("PATCH", {"jwks": {"keys": [client_key.public_jwk(), {**jwk, "padding": "x" * 50000}]}})

    assert answer.json["jwks"]["keys"][1] == jwk
    assert stored_bytes(rows) < 2000


def test_registration_that_is_too_large_is_refused(post, create_token, rows, refusals):
    uris = [f"https://console.example/{number}{'x' * 1500}" for number in range(11)]

    answer = post(create_token(), redirect_uris=uris)

    assert_refused(answer, "invalid_client_metadata", refusals, "registration_too_large", says="the registration has 1")
    assert refusals[-1].endswith("at most 16384 are kept")
    assert rows("oauth2_client") == []
    assert post(create_token(), redirect_uris=uris[:9]).status_code == 201


@pytest.mark.parametrize("settings", [SMALL])
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_update_that_makes_it_too_large_is_refused(manage, metadata, registered, refusals, method):
    whole = {**metadata, "client_id": registered["client_id"]} if method == "PUT" else {}

    answer = manage(method, {**whole, "contacts": ["x" * 2000, "y" * 2000]})

    assert_refused(answer, "invalid_client_metadata", refusals, "registration_too_large")
    assert "contacts" not in manage("GET").json
    assert manage(method, {**whole, "contacts": ["x" * 2000]}).status_code == 200


@pytest.mark.parametrize("settings", [SMALL])
def test_operator_may_give_a_client_more(app, oauth, registered):
    with app.app_context():
        oauth.clients.update(registered["client_id"], {"contacts": ["x" * 2000, "y" * 2000]})

        assert len(oauth.clients.get(registered["client_id"]).metadata["contacts"]) == 2
