"""Step 4: once only. Assertion and proof are spent in one atomic step; then the use of the key or secret is noted."""

from collections.abc import Callable, Sequence

from ..database.deadline import outside_budget
from ..dpop.proof import DPoPProof
from ..errors import InvalidClient, InvalidDPoPProof
from ..replay.base import ASSERTION, PROOF, Replayed, ReplayStore, remember_once
from ..signals.metering import Meter
from .client_auth.base import VerifiedClient
from .keys.client_key_use import ClientKeyUse
from .keys.client_secrets import ClientSecrets
from .registered_client import RegisteredClient
from .request import FormRequest

AfterAuthentication = Callable[[RegisteredClient, FormRequest], None]
"""Called with a client that has proved who it is, and its request; raises an ``OAuthError`` to refuse it."""

REFUSALS = {ASSERTION: InvalidClient, PROOF: InvalidDPoPProof}
"""Purpose of a mark that was used before -> the refusal."""


class OnceOnly:
    """Spends assertions and proofs.

    :param replay: Remembers what was used.
    :param key_use: Notes which key of a client signed.
    :param client_secrets: Notes which secret a client used.
    :param meter: Whose observer is told how long the store took.
    :param listeners: The application's functions that hear who asks. Not before this step, so that nobody who repeats
        a client's request is taken for the client.
    """

    def __init__(
        self,
        replay: ReplayStore,
        key_use: ClientKeyUse,
        client_secrets: ClientSecrets,
        meter: Meter,
        listeners: Sequence[AfterAuthentication] = (),
    ) -> None:
        self._replay = replay
        self._key_use = key_use
        self._client_secrets = client_secrets
        self._meter = meter
        self._listeners = listeners

    def remember(self, request: FormRequest, caller: VerifiedClient, proof: DPoPProof | None) -> None:
        """Spend the assertion of a request and its proof, both or neither.

        :raises InvalidClient: The assertion was used before (RFC 7523 §3, item 7).
        :raises InvalidDPoPProof: The proof was used before (RFC 9449 §11.1).
        :raises StoreUnavailable: The replay store is away; nothing is issued.
        """
        try:
            remember_once(self._replay, [*caller.marks, *(proof.marks if proof else ())], self._meter)
        except Replayed as replayed:
            raise REFUSALS[replayed.mark.purpose](str(replayed), cause=replayed.cause) from None
        if caller.thumbprint is not None:
            self._key_use.note(caller.client, caller.thumbprint)
        elif caller.secret is not None:
            self._client_secrets.note(caller.secret)
        if not caller.client.is_public:
            for listener in self._listeners:
                with outside_budget():
                    listener(caller.client, request)
