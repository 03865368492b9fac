"""Step 4: once only. Assertion and proof are spent in one atomic step; then the use of the client's key is noted."""

from ..dpop.proof import DPoPProof
from ..errors import InvalidClient, InvalidDPoPProof
from ..metering import Meter
from ..replay.base import ASSERTION, PROOF, Replayed, ReplayStore, remember_once
from .client_auth.base import VerifiedClient
from .keys.client_key_use import ClientKeyUse

REFUSALS = {ASSERTION: InvalidClient, PROOF: InvalidDPoPProof}
"""Purpose of a mark that was used before -> the refusal."""


class OnceOnly:
    """Spends assertions and proofs.

    :param replay: Remembers what was used.
    :param key_use: Notes which key of a client signed.
    :param meter: Whose observer is told how long the store took.
    """

    def __init__(self, replay: ReplayStore, key_use: ClientKeyUse, meter: Meter) -> None:
        self._replay = replay
        self._key_use = key_use
        self._meter = meter

    def remember(self, caller: VerifiedClient, proof: DPoPProof | None) -> None:
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
