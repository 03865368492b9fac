"""``client_secret_post``: the client sends its secret as a parameter of the form (RFC 6749 §2.3.1)."""

from ...errors import InvalidClient, InvalidRequest
from ..request import FormRequest
from .base import AuthenticationParts
from .shared_secret import ClientWithSecret, SentSecret, SharedSecrets

METHOD = "client_secret_post"


def is_tried(request: FormRequest) -> bool:
    """Whether *request* holds a ``client_secret``."""
    return request.get("client_secret") is not None


class ClientSecretPostAuthentication:
    """Authenticates clients by the secret in their form."""

    def __init__(self, parts: AuthenticationParts) -> None:
        self._secrets = SharedSecrets(parts, method=METHOD, refusal=InvalidClient)

    def verify(self, request: FormRequest) -> ClientWithSecret:
        """Find out which client made the request.

        :raises InvalidRequest: The request tries more than one method (RFC 6749 §2.3).
        :raises InvalidClient: The secret does not prove who the client is.
        :raises StoreUnavailable: The clients cannot be read.
        """
        others = ("client_assertion", "client_assertion_type")
        if request.has_authorization or any(request.get(name) is not None for name in others):
            raise InvalidRequest(
                "a client_secret and another way of authenticating in one request", cause="client_auth_twice"
            )
        return self._secrets.verify(SentSecret(request.get("client_id") or "", request.get("client_secret") or ""))
