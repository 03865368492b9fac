"""Clients registered by a document: the ``client_id`` is its URL (draft-ietf-oauth-client-id-metadata-document-02).

Anybody who sends such a ``client_id`` makes this server fetch something. So only the hosts of
``OAUTH2_CLIENT_ID_HOSTS`` are asked (every host at a public address if it holds ``*``), a client in the database goes
before a document, and new documents are fetched at the pace of :mod:`...keys.newcomers`, however many URLs a stranger
makes up.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from ...errors import OAuthError
from ...fetching.fetch_target import FetchRefused
from ...jose.unset import without_unset
from ...settings.server import ServerSettings
from ...web.url import find_url
from ..client_auth.private_key_jwt import METHOD
from ..client_members import split_scope
from ..grants import FOR_PUBLIC_CLIENTS
from ..grants.policy import list_open_grants
from ..keys.remote_documents import DocumentUnavailable, RemoteDocuments
from ..registered_client import OPERATOR_MEMBERS, PUBLIC, RegisteredClient
from ..stores.contracts import ClientStore
from .atproto_document import check_document
from .metadata import build_client

MAX_BYTES = 16384
"""Largest document; the draft recommends 5 kilobytes (§8.7), too little for keys with certificates."""

_SECRET_MEMBERS = ("client_secret", "client_secret_expires_at")
_REQUIRED_BY_MCP = (
    "client_name",
    "redirect_uris",
)  # of every document (Client Registration, Implementation Requirements)
# One document serves many servers, so members that this server does not use are ignored, and the operator's too.
_PASSED_OVER = (*OPERATOR_MEMBERS, "response_types")


class ClientIdDocuments:
    """Finds clients in the database, and clients registered by a document; a :class:`.contracts.ClientStore`.

    :param registered: The clients in the database.
    :param documents: The clients that :func:`read_client` makes from documents.
    :param check_url: Raises ``FetchRefused`` for a URL that is never fetched.
    """

    def __init__(
        self,
        registered: ClientStore,
        documents: RemoteDocuments[RegisteredClient],
        check_url: Callable[[str], None],
    ) -> None:
        self._registered = registered
        self._documents = documents
        self._check_url = check_url

    def find(self, client_id: str) -> RegisteredClient | None:
        """See :meth:`.contracts.ClientStore.find`.

        :raises FetchBusy: The document is not here, and other fetches leave no room to fetch it now.
        :raises StoreUnavailable: The database did not answer.
        """
        client = self._registered.find(client_id)
        if client is not None or not self._is_document(client_id):
            return client
        try:
            return self._documents.load(client_id).value
        except DocumentUnavailable:  # the log says why
            return None

    def is_admitted(self, client_id: str) -> bool:
        """See :meth:`.contracts.ClientStore.is_admitted`. A document's client is admitted while its host is trusted."""
        client = self._registered.find(client_id)
        return self._is_document(client_id) if client is None else client.enabled

    def is_taken(self, client_id: str) -> bool:
        """See :meth:`.contracts.ClientStore.is_taken`."""
        return self._registered.is_taken(client_id) or self._is_document(client_id)

    def confirm(self, client: RegisteredClient) -> None:
        """See :meth:`.contracts.ClientStore.confirm`."""
        if client.registered_by != "document":
            self._registered.confirm(client)

    def newer(self, client: RegisteredClient) -> RegisteredClient | None:
        """See :meth:`.contracts.ClientStore.newer`."""
        if not self._is_document(client.client_id) or self._registered.find(client.client_id) is not None:
            return None
        try:
            document = self._documents.load(client.client_id)
        except DocumentUnavailable:
            return None
        if document.value is not client:
            return document.value
        newer = self._documents.newer(document)
        return None if newer is None else newer.value

    def _is_document(self, client_id: str) -> bool:
        if not is_client_id_url(client_id):
            return False
        try:
            self._check_url(client_id)
        except FetchRefused:
            return False
        return True


def is_client_id_url(client_id: str) -> bool:
    """Whether *client_id* has the form of a Client Identifier URL (§3).

    A query is refused (the draft advises against it): with it one page could be any number of clients.
    """
    url = find_url(client_id) if client_id.startswith("https://") else None
    if url is None or not url.path or url.query is not None or url.fragment is not None:
        return False
    return not any(unquote(segment) in (".", "..") for segment in url.path.split("/"))


def read_client(
    url: str, members: Mapping[str, Any], *, settings: ServerSettings, grant_types: Callable[[], Sequence[str]]
) -> RegisteredClient:
    """The client that the document at *url* describes (§4).

    Scopes and grant types that this server does not give to such clients are left out.

    :param grant_types: What the server's token endpoint answers.
    :raises ValueError: The document has another ``client_id``, has a shared secret, or is not a valid registration.
    """
    members = without_unset(members)
    if members.get("client_id") != url:
        raise ValueError("client_id is not the URL of the document")
    if found := [name for name in _SECRET_MEMBERS if name in members]:
        raise ValueError(f"{found[0]} is there: a document is public")
    if settings.PROFILE == "mcp" and (missing := [name for name in _REQUIRED_BY_MCP if name not in members]):
        raise ValueError(f"{missing[0]} is missing")
    if settings.PROFILE == "atproto":
        members = check_document(url, members, trusted=settings.TRUSTED_CLIENT_IDS)
    _check_method(members.get("token_endpoint_auth_method"), settings)
    metadata = {name: value for name, value in members.items() if name not in _PASSED_OVER}
    metadata |= {
        "client_id": url,
        "scope": _granted_scope(members, settings.CLIENT_ID_SCOPES),
        "grant_types": _served_grant_types(members, grant_types(), settings),
    }
    version = hashlib.sha256(json.dumps([url, members], sort_keys=True).encode()).hexdigest()
    try:
        return build_client(
            metadata,
            settings=settings,
            grant_types=grant_types(),
            version=version,
            registered_by="document",
            max_bytes=settings.REGISTRATION_MAX_BYTES,
        )
    except OAuthError as refusal:
        raise ValueError(refusal.reason) from None


def _check_method(method: object, settings: ServerSettings) -> None:
    """Nothing symmetric (§4.1); a public client only where the settings allow it."""
    accepted = (METHOD, PUBLIC) if settings.CLIENT_ID_PUBLIC_CLIENTS else (METHOD,)
    if method not in accepted:
        raise ValueError(f"token_endpoint_auth_method is not {' or '.join(accepted)}")


def _granted_scope(members: Mapping[str, Any], granted: Sequence[str]) -> str:
    """The scopes that such clients may have and the document asks for; all of them if it does not ask."""
    wished = members.get("scope")
    if wished is None:
        return " ".join(granted)
    if not isinstance(wished, str):
        raise ValueError("scope is not a string")
    return " ".join(token for token in granted if token in split_scope(wished))


def _served_grant_types(members: Mapping[str, Any], served: Sequence[str], settings: ServerSettings) -> list[str]:
    wished = members.get("grant_types", ["authorization_code"])  # the default of RFC 7591 §2
    if not isinstance(wished, list):
        raise ValueError("grant_types is not a list")
    is_public = members.get("token_endpoint_auth_method") == PUBLIC
    given = FOR_PUBLIC_CLIENTS if is_public else list_open_grants("document", settings)
    if not (common := [grant_type for grant_type in served if grant_type in wished and grant_type in given]):
        raise ValueError("none of its grant_types is served here")
    return common
