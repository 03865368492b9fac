"""An authorization server in the process of a test: its clients, the tokens that it gives, what it refused."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self

import flask
from werkzeug.test import TestResponse

from ..authorization_server.grants.base import Allowed
from ..authorization_server.registered_client import RegisteredClient
from ..authorization_server.request import FormRequest
from ..authorization_server.state import State, current_state
from ..client.assertion import ASSERTION_TYPE, build_client_assertion
from ..dpop.proof import DPoPProof
from ..errors import OAuthError, UnknownClient
from ..jose import jose
from .held_token import HeldToken, prove
from .in_process import InProcessRunner
from .refusals import Refusal, noting_refusals

CLIENT_ID = "test-client"
"""The client, if a test names none."""
SCOPE = "test"
"""The scope of a client that is registered without one: a server gives a client no token without any scope."""


@dataclass(frozen=True, slots=True)
class MadeClient:
    """A client that a test registered, with its private keys."""

    client_id: str
    """The id it is registered under."""
    key: jose.PrivateKey = field(repr=False)
    """The key it authenticates with."""
    dpop_key: jose.PrivateKey = field(repr=False)
    """The key its tokens are bound to."""


@dataclass(frozen=True, slots=True)
class SentTokenRequest:
    """A token request as it was sent."""

    form: Mapping[str, str] = field(repr=False)
    """The form that was posted, with the assertion."""
    headers: Mapping[str, str] = field(repr=False)
    """``DPoP``, if a proof was sent."""


class InProcessServer:
    """An authorization server in the process of a test.

    :param app: A Flask app on which ``PrivateKeyJWT.init_app`` was called, with its tables.
    """

    def __init__(self, app: flask.Flask) -> None:
        with app.app_context():
            self._state: State = current_state()
        self.app = app
        """The Flask app."""
        self.issuer: str = self._state.settings.ISSUER
        """Its issuer identifier."""
        self.resource: str = self._state.settings.resources[0]
        """The API that its tokens are for, if nothing else is said."""
        self.token_url: str = f"{self._state.server.base_url}/token"
        """The URL of its token endpoint."""
        self.refusals: list[Refusal] = []
        """The private reasons of what it refused during the test, in order, each with its ``cause``."""
        self.last_request: SentTokenRequest | None = None
        """The newest request of :meth:`request_token` that got a token."""
        self.runner = InProcessRunner(app, self.issuer)
        self._made: dict[str, MadeClient] = {}

    @classmethod
    @contextmanager
    def watching(cls, app: flask.Flask) -> Iterator[Self]:
        """A server whose :attr:`refusals` are noted during the block."""
        server = cls(app)
        with noting_refusals(app) as server.refusals:
            yield server

    # --- clients ------------------------------------------------------------------------------------------------
    def register(
        self, client_id: str = CLIENT_ID, *, key: jose.PrivateKey | None = None, **metadata: Any
    ) -> MadeClient:
        """Register a client with a key of its own, or change one that this test registered before.

        :param key: The private key. Default: an ES256 key, the same for this name in the whole process.
        :param metadata: Further members of its registration (RFC 7591 §2), such as ``scope="read write"``. Without a
            scope a new client has the scope ``test``.
        :raises InvalidClientMetadata: A member is not accepted, or the application has a client of this name.
        """
        key = key or _make_key(client_id, "client")
        made = MadeClient(client_id, key, _make_key(client_id, "dpop"))
        members = {"jwks": {"keys": [key.public_jwk()]}, **metadata}
        with self.app.app_context():
            if client_id in self._made:
                self._state.clients.update(client_id, members)
            else:
                usual = {"scope": SCOPE, "default_scope": SCOPE} if "scope" not in metadata else {}
                self._state.clients.add({"client_id": client_id, **usual, **members})
        self._made[client_id] = made
        return made

    def has_client(self, client_id: str) -> bool:
        """Whether there is a client of this name."""
        with self.app.app_context():
            try:
                self._state.clients.get(client_id)
            except UnknownClient:
                return False
        return True

    # --- tokens -------------------------------------------------------------------------------------------------
    def token(
        self,
        client_id: str = CLIENT_ID,
        *,
        subject: str | None = None,
        scope: str | None = None,
        resource: str | None = None,
        dpop: bool = True,
        lifetime: int | None = None,
    ) -> HeldToken:
        """An access token, made as the server makes it: same claims, same key, same token policies.

        Nobody has to authenticate or consent for it. A client that the application does not have is registered.

        :param subject: The person who allowed it: its ``sub``. ``None``: the client acts for itself.
        :param scope: Its scopes, separated by spaces. ``None``: the client's default.
        :param resource: The API that it is for, one of ``OAUTH2_RESOURCES``. ``None``: the first of them.
        :param dpop: Whether it is bound to the client's DPoP key (RFC 9449); if not, it is a Bearer token.
        :param lifetime: How long it is valid, in seconds. ``None``: as the server is set.
        :raises OAuthError: The server does not give this client such a token; its ``reason`` says why.
        """
        key = _make_key(client_id, "dpop") if dpop else None
        with self.app.app_context(), _telling_reasons():
            client = self._find_client(client_id, scope)
            request = FormRequest("token", self.token_url, {}, resources=(resource,) if resource else ())
            issued = self._state.server.token_maker.make(
                Allowed(
                    grant_type="client_credentials" if subject is None else "authorization_code",
                    client=client,
                    request=request,
                    proof=DPoPProof(key.public.thumbprint, ()) if key else None,
                    subject=subject,
                    scope=scope,
                    lifetime=lifetime,
                )
            )
        return HeldToken(issued.value, jose.decode_unverified(issued.value)[1], key)

    def request_token(
        self, client_id: str = CLIENT_ID, *, scope: str | None = None, dpop: bool = True, **form: str
    ) -> TestResponse:
        """Post a real token request of a client of :meth:`register` (RFC 6749 §4.4, RFC 7523 §2.2).

        :param scope: The scopes that it asks for; a client that this test has not registered is registered with them.
        :param dpop: Whether a proof is sent.
        :param form: Further members of the form, or others in place of the usual ones.
        """
        made = self._made.get(client_id) or self.register(client_id, **_with_scope(scope))
        fields = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": build_client_assertion(client_id, self.issuer, key=made.key),
            **_with_scope(scope),
            **form,
        }
        nonce = self._state.server.dpop.new_nonce()
        headers = {"DPoP": prove(made.dpop_key, method="POST", url=self.token_url, nonce=nonce)} if dpop else {}
        sent = SentTokenRequest(fields, headers)
        response = self.send(sent)
        if response.status_code == 200:
            self.last_request = sent
        return response

    def send(self, request: SentTokenRequest) -> TestResponse:
        """Post a token request, unchanged."""
        path = self.token_url.removeprefix(self.issuer.rstrip("/"))
        return self.app.test_client().post(
            path, base_url=self.issuer, data=dict(request.form), headers=dict(request.headers)
        )

    def revoke(self, token: HeldToken) -> None:
        """Revoke an access token."""
        with self.app.app_context():
            claims = token.claims
            self._state.server.revocations.revoke_token(claims["jti"], expires_at=claims["exp"])

    def sign(self, claims: Mapping[str, Any], *, key: jose.PrivateKey | None = None) -> str:
        """An access token that says whatever *claims* say, for attacks.

        :param key: The key that signs it. Default: the server's.
        """
        with self.app.app_context():
            signing = self._state.server_keys.current().signing
        signer = key or signing
        return jose.sign({"typ": "at+jwt", "kid": signing.public.kid or signing.public.thumbprint}, claims, signer)

    def _find_client(self, client_id: str, scope: str | None) -> RegisteredClient:
        """The client; one that is not the application's is registered, and gets the scopes that it is asked for."""
        try:
            client = self._state.clients.get(client_id)
        except UnknownClient:
            self.register(client_id, **_with_scope(scope))
            return self._state.clients.get(client_id)
        missing = set((scope or "").split()) - set(client.scope)
        if client_id in self._made and missing:
            return self._state.clients.update(client_id, {"scope": " ".join([*client.scope, *sorted(missing)])})
        return client


@contextmanager
def _telling_reasons() -> Iterator[None]:
    """A refusal during the block says why: whoever writes a test may know."""
    try:
        yield
    except OAuthError as error:
        error.add_note(f"The private reason: {error.reason} [cause {error.cause}]")
        raise


def _with_scope(scope: str | None) -> dict[str, Any]:
    return {"scope": scope} if scope else {}


@cache
def _make_key(client_id: str, purpose: str) -> jose.PrivateKey:
    """A key, made once in a process."""
    return jose.generate_private_key("ES256")
