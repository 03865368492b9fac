"""What an operator wants to know of a client at a glance: its kind, when it was last used, how long its keys last."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from ...jose.jose import JoseProblem, load_json_object
from ...settings.server import ServerSettings
from ..keys.client_keys import ClientKey, load_client_keys, read_key_set
from ..registered_client import RegisteredClient
from ..stores.contracts import DocumentKey, FetchedDocumentStore, kind_of_key_set
from .authentication import is_keyless
from .client_secrets import ClientSecret
from .redirects import CODE_GRANT
from .registry import ClientRegistry
from .shortcomings import find_shortcomings

ClientKind = Literal["service", "api", "web", "native"]
KINDS: tuple[ClientKind, ...] = get_args(ClientKind)


@dataclass(frozen=True, slots=True)
class ClientOverview:
    """A client, and what the database knows about its use; times in seconds since the epoch."""

    client: RegisteredClient
    kind: ClientKind
    """``web``, ``native``: acts for people; ``api``: introspects for an API; ``service``: acts for itself."""
    last_used_at: int | None
    """When it last authenticated, to the hour. A public client: when it last got a token for a person, as far as this
    is still stored. ``None``: never."""
    keys_expire_at: int | None
    """From when on it cannot authenticate any more: its last certificate has ended, or its last secret. ``None``: a key
    without an end is among them, it has none, or nobody has fetched them."""
    shortcomings: Sequence[str]
    """Why it can do nothing, or has something for nothing, one clause each."""


class LastUses(Protocol):
    """Knows when clients were last used."""

    def find_last_uses(self) -> Mapping[str, int]:
        """``client_id`` -> when, in seconds since the epoch.

        :raises StoreUnavailable: The database did not answer.
        """


class ClientOverviews:
    """Puts together what is stored about clients. Nothing is fetched, and nothing is changed.

    :param settings: The server's settings.
    :param clients: The clients.
    :param documents: The key sets that were fetched.
    :param uses: Where their use is noted.
    :param grant_types: What the server's token endpoint answers.
    """

    def __init__(
        self,
        settings: ServerSettings,
        clients: ClientRegistry,
        documents: FetchedDocumentStore,
        uses: Sequence[LastUses],
        *,
        grant_types: Callable[[], Collection[str]],
    ) -> None:
        self._settings = settings
        self._clients = clients
        self._documents = documents
        self._uses = uses
        self._grant_types = grant_types

    def all(self) -> list[ClientOverview]:
        """Every client in the database, by ``client_id``.

        :raises StoreUnavailable: The database did not answer.
        """
        clients = self._clients.all()
        secrets: dict[str, list[ClientSecret]] = {}
        for secret in self._clients.secrets.all():
            secrets.setdefault(secret.client_id, []).append(secret)
        noted = [uses.find_last_uses() for uses in self._uses]
        return [
            self._build(
                client,
                secrets.get(client.client_id, ()),
                [uses[client.client_id] for uses in noted if client.client_id in uses],
            )
            for client in clients
        ]

    def find_shortcomings(self, client: RegisteredClient) -> list[str]:
        """Why one client can do nothing, or what it has for nothing, one clause each.

        :raises StoreUnavailable: The database did not answer.
        """
        secrets = self._clients.secrets.all(client.client_id)
        return self._judge(client, self._load_keys(client), secrets)

    def _build(self, client: RegisteredClient, secrets: Sequence[ClientSecret], used: Sequence[int]) -> ClientOverview:
        keys = self._load_keys(client)
        last_used = [*used, *(secret.last_used_at for secret in secrets if secret.last_used_at is not None)]
        return ClientOverview(
            client,
            find_kind(client),
            max(last_used, default=None),
            _find_end(client, keys, secrets, until=self._settings.client_secrets_until),
            self._judge(client, keys, secrets),
        )

    def _judge(
        self, client: RegisteredClient, keys: Sequence[ClientKey] | None, secrets: Sequence[ClientSecret]
    ) -> list[str]:
        return find_shortcomings(
            client,
            self._settings,
            grant_types=self._grant_types(),
            keys=keys,
            has_secret=any(secret.counts for secret in secrets),
        )

    def _load_keys(self, client: RegisteredClient) -> Sequence[ClientKey] | None:
        """The client's keys; of a ``jwks_uri`` those that are kept, ``None`` if none are."""
        if client.jwks_uri is None:
            return load_client_keys(client)
        kind = kind_of_key_set(is_vouched_for=client.is_vouched_for(self._settings))
        kept = self._documents.load(DocumentKey(kind, client.jwks_uri))
        if kept is None or kept.body is None or kept.fetched_at <= client.jwks_not_before:
            return None
        try:
            return read_key_set(client.jwks_uri, load_json_object(kept.body, "set"))
        except JoseProblem:
            return None


def find_kind(client: RegisteredClient) -> ClientKind:
    """For whom a client acts, from what it is registered for."""
    if CODE_GRANT in client.grant_types:
        return client.application_type
    return "api" if client.introspection_resources else "service"


def _find_end(
    client: RegisteredClient,
    keys: Sequence[ClientKey] | None,
    secrets: Sequence[ClientSecret],
    *,
    until: int | None,
) -> int | None:
    if is_keyless(client):
        ends = [min(end for end in (secret.expires_at, until) if end is not None) for secret in secrets if until]
        return max(ends, default=None)
    certificates = [key.certificate for key in keys or ()]
    if None in certificates:
        return None
    return max((certificate.not_after for certificate in certificates if certificate is not None), default=None)
