"""Clients in development under ``OAUTH2_PROFILE = "atproto"``: the ``client_id`` itself says everything about them.

It is ``http://localhost`` with a query (§ Localhost Client Development of https://atproto.com/specs/oauth). Nothing is
fetched and nothing is stored. Such a client is public, and its answers go to this person's own device only.
"""

import hashlib
import logging
from collections.abc import Collection
from urllib.parse import parse_qsl

from ...settings.profiles import ATPROTO_SCOPE
from ...web.url import find_url
from ..client_members import MAX_REDIRECT_URIS, split_scope
from ..registered_client import PUBLIC, RegisteredClient
from ..stores.contracts import ClientStore

log = logging.getLogger("flask_private_key_jwt")

ORIGIN = "http://localhost"
DEFAULT_REDIRECT_URIS = ("http://127.0.0.1/", "http://[::1]/")
_ADDRESSES = ("127.0.0.1", "::1")
_PARAMETERS = ("redirect_uri", "scope")


class LocalhostClients:
    """Finds clients in development, and all other clients in another store; a :class:`.contracts.ClientStore`.

    :param others: Where all other clients are found.
    :param scopes: ``OAUTH2_CLIENT_ID_SCOPES``: what such clients may have.
    """

    def __init__(self, others: ClientStore, scopes: Collection[str]) -> None:
        self._others = others
        self._scopes = scopes

    def find(self, client_id: str) -> RegisteredClient | None:
        """See :meth:`.contracts.ClientStore.find`. A client of this name in the database goes first."""
        found = self._others.find(client_id)
        if found is not None or not claims_localhost(client_id):
            return found
        try:
            return read_localhost_client(client_id, scopes=self._scopes)
        except ValueError as problem:
            log.info("%r is no client in development: %s", client_id, problem)
            return None

    def is_admitted(self, client_id: str) -> bool:
        """See :meth:`.contracts.ClientStore.is_admitted`."""
        client = self.find(client_id) if claims_localhost(client_id) else None
        return self._others.is_admitted(client_id) if client is None else client.enabled

    def is_taken(self, client_id: str) -> bool:
        """See :meth:`.contracts.ClientStore.is_taken`."""
        return claims_localhost(client_id) or self._others.is_taken(client_id)

    def confirm(self, client: RegisteredClient) -> None:
        """See :meth:`.contracts.ClientStore.confirm`."""
        if not _is_made_here(client):
            self._others.confirm(client)

    def newer(self, client: RegisteredClient) -> RegisteredClient | None:
        """See :meth:`.contracts.ClientStore.newer`."""
        return None if _is_made_here(client) else self._others.newer(client)


def claims_localhost(client_id: str) -> bool:
    """Whether *client_id* can only be that of a client in development, good or not. Anything near it is no client."""
    return client_id.startswith(ORIGIN)


def _is_made_here(client: RegisteredClient) -> bool:
    return client.registered_by == "document" and claims_localhost(client.client_id)


def read_localhost_client(client_id: str, *, scopes: Collection[str]) -> RegisteredClient:
    """The client that a ``client_id`` describes.

    :param scopes: What such clients may have; others are left out.
    :raises ValueError: It is not such a ``client_id``; the message is a whole sentence, without a full stop.
    """
    wished: tuple[str, ...] = (ATPROTO_SCOPE,)
    redirect_uris = []
    for name, value in _read_query(client_id):
        if name == "redirect_uri":
            redirect_uris.append(_check_redirect_uri(value))
        else:
            wished = split_scope(value)
    if ATPROTO_SCOPE not in wished:
        raise ValueError(f"its scope does not hold {ATPROTO_SCOPE!r}")
    return RegisteredClient(
        client_id=client_id,
        version=hashlib.sha256(client_id.encode()).hexdigest(),
        grant_types=frozenset({"authorization_code", "refresh_token"}),
        scope=frozenset(wished).intersection(scopes),
        token_endpoint_auth_method=PUBLIC,
        dpop_bound_access_tokens=True,
        redirect_uris=tuple(dict.fromkeys(redirect_uris)) or DEFAULT_REDIRECT_URIS,
        application_type="native",
        registered_by="document",
    )


def _read_query(client_id: str) -> list[tuple[str, str]]:
    """The parameters of the query; ``http://localhost`` is compared as text, so that no parser can see another host."""
    rest = client_id.removeprefix(ORIGIN).removeprefix("/")
    if not rest:
        return []
    if not rest.startswith("?"):
        raise ValueError("it has a port, a path or another host")
    if find_url(client_id) is None or "#" in rest:
        raise ValueError("it is not a URL without a fragment")
    pairs = parse_qsl(
        rest[1:], keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=MAX_REDIRECT_URIS + 1
    )
    if unknown := [name for name, _ in pairs if name not in _PARAMETERS]:
        raise ValueError(f"its query has the parameter {unknown[0][:40]!r}")
    if sum(name == "scope" for name, _ in pairs) > 1:
        raise ValueError("its query has two scopes")
    return pairs


def _check_redirect_uri(text: str) -> str:
    url = find_url(text)
    if url is None or url.scheme != "http" or url.host not in _ADDRESSES or url.fragment is not None:
        raise ValueError("a redirect_uri is not http on 127.0.0.1 or [::1]")
    return text
