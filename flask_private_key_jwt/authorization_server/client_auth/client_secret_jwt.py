"""``client_secret_jwt``: the client signs an assertion with a secret that it shares with the server (RFC 7523).

All rules of an assertion hold. Which method an assertion uses is told from the ``alg`` of its header, and then the kind
of key decides: here only secrets are looked at, in ``private_key_jwt.py`` only public keys. So a public key is never
used as a secret.
"""

import binascii
import json
from collections.abc import Mapping, Sequence

from ...errors import InvalidClient
from ...jose import jose
from ...settings.server import ServerSettings
from ...settings.values import HMAC_ALGS
from ..keys.client_secrets import SecretNotAccepted, UsedSecret, check_secrets_count
from ..registered_client import RegisteredClient
from ..request import FormRequest
from .assertion import AssertionChecker, VerifiedAssertion
from .base import AuthenticationParts

METHOD = "client_secret_jwt"


def is_tried(request: FormRequest) -> bool:
    """Whether *request* holds an assertion with the header of an HMAC."""
    assertion = request.get("client_assertion")
    if assertion is None:
        return False
    head, _, _ = assertion.partition(".")
    try:
        header = binascii.a2b_base64(head.replace("-", "+").replace("_", "/") + "=" * (-len(head) % 4))
        # The first test is fast, because every assertion has to pass it; a kid may also begin with HS.
        return b'"HS' in header and json.loads(header)["alg"] in HMAC_ALGS
    except (ValueError, TypeError, LookupError, RecursionError):
        return False  # the other method says what is wrong with it


def describe(settings: ServerSettings) -> Mapping[str, Sequence[str]]:
    """What the metadata document says about the method (RFC 8414 §2)."""
    return {"signing_alg_values_supported": list(HMAC_ALGS)}


class ClientSecretJWTAuthentication:
    """Authenticates clients by JWTs that they signed with a secret."""

    def __init__(self, parts: AuthenticationParts) -> None:
        self._settings = parts.settings
        self._secrets = parts.client_secrets
        self._assertions = AssertionChecker(
            parts,
            method=METHOD,
            clients=parts.registered_clients,  # a client registered by a document has no secret
            algs=tuple(HMAC_ALGS),
            find_signer=self._find_secret,
        )

    def verify(self, request: FormRequest) -> VerifiedAssertion:
        """See :meth:`.AssertionChecker.verify`."""
        try:
            check_secrets_count(self._settings)
        except SecretNotAccepted as problem:
            raise InvalidClient(str(problem), cause=problem.cause) from None
        return self._assertions.verify(request)

    def _find_secret(self, jwt: jose.JWT, client: RegisteredClient, _now: int) -> UsedSecret:
        try:
            return self._secrets.find_signer(client, METHOD, jwt)
        except SecretNotAccepted as problem:
            raise InvalidClient(str(problem), cause=problem.cause) from None
