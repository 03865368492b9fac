"""Open registration and its limits."""

import pytest

IDS = ("registration-limits", "registration-scopes", "registration-trust", "registration-purge")
OPEN = {"OAUTH2_REGISTRATION": "open"}


def test_closed_registration_has_no_limits(look):
    assert [look(identifier).ok for identifier in IDS] == [None] * 4


@pytest.mark.parametrize("settings", [{"OAUTH2_REGISTRATION": "token"}])
def test_registration_with_tokens_is_right(look):
    assert [look(identifier).ok for identifier in IDS] == [True, None, True, True]


@pytest.mark.parametrize("settings", [OPEN])
def test_open_registration_with_the_usual_limits_is_right(look):
    assert [look(identifier).ok for identifier in IDS] == [True] * 4
    assert "of 2000 that may, 20 from one address" in look("registration-limits").why


@pytest.mark.parametrize("settings", [{**OPEN, "OAUTH2_REGISTRATIONS_PER_HOUR": 1}])
def test_flood_of_registrations_is_noticed(look, app, keys):
    key = {"jwks": {"keys": [keys("ES256", "client").public_jwk()]}}
    registry = app.extensions["private_key_jwt"].clients
    with app.app_context():
        for number in range(50):
            client = registry.build({**key, "client_id": f"{number}"}, registered_by="client")
            app.extensions["private_key_jwt"].stores.registrations.add(client)

    found = look("registration-limits")

    assert found.ok is False
    assert "50 clients have registered in this hour, of 100" in found.why


@pytest.mark.parametrize(
    ("settings", "identifier"),
    [
        ({**OPEN, "OAUTH2_REGISTRATION_TRUSTED": True}, "registration-trust"),
        ({**OPEN, "OAUTH2_REGISTRATION_UNUSED_SECONDS": 0}, "registration-purge"),
        (
            {**OPEN, "OAUTH2_SCOPES": ["a", "b"], "OAUTH2_REGISTRATION_SCOPES": ["a", "b"]},
            "registration-scopes",
        ),
    ],
)
def test_limit_that_is_taken_away_is_noticed(look, identifier):
    found = look(identifier)

    assert found.ok is False
    assert found.change


@pytest.mark.parametrize("settings", [{**OPEN, "OAUTH2_SCOPES": ["a", "b"], "OAUTH2_REGISTRATION_SCOPES": ["a"]}])
def test_scopes_of_strangers_are_named(look):
    found = look("registration-scopes")

    assert found.ok
    assert found.why == "Strangers may register for: a."
