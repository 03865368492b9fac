"""Request tokens and revoke them, without I/O: with a proof if tokens are bound, and one retry for a nonce."""

import logging
from collections.abc import Sequence

from .. import clock
from ..fetching.exchange import FetchedAnswer
from ..fetching.steps import Form, Steps
from .client_steps import ClientSteps
from .proofs import Prover
from .revocation import REVOCATION, check_revoked
from .token import TOKEN, Token, TokenType, read_token

log = logging.getLogger("flask_private_key_jwt")


class TokenSteps:
    """The tokens of one client, by the client_credentials grant (RFC 6749 §4.4).

    :param client: Asks the server.
    :param prover: Binds the tokens to its key (RFC 9449 §5); ``None`` asks for Bearer tokens.
    """

    def __init__(self, client: ClientSteps, prover: Prover | None) -> None:
        self._client = client
        self._prover = prover

    @property
    def token_type(self) -> TokenType:
        """The only type of token that is accepted."""
        return "DPoP" if self._prover else "Bearer"

    def request_token(
        self, *, scope: str | None = None, resource: str | Sequence[str] = (), assertion: str | None = None
    ) -> Steps[Token]:
        """As :meth:`.TokenClient.request_token`."""
        form = [("grant_type", "client_credentials"), ("client_id", self._client.client_id)]
        form += [("scope", scope)] if scope else []
        form += [("resource", value) for value in ([resource] if isinstance(resource, str) else resource)]
        now = clock.now()
        answer, may_retry = yield from self._ask(form, assertion)
        if may_retry:
            # Some servers have used up the assertion although they refused, so the retry sends a new one.
            answer, _ = yield from self._ask(form, None)
        token = read_token(answer, wanted=self.token_type, now=now)
        log.debug("client %s got a %s token from %s", self._client.client_id, token.token_type, self._client.issuer)
        return token

    def revoke_token(self, token: str, token_type_hint: str | None = None) -> Steps[None]:
        """As :meth:`.TokenClient.revoke_token`."""
        form = [("token", token), ("client_id", self._client.client_id)]
        form += [("token_type_hint", token_type_hint)] if token_type_hint else []
        answer = yield from self._client.post(REVOCATION, form)
        check_revoked(answer, token=token)
        log.debug("client %s revoked a token at %s", self._client.client_id, self._client.issuer)

    def _ask(self, form: Form, assertion: str | None) -> Steps[tuple[FetchedAnswer, bool]]:
        """Send one token request. Also return whether the server refused for a missing nonce only, and gave one
        (RFC 9449 §8)."""
        answer = yield from self._client.post(TOKEN, form, assertion=assertion, prover=self._prover)
        has_nonce = self._prover is not None and self._prover.learn(answer.headers)
        return answer, has_nonce and TOKEN.find_error(answer) == "use_dpop_nonce"
