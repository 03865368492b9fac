"""What people allow clients: who allowed what to whom, since when, and when that was last used; ``oauth.grants``."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ... import clock
from ...jose.jose import JoseProblem, load_json_object
from ...settings.server import ServerSettings
from ..readable_text import find_short_name
from ..registered_client import RegisteredClient
from ..stores.contracts import DocumentKey, FetchedDocumentStore
from ..stores.granted import Holder, PersonGrantStore, Trace
from ..stores.revocation_names import grant_name
from ..tokens.revoked import Revocations, holder_names


@dataclass(frozen=True, slots=True)
class PersonGrant:
    """What one person allows one client; times in seconds since the epoch."""

    subject: str
    """The person: the ``sub`` of their tokens."""
    client_id: str
    """The client; if a document registers it, the URL of that."""
    client_name: str | None
    """The name that people read. A client that the operator does not stand behind chose it itself, so show the
    ``client_id`` or its host beside it. ``None``: it has none."""
    client: RegisteredClient | None = field(repr=False)
    """The client as it is registered; ``None``: it is registered by a document."""
    scope: tuple[str, ...]
    """The scopes, sorted."""
    resources: tuple[str, ...]
    """The APIs that the tokens are for (RFC 8707), sorted."""
    granted_at: int | None
    """When the person first allowed it, as far as it is still stored; ``None``: unknown."""
    last_used_at: int | None
    """When the client last got an access token for it, as far as it is still stored; ``None``: never, or long ago."""
    ends_at: int | None
    """When its last refresh token, code or access token of a code ends unless it is used. ``None``: there is none now.
    The client may still get one without a question, because the consent is remembered."""
    sessions: int
    """How many refresh tokens it has: one for each time, or device, at which the person signed in to the client."""


class PersonGrants:
    """Tells what people allow clients, and takes it back; ``oauth.grants``. Enough for a page "my applications".

    :param settings: The server's settings.
    :param store: What is stored of it.
    :param documents: The documents that register clients, as they were last fetched. Nothing is fetched for this.
    :param revocations: Knows what was revoked, and revokes.
    :param find_client: Finds a client in the database.
    """

    def __init__(
        self,
        settings: ServerSettings,
        store: PersonGrantStore,
        documents: FetchedDocumentStore,
        revocations: Revocations,
        *,
        find_client: Callable[[str], RegisteredClient | None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._documents = documents
        self._revocations = revocations
        self._find_client = find_client

    def all(self) -> list[PersonGrant]:
        """What all people allow, one entry for each person and client, by ``subject`` and ``client_id``.

        :raises StoreUnavailable: The database did not answer.
        """
        return self._load(None)

    def find(self, *, subject: str | None = None, client_id: str | None = None) -> list[PersonGrant]:
        """What this person allows, what this client is allowed, or what this person allows this client.

        :param subject: The person: the ``sub`` of their tokens.
        :param client_id: The client.
        :return: One entry for each person and client, by ``subject`` and ``client_id``.
        :raises ValueError: Neither *subject* nor *client_id* is given: nobody must see what everybody allows because
            nobody is signed in.
        :raises TypeError: One of them is not a string. A person's ``sub`` is ``str(user.get_id())``.
        :raises StoreUnavailable: The database did not answer.
        """
        return self._load(Holder(subject=subject, client_id=client_id))

    def revoke(self, *, subject: str, client_id: str) -> int:
        """Revoke what a person allows a client; all of a person's, or of a client's, is for ``oauth.revoke``.

        Refresh tokens and codes end at once, access tokens wherever revocation is looked up. The consent is forgotten,
        so that the person is asked again.

        :param subject: The person: the ``sub`` of their tokens.
        :param client_id: The client.
        :return: How many grants with codes or refresh tokens were revoked.
        :raises TypeError: One of them is not a string; ``None`` would mean more than one person or client.
        :raises StoreUnavailable: The database did not answer.
        """
        for name, value in (("subject", subject), ("client_id", client_id)):
            if not isinstance(value, str):
                raise TypeError(f"{name} has to be text, as tokens name it, not {type(value).__name__}")
        return self._revocations.revoke_all(Holder(subject=subject, client_id=client_id))

    def _load(self, holder: Holder | None) -> list[PersonGrant]:
        traces = self._store.find_traces(holder)
        pairs: dict[tuple[str, str], list[Trace]] = {}
        for trace in self._without_revoked(traces):
            pairs.setdefault((trace.subject, trace.client_id), []).append(trace)
        names = {name: self._name(name) for name in {client_id for _, client_id in pairs}}
        return [grant for pair in sorted(pairs) if (grant := self._build(pairs[pair], *names[pair[1]])) is not None]

    def _without_revoked(self, traces: Iterable[Trace]) -> list[Trace]:
        """Without codes and refresh tokens that were stored by a request while their grant was revoked."""
        named = [(trace, _names(trace)) for trace in traces]
        revoked = self._store.find_revoked({name for _, names in named for name in names})
        return [trace for trace, names in named if not _is_covered(trace, names, revoked)]

    def _build(
        self, traces: Collection[Trace], client: RegisteredClient | None, name: str | None
    ) -> PersonGrant | None:
        """What these traces of one person and one client say together; ``None``: all of it is over."""
        now, first = clock.now(), next(iter(traces))
        live = [trace for trace in traces if trace.kind == "consent" or not clock.is_over(self._find_end(trace))]
        if not live:
            return None
        ends = [self._find_end(trace) for trace in live if trace.kind != "consent"]
        return PersonGrant(
            subject=first.subject,
            client_id=first.client_id,
            client_name=name,
            client=client,
            scope=tuple(sorted({scope for trace in live for scope in trace.scope})),
            resources=tuple(sorted({resource for trace in live for resource in trace.resources})),
            granted_at=min((trace.allowed_at for trace in traces if trace.allowed_at is not None), default=None),
            last_used_at=max((trace.used_at for trace in traces if trace.used_at is not None), default=None),
            ends_at=max(ends, default=None),
            sessions=sum(trace.kind == "refresh_token" for trace in live if (trace.ends_at or 0) > now),
        )

    def _find_end(self, trace: Trace) -> int:
        """When a code or refresh token ends; after a code was redeemed, when the access token made of it ends."""
        lives_on = trace.kind == "code" and trace.used_at is not None
        return (trace.ends_at or 0) + (self._settings.ACCESS_TOKEN_LIFETIME_SECONDS if lives_on else 0)

    def _name(self, client_id: str) -> tuple[RegisteredClient | None, str | None]:
        client = self._find_client(client_id)
        return (client, client.client_name) if client is not None else (None, self._read_name(client_id))

    def _read_name(self, url: str) -> str | None:
        """The name in the document that registers a client, as it was last fetched."""
        kept = self._documents.load(DocumentKey("client", url))
        if kept is None or kept.body is None:
            return None
        try:
            name = load_json_object(kept.body, "document").get("client_name")
        except JoseProblem:
            return None
        return find_short_name(name) if isinstance(name, str) else None


def _names(trace: Trace) -> tuple[bytes, ...]:
    """The names under which a code or a refresh token may have been revoked."""
    if trace.grant_id is None:
        return ()
    return (grant_name(trace.grant_id), *holder_names(trace.subject, trace.client_id))


def _is_covered(trace: Trace, names: Iterable[bytes], revoked: Mapping[bytes, int | None]) -> bool:
    allowed_at = clock.now() if trace.allowed_at is None else trace.allowed_at
    return any(name in revoked and ((until := revoked[name]) is None or until >= allowed_at) for name in names)
