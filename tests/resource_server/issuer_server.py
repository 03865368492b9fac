"""An issuer's metadata and keys, real HTTP on loopback."""

from typing import Any

from werkzeug.wrappers import Request

from flask_private_key_jwt.jose import jose
from tests.resource_server.introspection_server import say


class IssuerServer:
    """Publishes the keys of an issuer."""

    def __init__(self, *keys: jose.PrivateKey) -> None:
        self.url = ""
        self._jwks = {"keys": [key.public_jwk() for key in keys]}

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if Request(environ).path == "/jwks":
            return say(self._jwks)(environ, start_response)
        return say({"issuer": self.url, "jwks_uri": f"{self.url}/jwks"})(environ, start_response)
