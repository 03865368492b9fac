"""What an auth object knows, without I/O: the token for one API, the proofs of its calls, and where they may go."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from ..errors import ConfigurationError
from ..fetching.steps import Steps
from ..jose import jose
from .challenge import find_challenge_error
from .errors import ForeignOrigin
from .key import KeySource, load_key
from .origin import find_origin, load_origin
from .proofs import Prover
from .token import Token
from .token_cache import TokenCache, TokenSource
from .token_steps import TokenSteps

_NONCE, _RENEWAL = "use_dpop_nonce", "invalid_token"
"""The two errors of a 401 after which a second attempt can succeed (RFC 9449 §9, RFC 6750 §3.1)."""


@dataclass(frozen=True, slots=True)
class CallHeaders:
    """What one request sends to be served (RFC 6750 §2.1, RFC 9449 §7.1)."""

    authorization: str = field(repr=False)
    """The value of its ``Authorization`` header."""
    prove: Callable[[], str] | None = field(repr=False)
    """Makes a new proof, for its ``DPoP`` header, for each attempt to send it; ``None`` for a Bearer token."""


class APIAccess:
    """Access to one API; safe to share between threads, and between event loops.

    :param tokens: Gets the tokens.
    :param origin: Where they may be sent, from :func:`choose_origin`.
    :param dpop_key: The key that they are bound to, from :func:`choose_dpop_key`; ``None`` for Bearer tokens.
    :param scope: Scopes to ask for, separated by spaces.
    :param resource: What the token is requested for (RFC 8707).
    """

    def __init__(
        self,
        tokens: TokenSteps,
        *,
        origin: str,
        dpop_key: jose.PrivateKey | None,
        scope: str | None,
        resource: str | None,
    ) -> None:
        self.origin = origin
        self._scheme = tokens.token_type
        # Not the prover of the token server, whose nonces are not valid here.
        self._prover = Prover(dpop_key) if dpop_key else None
        self._tokens: TokenSource = TokenCache(lambda: tokens.request_token(scope=scope, resource=resource or ()))

    def token(self) -> Steps[Token]:
        """The current token; it is fetched or renewed now if necessary.

        :raises DiscoveryError: The server's metadata could not be fetched.
        :raises TokenRequestError: The server gave no usable token.
        """
        return self._tokens.get()

    def call_headers(self, token: Token, *, method: str, url: str) -> CallHeaders:
        """What a request to *url* needs to be served."""
        prove = None
        if self._prover is not None:
            prove = partial(self._prover.prove, method=method, url=url, access_token=token.access_token)
        return CallHeaders(f"{token.token_type} {token.access_token}", prove)

    def check_origin(self, url: str | None, what: str, *, unsent: str = "Nothing") -> None:
        """Check that the token may be sent to *url*.

        :param what: What leads there, as the start of a sentence.
        :param unsent: What was not sent there, as the start of a sentence.
        :raises ForeignOrigin: It may not.
        """
        found = find_origin(url)
        if found != self.origin:
            raise ForeignOrigin(
                f"{what} goes to {found or 'an address without a plain origin'}, but this auth object's tokens are "
                f"for {self.origin} only. {unsent} was sent there. Use another auth object for another API."
            )

    def learn_nonce(self, headers: Mapping[str, str]) -> bool:
        """Keep the nonce of an answer; return whether there is one that can be used.

        :param headers: A mapping that ignores case.
        """
        return self._prover is not None and self._prover.learn(headers)

    def learn(self, status: int, headers: Mapping[str, str], *, access_token: str) -> str | None:
        """Keep an answer's nonce, and drop the token that it refuses.

        :param headers: A mapping that ignores case.
        :param access_token: The token of the request.
        :return: The error of a 401, for :meth:`Attempts.may_repeat`.
        """
        has_nonce = self.learn_nonce(headers)
        if status != 401:
            return None
        error = find_challenge_error(headers.get("WWW-Authenticate"), self._scheme)
        if error == _RENEWAL:
            self._tokens.forget(access_token)
        return None if error == _NONCE and not has_nonce else error


class Attempts:
    """The attempts of one call: each error that a second attempt can mend is answered once, so nobody asks for ever."""

    def __init__(self) -> None:
        self._mendable = {_NONCE, _RENEWAL}

    def may_repeat(self, error: str | None) -> bool:
        """Whether to send the request again after *error*; ``True`` only once for each error."""
        if error not in self._mendable:
            return False
        self._mendable.remove(error)
        return True


def choose_origin(origin: str | None, resource: str | None) -> str:
    """Where tokens for *resource* may be sent.

    :raises ConfigurationError: There is no such place, or tokens would be sent there unencrypted.
    """
    return load_origin(origin or resource or "")


def choose_dpop_key(dpop: bool, dpop_key: KeySource | None) -> jose.PrivateKey | None:
    """The key that tokens are bound to; ``None`` if they are not.

    :raises ConfigurationError: The key cannot be used, or would not be.
    """
    if dpop_key is not None and not dpop:
        raise ConfigurationError("A dpop_key without dpop=True would not be used: say which is meant.")
    if not dpop:
        return None
    return jose.generate_private_key("ES256") if dpop_key is None else load_key(dpop_key)
