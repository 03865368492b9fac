"""The client acts for itself (RFC 6749 §4.4)."""

from ...dpop.proof import DPoPProof
from ..registered_client import RegisteredClient
from ..request import FormRequest
from .base import Allowed, GrantParts

NAME = "client_credentials"


class ClientCredentialsGrant:
    """Allows a client what it is registered for."""

    def __init__(self, parts: GrantParts) -> None:
        pass

    def check(self, request: FormRequest, client: RegisteredClient, proof: DPoPProof | None) -> Allowed:
        """See :meth:`.base.GrantType.check`. There is nothing to check: the client has authenticated."""
        return Allowed(grant_type=NAME, client=client, request=request, proof=proof, scope=request.get("scope"))
