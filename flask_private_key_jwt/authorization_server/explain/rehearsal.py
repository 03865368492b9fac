"""The server's own checks, run on a JWT that somebody kept: nothing is spent, and unless told, nothing is fetched.

They are the same functions that answer requests. Only what they read from is different: the documents of clients are
those that the server has fetched before, and the server's keys are read without making one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import flask

from ...dpop.proof import ProofChecker, access_token_hash
from ...errors import InvalidRequestObject, InvalidToken, TemporarilyUnavailable, UnusableClient
from ...jose import jose
from ...resource_server.guard import Guard
from ...resource_server.in_flask import EXTENSION_KEY
from ...settings.values import ASYMMETRIC_ALGS
from ...signals.refusal import attributed_to
from ...tokens.verification import IssuerKeys, OwnKeys, TokenVerifier
from ...tokens.verified_tokens import Keys
from ..authorization.request_object import RequestObjects
from ..client_auth import CLIENT_AUTH_METHODS
from ..client_auth.assertion import ASSERTION_TYPE
from ..client_auth.base import AuthenticationParts, ClientAuthentication
from ..client_auth.signature import ClientSignatures
from ..client_documents import build_client_keys, build_client_store, build_slots
from ..client_lookup import NotAdmitted, load_enabled
from ..keys.client_keys import read_jwks
from ..registered_client import RegisteredClient
from ..request import FormRequest
from ..state import State
from ..stores.contracts import DocumentKey, FetchedDocumentStore, StoredDocument


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The request that held the JWT, as far as it counts."""

    method: str = "POST"
    url: str | None = None
    """Its URL, without query and fragment; ``None``: the token endpoint's."""
    access_token: str | None = None
    """The token beside a proof, for its ``ath``."""
    resource: str | None = None
    """The API that got the token, for its ``aud``; ``None``: any."""


class Rehearsal:
    """Runs the checks of one app on a JWT.

    :param state: What the app owns.
    :param fetch: Whether documents of clients, and keys of another issuer, may be fetched as for a request; what is
        fetched is then kept, as always.
    """

    def __init__(self, state: State, *, fetch: bool = False) -> None:
        self._state = state
        self._fetch = fetch
        settings, stores = state.settings, state.stores
        if not fetch:
            stores = replace(stores, documents=_KnownDocuments(stores.documents))
        slots = build_slots(settings)
        self._clients = build_client_store(settings, stores, slots, grant_types=state.server.grants.grant_types)
        self._signatures = ClientSignatures(self._clients, build_client_keys(settings, stores.documents, slots))
        self._token_url = f"{state.server.base_url}/token"
        parts = AuthenticationParts(
            settings=settings,
            clients=self._clients,
            registered_clients=stores.clients,
            signatures=self._signatures,
            client_secrets=state.client_secrets,
            token_url=self._token_url,
        )
        self._client_auth = ClientAuthentication(CLIENT_AUTH_METHODS, parts)
        self._guard: Guard | None = flask.current_app.extensions.get(EXTENSION_KEY)
        """The API in the same app."""

    @property
    def has_api(self) -> bool:
        """Whether an API is in the same app, so that its settings count for its tokens and proofs."""
        return self._guard is not None

    def check_assertion(self, text: str, circumstances: Circumstances) -> str:
        """Return the client that an assertion authenticates.

        :raises OAuthError: It does not.
        """
        form = {"client_assertion": text, "client_assertion_type": ASSERTION_TYPE}
        url = circumstances.url or self._token_url
        return self._client_auth.verify(FormRequest("token", url, form)).client.client_id

    def check_proof(self, text: str, circumstances: Circumstances) -> None:
        """Check a proof: one with an ``ath`` as the API does, any other as the token endpoint does.

        :raises OAuthError: It is refused.
        """
        self._find_proof_checker(text).check(
            text,
            method=circumstances.method,
            url=circumstances.url or self._token_url,
            ath=None if circumstances.access_token is None else access_token_hash(circumstances.access_token),
        )

    def check_token(self, text: str, circumstances: Circumstances) -> str:
        """Return the client of a token that counts: an access token, or a refresh token of this server.

        :raises OAuthError: It does not.
        """
        if "." not in text:
            return self._check_refresh_token(text)
        token = self._find_verifier(circumstances).verify(text, self._find_keys())
        server = self._state.server
        if token.claims["iss"] == self._state.settings.ISSUER and (
            server.revocations.is_revoked(token.claims) or not self._clients.is_admitted(token.client_id)
        ):
            raise InvalidToken(
                "the token was revoked, or its client is removed or disabled",
                cause="token_revoked",
                client_id=token.client_id,
            )
        return token.client_id

    def check_request_object(self, text: str) -> str:
        """Return the client that made a request object.

        :raises OAuthError: It is refused.
        """
        try:
            _, claims = jose.decode_unverified(text)
        except jose.JoseProblem as problem:
            raise problem.as_refusal(InvalidRequestObject, "request object") from None
        client_id = claims.get("client_id")
        try:
            client = load_enabled(self._clients, client_id if isinstance(client_id, str) else None)
        except NotAdmitted as problem:
            raise UnusableClient(str(problem), cause=problem.cause) from None
        with attributed_to(client.client_id):
            RequestObjects(self._state.settings, self._signatures, _NoKeyUse()).read(text, client)
        return client.client_id

    def find_unusable_keys(self, client_id: str) -> Sequence[jose.JoseProblem]:
        """Why entries of a client's ``jwks`` are no keys; nothing is said of keys that it publishes."""
        client = self._clients.find(client_id)
        if client is None or client.jwks is None:
            return ()
        try:
            return read_jwks(client.jwks)[1]
        except jose.JoseProblem as problem:
            return (problem,)

    def _check_refresh_token(self, text: str) -> str:
        server = self._state.server
        stored = server.refresh_tokens.find(text)
        if stored is None:
            raise InvalidToken("the token is neither a JWT nor a known refresh token", cause="token_unknown")
        client_id = stored.granted.client_id
        with attributed_to(client_id):
            try:
                client = load_enabled(self._clients, client_id)
            except NotAdmitted as problem:
                raise InvalidToken(str(problem), cause="client_gone") from None
            if not server.refresh_tokens.is_active(text, stored, client):
                raise InvalidToken("the refresh token is expired, replaced or revoked", cause="refresh_token_ended")
        return client_id

    def _find_proof_checker(self, text: str) -> ProofChecker:
        try:
            _, claims = jose.decode_unverified(text)
        except jose.JoseProblem:
            claims = {}  # the checker says what is wrong
        if "ath" not in claims:
            return self._state.server.dpop.checker
        return (self._guard or self._state.userinfo).proofs

    def _find_verifier(self, circumstances: Circumstances) -> TokenVerifier:
        settings = self._state.settings
        if self._guard is not None and circumstances.resource in (None, self._guard.settings.RESOURCE):
            return self._guard.tokens
        return TokenVerifier(
            issuer=settings.ISSUER,
            resource=circumstances.resource,
            algs=ASYMMETRIC_ALGS,
            max_bytes=settings.REQUEST_MAX_BYTES,
            clock_skew=settings.CLOCK_SKEW_SECONDS,
        )

    def _find_keys(self) -> IssuerKeys:
        if self._guard is None or self._guard.settings.ISSUER == self._state.settings.ISSUER:
            keys = self._state.server_keys.peek()
            return OwnKeys(lambda: keys)
        return self._guard.fetched_keys if self._fetch else _UnfetchedKeys()


class _KnownDocuments:
    """The documents that the server has fetched before; nothing is claimed, and so nothing is fetched.

    :param store: The real one.
    """

    def __init__(self, store: FetchedDocumentStore) -> None:
        self._store = store

    def load(self, key: DocumentKey) -> StoredDocument | None:
        """See :meth:`.contracts.FetchedDocumentStore.load`."""
        stored = self._store.load(key)
        # As if no fetch were under way: nobody waits for one.
        return None if stored is None else replace(stored, attempted_at=stored.fetched_at)

    def claim(self, key: DocumentKey, *, now: int, not_before: int) -> bool:
        """Never."""
        return False

    def release(self, key: DocumentKey) -> None:
        """Nothing was claimed."""

    def save(self, key: DocumentKey, body: str, *, fetched_at: int, fresh_until: int) -> None:
        """Nothing was fetched."""

    def fail(self, key: DocumentKey, *, claimed_at: int) -> None:
        """Nothing was fetched."""

    def purge(self, *, batch: int = 0, rest: object = None) -> int:
        """Nothing is deleted."""
        return 0


class _NoKeyUse:
    """Notes nothing."""

    def note(self, client: RegisteredClient, thumbprint: str) -> None:
        """See :class:`~..authorization.request_object.NotesKeyUse`."""


class _UnfetchedKeys:
    """Stands for the keys of an issuer that is not asked."""

    def load(self) -> Keys:
        """See :meth:`.IssuerKeys.load`."""
        raise TemporarilyUnavailable(
            "the issuer's keys are not fetched without --fetch", cause="issuer_keys_unavailable"
        )

    def load_newer(self, known: Keys) -> Keys:
        """See :meth:`.IssuerKeys.load_newer`."""
        return known
