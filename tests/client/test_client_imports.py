"""The client's side loads neither Flask nor the server; told by fresh interpreters."""

import subprocess
import sys

import pytest

import flask_private_key_jwt.client as client

HEAVY = (
    "flask",
    "werkzeug",
    "sqlalchemy",
    "flask_sqlalchemy",
    "jinja2",
    "redis",
    "authlib.integrations",
    "authlib.jose",
)
OURS = ("authorization_server", "resource_server", "tokens")


def loaded_by(statement):
    code = f"import sys; {statement}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.split()


def test_no_public_name_of_the_client_loads_flask_or_the_server():
    loaded = loaded_by("from flask_private_key_jwt.client import *")

    unwanted = (*HEAVY, *(f"flask_private_key_jwt.{part}" for part in OURS))
    assert "flask_private_key_jwt.client.auth" in loaded
    assert [
        name for name in loaded if name.startswith(tuple(f"{part}." for part in unwanted)) or name in unwanted
    ] == []


def test_the_package_alone_loads_no_requests():
    assert "requests" not in loaded_by("import flask_private_key_jwt.client")


def test_a_client_for_people_loads_what_it_uses():
    loaded = loaded_by("from flask_private_key_jwt.client import AuthorizationCodeClient, FileTokenStore")

    assert "requests" in loaded
    assert not {"click", "httpx", "flask_private_key_jwt.client.command"} & set(loaded)


def test_the_requests_client_loads_no_httpx():
    loaded = loaded_by("from flask_private_key_jwt.client import PrivateKeyJWTAuth, TokenClient, IntrospectionClient")

    assert {"httpx", "httpcore", "anyio"}.isdisjoint(loaded)


def test_without_httpx_everything_else_is_there():
    loaded = loaded_by("sys.modules['httpx'] = None; from flask_private_key_jwt.client import *; PrivateKeyJWTAuth")

    assert "flask_private_key_jwt.client.auth" in loaded
    assert "flask_private_key_jwt.client.in_httpx" not in loaded


def test_without_httpx_it_is_said_what_to_install():
    statement = "sys.modules['httpx'] = None; from flask_private_key_jwt.client import HTTPXPrivateKeyJWTAuth"
    with pytest.raises(subprocess.CalledProcessError) as failed:
        loaded_by(statement)
    assert "ImportError: httpx is not installed: pip install flask-private-key-jwt[httpx]" in failed.value.stderr


@pytest.mark.parametrize("copied", ["headers.raw", "headers.multi_items()", "headers.items()"])
def test_an_httpx_whose_copies_of_headers_would_leak_is_not_used(copied):
    code = f"""
import httpx
usual = httpx.Headers.__init__
def init(self, headers=None, encoding=None):
    usual(self, list({copied}) if isinstance(headers, httpx.Headers) else headers, encoding)
httpx.Headers.__init__ = init
from flask_private_key_jwt.client import HTTPXPrivateKeyJWTAuth
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert "ImportError: This version of httpx is not supported" in run.stderr


def test_the_public_names_are_there():
    assert dir(client) == sorted(client.__all__)
    for name in client.__all__:
        assert name in ("CertificateSource", "KeySource") or getattr(client, name).__name__ == name  # two are unions


def test_the_former_name_says_which_one_it_is_now():
    with pytest.raises(ImportError, match="PrivateKeyJWTClientAuth is called AuthlibClientAuth"):
        from flask_private_key_jwt.client import PrivateKeyJWTClientAuth  # noqa: F401


def test_a_name_that_is_not_there_is_the_usual_error():
    with pytest.raises(AttributeError, match="has no attribute 'secret'"):
        _ = client.secret
