"""Which key a token is bound to, and when a proof is needed (RFC 9449 §5)."""

from ..dpop.proof import DPoPProof, ProofChecker
from ..errors import InvalidRequest
from ..settings.server import ServerSettings
from .registered_client import RegisteredClient
from .request import FormRequest


class TokenBinding:
    """Decides for an authorization server whether a request's tokens are bound, and to which key.

    :param checker: Checks a proof.
    :param settings: Say whose tokens must be bound.
    """

    def __init__(self, checker: ProofChecker, settings: ServerSettings) -> None:
        self._checker = checker
        self._settings = settings

    @property
    def checker(self) -> ProofChecker:
        """Checks a proof."""
        return self._checker

    def new_nonce(self) -> str | None:
        """The nonce to hand out with an answer, or ``None`` where none is required (RFC 9449 §8.2)."""
        return self._checker.new_nonce()

    def check(self, request: FormRequest, client: RegisteredClient, *, optional: bool = False) -> DPoPProof | None:
        """Check the request's proof, if it has one or needs one (RFC 9449 §5, §5.2).

        :param optional: The request asks for no token yet, so it needs no proof (RFC 9449 §10.1).
        :raises InvalidRequest: A proof is required and absent.
        :raises InvalidDPoPProof: The proof is wrong.
        :raises UseDPoPNonce: The proof lacks a nonce.
        """
        if request.proof is not None:
            return self._checker.check(request.proof, method=request.method, url=request.url)
        if not optional:
            check_unbound(client, self._settings)
        return None


def check_unbound(client: RegisteredClient, settings: ServerSettings) -> None:
    """Refuse a request without a proof where the tokens must be bound: of this client, or of every one.

    :raises InvalidRequest: They must.
    """
    public_and_bound = client.is_public and not settings.PUBLIC_BEARER_TOKENS  # also if it was registered otherwise
    if settings.DPOP_REQUIRED or client.needs_bound_tokens or public_and_bound:
        raise InvalidRequest(
            "no DPoP proof, though the server or the client requires bound tokens", cause="proof_missing"
        )
