"""A person allowed it before (RFC 6749 §6), by the rules of :mod:`...tokens.refresh_token`."""

from collections.abc import Sequence
from functools import partial

from ...dpop.proof import DPoPProof
from ...errors import InvalidRequest, InvalidScope
from ...tokens.scope_matching import ScopeMatcher, is_covered
from ..registered_client import RegisteredClient
from ..request import FormRequest
from ..stores.granted import StoredRefreshToken
from .base import Allowed, GrantParts
from .scope import drop_offline_access, split_scope

NAME = "refresh_token"


class RefreshTokenGrant:
    """Accepts a refresh token. A refused request does not replace it."""

    def __init__(self, parts: GrantParts) -> None:
        self._refresh_tokens = parts.refresh_tokens
        self._scope_matchers = parts.scope_matchers

    def check(self, request: FormRequest, client: RegisteredClient, proof: DPoPProof | None) -> Allowed:
        """Check the refresh token and that the request asks for no more than was granted.

        :raises InvalidRequest: There is no refresh token, or no proof where one is needed.
        :raises InvalidGrant: The refresh token is not good.
        :raises InvalidScope: The scope was not granted.
        """
        if (token := request.get("refresh_token")) is None:
            raise InvalidRequest("no refresh_token", cause="refresh_token_missing")
        stored = self._refresh_tokens.load(token, client, proof)
        return Allowed(
            grant_type=NAME,
            client=client,
            request=request,
            proof=proof,
            granted=stored.granted,
            scope=_check_scope(request.get("scope"), stored, self._scope_matchers),
            spend=partial(self._refresh_tokens.use, token, stored, client, proof),
        )


def _check_scope(requested: str | None, stored: StoredRefreshToken, matchers: Sequence[ScopeMatcher]) -> str | None:
    """The granted scopes that the request asks for (RFC 6749 §6); ``None``: all of them."""
    granted = stored.granted.scope
    wanted = drop_offline_access(split_scope(requested or ""), granted)
    if more := [token for token in wanted if not is_covered(token, granted, matchers)]:
        raise InvalidScope(f"scope {more[0][:100]!r} was not granted", cause="scope_not_granted")
    return " ".join(wanted) or None
