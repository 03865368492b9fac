"""Recognizes a string as one of our tokens. Nothing is spent or changed by that."""

import math

from ... import clock
from ...errors import InactiveToken, InvalidToken
from ...jose import jose
from ...settings.server import ServerSettings
from ...tokens.verification import AccessToken, IssuerKeys, TokenVerifier
from ..stores.granted import StoredRefreshToken
from .refresh_token import RefreshTokens
from .revoked import find_last_use


class IssuedTokens:
    """Recognizes the tokens of this server that somebody may still accept.

    :param settings: The server's settings.
    :param verifier: Verifies access tokens of this server, for any audience.
    :param keys: The server's keys.
    :param refresh_tokens: The refresh tokens.
    """

    def __init__(
        self, settings: ServerSettings, *, verifier: TokenVerifier, keys: IssuerKeys, refresh_tokens: RefreshTokens
    ) -> None:
        self._settings = settings
        self._verifier = verifier
        self._keys = keys
        self._refresh_tokens = refresh_tokens

    def load(self, text: str, *, also_expired: bool = False) -> AccessToken | StoredRefreshToken:
        """The token, of any client, also if it was revoked.

        A ``token_type_hint`` (RFC 7009 §2.1) is ignored: the form of the token says which type it is.

        :param also_expired: Whether an access token may have expired, for a caller who only wants to know its grant.
        :raises InactiveToken: It is malformed, not ours, unknown, or has expired for every API.
        :raises StoreUnavailable: The database did not answer.
        """
        try:
            # A JWT always has a dot, a refresh token never.
            if "." in text:
                return self._load_access_token(text, also_expired=also_expired)
            return self._load_refresh_token(text)
        except InvalidToken as refusal:
            raise InactiveToken(refusal.reason, cause=refusal.cause) from None

    def check_time(self, token: AccessToken) -> None:
        """Check that an access token is valid now, by our own clock.

        :raises InactiveToken: It has expired, or is not valid yet.
        """
        try:
            self._verifier.check_time(token)
        except InvalidToken as refusal:
            raise InactiveToken(refusal.reason, cause=refusal.cause) from None
        try:
            jose.check_expiry(token.valid_until, now=clock.now(), late=0)  # no allowance for another machine's clock
        except jose.JoseProblem as problem:
            raise problem.as_refusal(InactiveToken, "token") from None

    def _load_access_token(self, text: str, *, also_expired: bool) -> AccessToken:
        # A token from a machine whose clock is ahead is not valid yet, but it must be possible to revoke it now.
        token = self._verifier.load(text, self._keys)
        if not also_expired and clock.is_over(find_last_use(self._settings, math.ceil(token.valid_until))):
            raise InvalidToken(
                f"token: expired, {clock.now() - math.ceil(token.valid_until)} s ago", cause="token_expired"
            )
        return token

    def _load_refresh_token(self, text: str) -> StoredRefreshToken:
        stored = self._refresh_tokens.find(text)
        if stored is None:
            raise InvalidToken("the token is neither a JWT nor a known refresh token", cause="token_unknown")
        if clock.is_over(find_last_use(self._settings, stored.ends_at)):
            raise InvalidToken("the refresh token is expired", cause="refresh_token_expired")
        return stored
