"""``client_secret_basic``: the client sends its secret by HTTP Basic (RFC 6749 §2.3.1, RFC 7617)."""

import binascii

from ...errors import InvalidClientSecret, InvalidRequest
from ..request import FormRequest, form_decode
from .base import AuthenticationParts
from .shared_secret import ClientWithSecret, SentSecret, SharedSecrets

METHOD = "client_secret_basic"
_SCHEME = "basic "


def is_tried(request: FormRequest) -> bool:
    """Whether *request* has an ``Authorization`` header with the scheme ``Basic``."""
    header = request.authorization
    return header is not None and header[: len(_SCHEME)].lower() == _SCHEME


class ClientSecretBasicAuthentication:
    """Authenticates clients by the secret in their ``Authorization`` header."""

    def __init__(self, parts: AuthenticationParts) -> None:
        self._secrets = SharedSecrets(parts, method=METHOD, refusal=InvalidClientSecret)

    def verify(self, request: FormRequest) -> ClientWithSecret:
        """Find out which client made the request.

        :raises InvalidRequest: The request tries more than one method (RFC 6749 §2.3).
        :raises InvalidClientSecret: The header does not prove who the client is.
        :raises StoreUnavailable: The clients cannot be read.
        """
        others = ("client_secret", "client_assertion", "client_assertion_type")
        if any(request.get(name) is not None for name in others):
            raise InvalidRequest(
                "HTTP Basic and another way of authenticating in one request", cause="client_auth_twice"
            )
        sent = read_basic(request.authorization or "")
        if (client_id := request.get("client_id")) not in (None, sent.client_id):
            raise InvalidClientSecret(
                f"client_id {str(client_id)[:100]!r} is not that of the header, {sent.client_id[:100]!r}",
                cause="client_id_mismatch",
            )
        return self._secrets.verify(sent)


def read_basic(header: str) -> SentSecret:
    """The credentials in an ``Authorization`` header. Both are form-urlencoded before they are joined by a colon.

    :raises InvalidClientSecret: It is malformed.
    """
    try:
        joined = binascii.a2b_base64(header[len(_SCHEME) :].strip().encode("ascii"), strict_mode=True).decode("ascii")
        client_id, colon, password = joined.partition(":")
        if not colon:
            raise ValueError
        return SentSecret(form_decode(client_id), form_decode(password))
    except ValueError as error:  # no base64, not ASCII, or not UTF-8 once decoded
        raise InvalidClientSecret(
            f"the Basic credentials cannot be read: {type(error).__name__}", cause="basic_malformed"
        ) from None
