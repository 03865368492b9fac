"""What a view requires of a request: scopes, DPoP, an online check; and whether anonymous callers are let in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ..errors import ConfigurationError, InsufficientScope, InvalidToken
from ..settings.values import scope_tokens
from ..tokens.scope_matching import ScopeMatcher, is_covered
from ..tokens.verification import AccessToken
from .credentials import Scheme

DPoPUse = Literal["allowed", "required"]
Scopes = str | Sequence[str] | None


class BoundTokenAsBearer(InvalidToken):
    """A DPoP-bound token was sent under the Bearer scheme, as a thief without the key would do (RFC 9449 §7.2)."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """The checked arguments of one ``@require_oauth(…)``."""

    alternatives: tuple[tuple[str, ...], ...] = ()
    """Sets of scopes, each of which is enough; empty if no scope is required."""
    dpop: DPoPUse = "allowed"
    optional: bool = False
    online: bool = False
    """Whether the issuer is asked if the token is still active."""

    def schemes(self, *, with_dpop: bool) -> tuple[Scheme, ...]:
        """The authorization schemes that the view accepts, best first.

        :param with_dpop: Whether this application can check proofs.
        :raises ConfigurationError: The view requires DPoP, and the application cannot check proofs.
        """
        if self.dpop == "required":
            if not with_dpop:
                raise ConfigurationError(NO_REPLAY_STORE)
            return ("DPoP",)
        return ("DPoP", "Bearer") if with_dpop else ("Bearer",)

    def check_binding(self, token: AccessToken, scheme: Scheme) -> None:
        """Check the scheme: DPoP for a bound token, Bearer for an unbound one (RFC 9449 §7.1, §7.2).

        :raises InvalidToken: The scheme is wrong, or the view accepts bound tokens only.
        """
        if scheme == "Bearer":
            if token.jkt is not None:
                raise BoundTokenAsBearer("a DPoP-bound token under the Bearer scheme", cause="token_bound_as_bearer")
            if self.dpop == "required":
                raise InvalidToken("a Bearer token where DPoP is required", cause="token_not_bound")
        elif token.jkt is None:
            raise InvalidToken("a token that is bound to no key under the DPoP scheme", cause="token_unbound_as_dpop")

    def check_scope(self, token: AccessToken, matchers: Sequence[ScopeMatcher] = ()) -> None:
        """Check the token's scope (RFC 6750 §3.1).

        :param matchers: The application's: whether a scope of the token allows another one.
        :raises InsufficientScope: The token covers none of the sets.
        :raises ConfigurationError: A matcher failed.
        """
        for scopes in self.alternatives:  # first as strings, so that matchers are asked only if that is not enough
            if token.scopes.issuperset(scopes):
                return
        if self.alternatives and not any(
            all(is_covered(scope, token.scopes, matchers) for scope in scopes) for scopes in self.alternatives
        ):
            wanted = " or ".join(repr(" ".join(scopes)) for scopes in self.alternatives)
            raise InsufficientScope(
                f"the token has scope {' '.join(sorted(token.scopes))[:200]!r}, not {wanted}",
                cause="scope_insufficient",
            )

    def check_again(self, token: AccessToken, scheme: Scheme, matchers: Sequence[ScopeMatcher] = ()) -> None:
        """Check a request that another requirement let in already, as for a view in a protected blueprint.

        Its proof was checked and used up then, so it is not checked again.

        :raises InvalidToken: As :meth:`check_binding`.
        :raises InsufficientScope: As :meth:`check_scope`.
        """
        self.check_binding(token, scheme)
        self.check_scope(token, matchers)


NO_REPLAY_STORE = (
    'A view requires DPoP (dpop="required"), but this application has no place to remember used proofs. Set '
    "OAUTH2_REPLAY_STORE to a redis:// or SQLAlchemy URL that all workers share, or to memory for one process. "
    "In an app that is also the authorization server, call its init_app first."
)


def build_requirement(scopes: Scopes, *, dpop: DPoPUse, optional: bool, online: bool) -> Requirement:
    """Check the arguments of ``@require_oauth(…)``.

    :param scopes: A string: all of its scopes are required. A list: one of its strings is enough. ``None``: no scope.
    :raises ConfigurationError: The arguments make no sense; the message says what to write.
    """
    if callable(scopes):
        raise ConfigurationError("Write @require_oauth() with parentheses, or @require_oauth('scope').")
    if dpop not in get_args(DPoPUse):
        raise ConfigurationError(f"dpop={dpop!r} is not known; write dpop='allowed' or dpop='required'.")
    if scopes is None:
        return Requirement((), dpop, bool(optional), bool(online))
    texts: Sequence[Any] = [scopes] if isinstance(scopes, str) else list(scopes)
    alternatives = tuple(tuple(text.split()) if isinstance(text, str) else () for text in texts)
    if not alternatives or not all(alternatives):
        raise ConfigurationError(f"Scopes {scopes!r} hold an empty text or none; write @require_oauth() for no scope.")
    try:
        for alternative in alternatives:
            scope_tokens(alternative)
    except ValueError as error:
        raise ConfigurationError(f"Scopes {scopes!r} are not accepted: it {error}.") from None
    return Requirement(alternatives, dpop, bool(optional), bool(online))
