"""Which client a name means, and whether it may do anything now."""

import pytest

from flask_private_key_jwt.authorization_server.client_lookup import NotAdmitted, load_enabled, load_registered
from tests.conftest import CLIENT_ID


@pytest.fixture
def clients(app, client):
    with app.app_context():
        yield app.extensions["private_key_jwt"].server.clients


def test_enabled_client_is_found(clients):
    assert load_enabled(clients, CLIENT_ID) is clients.find(CLIENT_ID)


@pytest.mark.parametrize("client_id", [None, "", "nobody", "Console", "console ", "a\x00b", "é", "x" * 256])
def test_name_of_nobody_is_refused(client_id, clients):
    with pytest.raises(NotAdmitted) as refused:
        load_enabled(clients, client_id)

    assert str(refused.value) == f"client {(client_id or '')[:100]!r} is not registered"
    assert refused.value.client is None


def test_disabled_client_is_refused_until_it_is_enabled_again(clients, oauth):
    oauth.clients.disable(CLIENT_ID)

    with pytest.raises(NotAdmitted, match="client 'console' is disabled") as refused:
        load_enabled(clients, CLIENT_ID)
    assert refused.value.client is load_registered(clients, CLIENT_ID)

    oauth.clients.update(CLIENT_ID, {"enabled": True})
    assert load_enabled(clients, CLIENT_ID).enabled
