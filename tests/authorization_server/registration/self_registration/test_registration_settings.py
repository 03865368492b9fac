"""Settings of registration that contradict others, or that leave a client with nothing."""

import pytest

from flask_private_key_jwt.errors import ConfigurationError
from tests.conftest import close, make_app

OPEN = {"OAUTH2_REGISTRATION": "open", "OAUTH2_SCOPES": ["read"]}


def start(tmp_path, **settings):
    app, _, db = make_app(f"sqlite:///{tmp_path}/as.sqlite", **settings)
    close(app, db)


def test_scope_that_no_client_may_have_is_an_error(tmp_path):
    with pytest.raises(ConfigurationError) as refused:
        start(tmp_path, **OPEN, OAUTH2_REGISTRATION_SCOPES=["read", "write"])

    assert str(refused.value) == "OAUTH2_REGISTRATION_SCOPES holds 'write', which is not in OAUTH2_SCOPES."


def test_scopes_may_be_any_where_clients_may_have_any(tmp_path):
    start(tmp_path, OAUTH2_REGISTRATION="open", OAUTH2_REGISTRATION_SCOPES=["read", "write"])


@pytest.mark.parametrize(
    ("settings", "is_warned"),
    [
        (OPEN, True),
        ({**OPEN, "OAUTH2_REGISTRATION_SCOPES": ["read"]}, False),
        ({**OPEN, "OAUTH2_REGISTRATION_SCOPES": []}, False),
        ({**OPEN, "OAUTH2_REGISTRATION": "token"}, False),
        ({}, False),
    ],
)
def test_open_registration_that_gives_nothing_is_warned_about(tmp_path, caplog, settings, is_warned):
    start(tmp_path, **settings)

    assert ("clients get no scope, no token" in caplog.text) == is_warned


@pytest.mark.parametrize("value", ["Open", "yes", True, ""])
def test_mode_that_is_none_is_an_error(tmp_path, value):
    with pytest.raises(ConfigurationError, match="OAUTH2_REGISTRATION"):
        start(tmp_path, OAUTH2_REGISTRATION=value)
