"""The access token of one person, from where the program keeps it, renewed in time."""

from ... import clock
from ...errors import ConfigurationError
from ...fetching.steps import Steps
from ..errors import SignInRequired
from ..token import Token
from ..token_cache import MARGIN_SECONDS
from .renewals import Renewals
from .token_store import TokenStore
from .tokens import PersonTokens


class PersonTokenSource:
    """Gives the current token of one person; safe to share between threads.

    :param store: Where the tokens are.
    :param renewals: Gets new ones.
    :param issuer: Whose tokens they must be; the same for *client_id*.
    :param jkt: The key that they must be bound to to be used.
    :param resource: The API that they will be sent to, if it is known by its identifier.
    """

    def __init__(
        self,
        store: TokenStore,
        renewals: Renewals,
        *,
        issuer: str,
        client_id: str,
        jkt: str | None,
        resource: str | None = None,
    ) -> None:
        self._store = store
        self._renewals = renewals
        self._issuer = issuer
        self._client_id = client_id
        self._jkt = jkt
        self._resource = resource
        self._refused: str | None = None

    def get(self) -> Steps[Token]:
        """The current token, or a new one if it is due or was refused.

        The new tokens are in the store before anybody uses them.

        :raises SignInRequired: There are no tokens, or they can no longer be renewed.
        :raises ConfigurationError: They are another client's, or for another API.
        :raises DiscoveryError, TokenRequestError: The server gave no new ones.
        """
        tokens = self._load()
        if self._is_good(tokens):
            return tokens.token
        with self._store.exclusive():
            tokens = self._load()  # somebody else may have renewed them while we waited
            if self._is_good(tokens):
                return tokens.token
            if tokens.refresh_token is None and self._still_counts(tokens):
                return tokens.token
            try:
                renewed = yield from self._renewals.renew(tokens)
            except SignInRequired:
                self._store.delete()  # what the server has ended is of no use to anybody
                raise
            self._store.save(renewed)
        return renewed.token

    def forget(self, access_token: str) -> None:
        """An API refused this token: get another, if there is a way."""
        self._refused = access_token

    def _load(self) -> PersonTokens:
        tokens = self._store.load()
        if tokens is None:
            raise SignInRequired("Nobody is signed in.")
        if (tokens.issuer, tokens.client_id) != (self._issuer, self._client_id):
            raise ConfigurationError(
                f"The tokens that are kept belong to the client {tokens.client_id!r} at {tokens.issuer!r}, not to "
                f"{self._client_id!r} at {self._issuer!r}. They are not used."
            )
        if self._resource is not None and tokens.resources and self._resource not in tokens.resources:
            # That API could use a Bearer token at the APIs that it is for.
            raise ConfigurationError(
                f"The tokens are for {', '.join(tokens.resources)}, and not for {self._resource}: they are not sent "
                "there. Name each API as resource when the person signs in."
            )
        return tokens

    def _is_good(self, tokens: PersonTokens) -> bool:
        token = tokens.token
        is_refused = token.access_token == self._refused
        return self._fits(tokens) and not is_refused and not token.is_due(clock.now(), margin=MARGIN_SECONDS)

    def _still_counts(self, tokens: PersonTokens) -> bool:
        """Whether a token that cannot be renewed is worth a try."""
        expires_at = tokens.token.expires_at
        return self._fits(tokens) and (expires_at is None or not clock.is_over(expires_at))

    def _fits(self, tokens: PersonTokens) -> bool:
        return tokens.jkt == self._jkt
