"""What was revoked before it expired. Refresh tokens end at once, access tokens wherever revocation is looked up."""

from typing import Literal

from ... import clock
from ...jose.jose import Claims
from ...settings.server import ServerSettings
from ...signals.events import Actor, GrantRevoked, RevokedBecause, TokenRevoked, TokensRevoked
from ..stores.granted import Granted, Holder, RefreshTokenStore
from ..stores.revocation_names import Revocation, RevocationStore, grant_name, holder_name, token_name


def find_last_use(settings: ServerSettings, expires_at: int) -> int:
    """When no API accepts a token any more, by the clock of any of our machines, in seconds since the epoch.

    :param expires_at: The token's ``exp``.
    """
    # Twice: an API accepts a token that long after its exp, and the clock of this machine may be ahead as much.
    return expires_at + 2 * settings.CLOCK_SKEW_SECONDS


def longest_lifetime(settings: ServerSettings) -> int:
    """The longest that any token may live, in seconds."""
    return max(settings.REFRESH_TOKEN_LIFETIME_SECONDS, settings.ACCESS_TOKEN_LIFETIME_SECONDS)


def longest_life(settings: ServerSettings) -> int:
    """When every token issued until now has expired by itself, for an API too, in seconds since the epoch."""
    return find_last_use(settings, clock.now() + longest_lifetime(settings))


class Revocations:
    """Revokes one token, one grant, or everything of a person or a client, and knows what was revoked.

    :param settings: The server's settings.
    :param store: Remembers what was revoked.
    :param refresh_tokens: Where refresh tokens are kept.
    """

    def __init__(self, settings: ServerSettings, store: RevocationStore, refresh_tokens: RefreshTokenStore) -> None:
        self._settings = settings
        self._store = store
        self._refresh_tokens = refresh_tokens

    def revoke_token(self, jti: str, *, expires_at: int | None = None, client_id: str | None = None) -> None:
        """Revoke one access token.

        :param client_id: The client whose token it is, if it revokes the token itself; ``None``: the operator does.
        :param expires_at: Its ``exp``, in seconds since the epoch; ``None``: unknown, so the revocation is kept for the
            longest time.
        :raises StoreUnavailable: The database did not answer.
        """
        settings = self._settings
        until = longest_life(settings) if expires_at is None else find_last_use(settings, expires_at)
        by: Actor = "operator" if client_id is None else "client"
        self._store.add(Revocation(token_name(jti), until), TokenRevoked(jti, client_id, by))

    def revoke_grant(self, granted: Granted, *, because: RevokedBecause) -> None:
        """Revoke all tokens of one grant, access tokens too, and those that another request is just making.

        :param because: Why.
        :raises StoreUnavailable: The database did not answer.
        """
        self.end_grant(GrantRevoked(granted.grant_id, granted.client_id, granted.subject, because))

    def end_grant(self, event: GrantRevoked) -> None:
        """The same, for the grant that *event* names."""
        self._store.add(Revocation(grant_name(event.grant_id), longest_life(self._settings)), event)
        self._refresh_tokens.remove_grant(event.grant_id)

    def take_back(self, granted: Granted) -> None:
        """Undo what a person has just allowed: revoke the grant, and forget what they allowed that client.

        :raises StoreUnavailable: The database did not answer.
        """
        self.revoke_grant(granted, because="person")
        holder = Holder(subject=granted.subject, client_id=granted.client_id)
        self._refresh_tokens.forget_consents(holder, by="person")

    def revoke_all(self, holder: Holder, *, by: Literal["operator", "person"] = "operator") -> int:
        """Revoke everything of a person, of a client, or of a person at a client; consents are forgotten.

        :param by: Who does it, for the events.
        :return: How many grants with codes or refresh tokens were revoked.
        :raises StoreUnavailable: The database did not answer.
        """
        # First, because this one row ends every code, refresh token and access token up to now. If the database fails
        # after it, consents may be left, and access tokens that requests under way are just making; nothing else works.
        self._end_until_now(holder, TokensRevoked(holder.client_id, holder.subject))
        self._refresh_tokens.forget_consents(holder, by=by)
        # Again, because a consent may have been read in a later second, before it was forgotten.
        self._end_until_now(holder)
        grants = self._refresh_tokens.find_grants(holder)
        for grant_id in sorted(grants):
            self.end_grant(GrantRevoked(grant_id, holder.client_id, holder.subject, by))
        return len(grants)

    def _end_until_now(self, holder: Holder, event: TokensRevoked | None = None) -> None:
        """Revoke what was granted or issued up to now, also what is stored later by a request under way."""
        until = longest_life(self._settings)
        self._store.add(Revocation(holder_name(holder), until, issued_until=clock.now()), event)

    def is_grant_revoked(self, granted: Granted) -> bool:
        """Whether a grant was revoked, by any of its names: no token may be made of it any more.

        It counts when the person allowed it, not when its code or refresh token was stored. A row that is older than
        the column ``granted_at`` counts as granted now: a former revocation of its person or client is not its own.

        :raises StoreUnavailable: The database did not answer.
        """
        names = (grant_name(granted.grant_id), *holder_names(granted.subject, granted.client_id))
        granted_at = clock.now() if granted.granted_at is None else granted.granted_at
        return self._store.covers(names, issued_at=granted_at)

    def is_revoked(self, claims: Claims) -> bool:
        """Whether an access token of this server was revoked, by any of its names.

        :param claims: The verified claims of the token.
        :raises StoreUnavailable: The database did not answer.
        """
        names = (
            token_name(claims["jti"]),
            grant_name(claims.get("grant_id", "")),
            *holder_names(claims["sub"], claims["client_id"]),
        )
        return self._store.covers(names, issued_at=int(claims["iat"]))


def holder_names(subject: str, client_id: str) -> tuple[bytes, bytes, bytes]:
    """The names of everybody whose revocation ends what *subject* granted this client."""
    return (
        holder_name(Holder(client_id=client_id)),
        holder_name(Holder(subject=subject)),
        holder_name(Holder(subject=subject, client_id=client_id)),
    )
