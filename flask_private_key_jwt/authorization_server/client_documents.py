"""How one app fetches what clients publish: their keys, and the documents that register clients."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import flask

from ..bounded_cache import BYTES_OF_STRANGERS, bytes_for_clients
from ..fetching.fetch_target import MAX_BYTES_OF_STRANGERS, fetch_policy
from ..fetching.safe_fetch import SafeFetcher
from ..settings.server import ServerSettings
from .keys.client_keys import ClientKeys, KeySet, read_key_set
from .keys.fetch_slots import FetchSlots
from .keys.newcomers import Newcomers
from .keys.remote_documents import RemoteDocuments, cache_policy
from .registration.client_id_document import MAX_BYTES, ClientIdDocuments, read_client
from .registration.localhost_client import LocalhostClients
from .stores.app_stores import AppStores
from .stores.contracts import ClientStore, FetchedDocumentStore


def build_slots(settings: ServerSettings) -> FetchSlots:
    """The limit on threads that wait for clients' servers at the same time."""
    return FetchSlots(settings.FETCH_CONCURRENCY, _find_address)


def build_client_store(
    settings: ServerSettings, stores: AppStores, slots: FetchSlots, *, grant_types: Callable[[], Sequence[str]]
) -> ClientStore:
    """The clients in the database and, if the settings allow them, the clients registered by a document."""
    if not settings.CLIENT_ID_METADATA_DOCUMENTS:
        return stores.clients
    hosts = () if settings.takes_any_document else settings.CLIENT_ID_HOSTS
    policy = replace(fetch_policy(settings, hosts=hosts), max_bytes=MAX_BYTES)
    fetcher = SafeFetcher(policy)
    published = RemoteDocuments(
        stores.documents,
        fetcher,
        cache_policy(settings),
        partial(read_client, settings=settings, grant_types=grant_types),
        kind="client",
        size=settings.CLIENT_CACHE_SIZE,
        max_bytes=BYTES_OF_STRANGERS,
        take_slot=slots.for_others,
        admit=Newcomers(_find_address).admit,
    )
    clients = ClientIdDocuments(stores.clients, published, fetcher.check_url)
    return LocalhostClients(clients, settings.CLIENT_ID_SCOPES) if settings.LOCALHOST_CLIENT_IDS else clients


def build_client_keys(settings: ServerSettings, documents: FetchedDocumentStore, slots: FetchSlots) -> ClientKeys:
    """Finds the keys of clients, registered by value or published at a ``jwks_uri``.

    The keys of the operator's clients are kept apart from all others.
    """
    policy = fetch_policy(settings, hosts=settings.JWKS_HOSTS)
    of_operators_clients: RemoteDocuments[KeySet] = RemoteDocuments(
        documents,
        SafeFetcher(policy),
        cache_policy(settings),
        read_key_set,
        kind="operator-jwks",
        size=settings.CLIENT_CACHE_SIZE,
        max_bytes=bytes_for_clients(settings.CLIENT_CACHE_SIZE),
        take_slot=slots.for_operators_clients,
    )
    of_others: RemoteDocuments[KeySet] = RemoteDocuments(
        documents,
        SafeFetcher(replace(policy, max_bytes=MAX_BYTES_OF_STRANGERS)),
        cache_policy(settings),
        read_key_set,
        kind="jwks",
        size=settings.CLIENT_CACHE_SIZE,
        max_bytes=BYTES_OF_STRANGERS,
        take_slot=slots.for_others,
        admit=Newcomers(_find_address).admit,
    )
    return ClientKeys(settings, of_operators_clients, of_others)


def _find_address() -> str:
    """The caller's address in the current request; behind a proxy, ``ProxyFix`` corrects it."""
    return (flask.request.remote_addr or "") if flask.has_request_context() else ""
