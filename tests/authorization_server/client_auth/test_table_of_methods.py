"""The table decides which authentication method a request tries, in its order."""

from importlib import import_module
from types import SimpleNamespace

import pytest

from flask_private_key_jwt.authorization_server.client_auth import CLIENT_AUTH_METHODS
from flask_private_key_jwt.authorization_server.client_auth.base import ClientAuthentication, ClientAuthMethod
from flask_private_key_jwt.authorization_server.registration.authentication import supported_methods
from flask_private_key_jwt.authorization_server.request import FormRequest
from flask_private_key_jwt.errors import InvalidClient
from tests.conftest import START, TOKEN_URL


class Method:
    """Lets everybody in who has no ``wrong`` in the form, and says by which method."""

    def __init__(self, name):
        self.name = name

    def verify(self, request):
        if request.get("wrong"):
            raise InvalidClient(f"refused by {self.name}")
        return self.name


def line(name, parameter, **more):
    return ClientAuthMethod(
        name, build=lambda parts: Method(name), is_tried=lambda request: request.get(parameter) is not None, **more
    )


TABLE = (
    line("private_key_jwt", "client_assertion", is_usual=True),
    ClientAuthMethod("closed", build=lambda parts: None, is_tried=lambda request: True),
    line("tls_client_auth", "certificate"),
    line("none", "client_id"),
)


@pytest.fixture
def verify():
    authentication = ClientAuthentication(TABLE, parts=None)
    return lambda **form: authentication.verify(FormRequest(endpoint="token", url=TOKEN_URL, form=form))


@pytest.mark.parametrize(
    ("form", "method"),
    [
        ({"client_assertion": "x"}, "private_key_jwt"),
        ({"client_assertion": "x", "certificate": "x", "client_id": "x"}, "private_key_jwt"),
        ({"certificate": "x", "client_id": "x"}, "tls_client_auth"),
        ({"client_id": "x"}, "none"),
    ],
)
def test_first_method_that_is_tried_decides(form, method, verify):
    assert verify(**form) == method


def test_refusal_never_falls_through_to_another_method(verify):
    with pytest.raises(InvalidClient) as refused:
        verify(client_assertion="x", client_id="x", wrong="yes")

    assert refused.value.reason == "refused by private_key_jwt"


def test_request_that_tries_none_is_refused_by_the_usual_one(verify):
    with pytest.raises(InvalidClient) as refused:
        verify(wrong="yes")

    assert refused.value.reason == "refused by private_key_jwt"


def test_new_method_is_advertised_where_it_proves_who_the_client_is(app, monkeypatch):
    table = (
        *CLIENT_AUTH_METHODS,
        line("tls_client_auth", "certificate", describe=lambda settings: {"example": ["x"]}),
        line("hearsay", "certificate", proves_identity=False),
        line("closed", "certificate", is_open=lambda settings, grant_types: False),
    )
    module = import_module("flask_private_key_jwt.authorization_server.endpoints.metadata")
    monkeypatch.setattr(module, "CLIENT_AUTH_METHODS", table)

    document = app.test_client().get(module.METADATA_PATH).json

    methods = "{}_endpoint_auth_methods_supported"
    assert document[methods.format("token")] == ["private_key_jwt", "tls_client_auth", "hearsay"]
    assert document[methods.format("introspection")] == ["private_key_jwt", "tls_client_auth"]
    assert document["token_endpoint_auth_example"] == ["x"]


@pytest.mark.parametrize(
    ("change", "grant_types", "methods"),
    [
        ({}, ["authorization_code"], ("private_key_jwt", "none")),
        ({}, ["client_credentials"], ("private_key_jwt",)),
        ({"PROFILE": "fapi2"}, ["authorization_code"], ("private_key_jwt",)),
        ({"REQUIRE_SIGNED_REQUESTS": True}, ["authorization_code"], ("private_key_jwt",)),
        (
            {"client_secrets_until": START, "CLIENT_SECRETS_UNTIL": ""},
            ["authorization_code"],
            ("private_key_jwt", "none"),
        ),
        (
            {"client_secrets_until": START + 1},
            ["client_credentials"],
            ("client_secret_jwt", "private_key_jwt", "client_secret_basic", "client_secret_post"),
        ),
    ],
)
def test_what_a_client_may_register_follows_from_the_table(change, grant_types, methods):
    settings = SimpleNamespace(
        **{"PROFILE": "oauth", "REQUIRE_SIGNED_REQUESTS": False, "client_secrets_until": None, **change}
    )

    assert supported_methods(settings, grant_types) == methods


@pytest.mark.parametrize("has_keys", [True, False])
def test_client_is_registered_for_a_new_method_by_its_line_alone(has_keys, app, oauth, client_key, monkeypatch):
    """The table of clients takes it, too."""
    module = import_module("flask_private_key_jwt.authorization_server.registration.authentication")
    monkeypatch.setattr(
        module, "CLIENT_AUTH_METHODS", (*CLIENT_AUTH_METHODS, line("tls_client_auth", "certificate", has_keys=has_keys))
    )
    jwks = {"jwks": {"keys": [client_key.public_jwk()]}} if has_keys else {}

    with app.app_context():
        oauth.clients.add({"client_id": "new", "token_endpoint_auth_method": "tls_client_auth", **jwks})

        found = oauth.clients.get("new")
    assert (found.token_endpoint_auth_method, found.jwks is not None) == ("tls_client_auth", has_keys)
