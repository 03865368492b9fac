"""What a text that somebody shows us stands for, if it is a token of ours. A look: nothing is used or changed by it."""

from .. import clock
from ..errors import InactiveToken, InvalidToken
from ..stores.granted import StoredRefreshToken
from .refresh_token import RefreshTokens
from .verification import AccessToken, KeySource, TokenVerifier


class IssuedTokens:
    """Recognizes the tokens of this server that have not expired.

    :param verifier: Verifies access tokens of this server, whomever they are for.
    :param keys: The server's keys.
    :param refresh_tokens: The refresh tokens.
    """

    def __init__(self, verifier: TokenVerifier, keys: KeySource, refresh_tokens: RefreshTokens) -> None:
        self._verifier = verifier
        self._keys = keys
        self._refresh_tokens = refresh_tokens

    def load(self, text: str) -> AccessToken | StoredRefreshToken:
        """The token, whosever it is, revoked as it may be.

        A ``token_type_hint`` is not needed, and could only be wrong (RFC 7009 §2.1): the form of a token says which.

        :raises InactiveToken: It is malformed, foreign, unknown, or expired.
        :raises StoreUnavailable: The database did not answer.
        """
        try:
            # No refresh token has a dot, and no JWT lacks it.
            return self._load_access_token(text) if "." in text else self._load_refresh_token(text)
        except InvalidToken as refusal:
            raise InactiveToken(refusal.reason) from None

    def _load_access_token(self, text: str) -> AccessToken:
        token = self._verifier.verify(text, self._keys)
        if clock.now() >= token.valid_until:  # no allowance for another machine's clock: it is our own
            raise InvalidToken("token: expired")
        return token

    def _load_refresh_token(self, text: str) -> StoredRefreshToken:
        stored = self._refresh_tokens.find(text)
        if stored is None:
            raise InvalidToken("the token is neither a JWT nor a known refresh token")
        if clock.now() > stored.ends_at:
            raise InvalidToken("the refresh token is expired")
        return stored
