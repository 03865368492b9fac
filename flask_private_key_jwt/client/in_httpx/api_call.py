"""One call to an API, which may be sent several times: each gets a proof of its own, and only the API's origin does."""

from collections.abc import Mapping

import httpx

from ..api_access import APIAccess
from ..token import Token
from .body import RequestBody
from .headers import SealedHeaders

_EXTENSION = "flask_private_key_jwt"
"""Where a request keeps its call; httpx passes a request's extensions on to the request that a redirect leads to."""


class APICall:
    """What the sends of one call share: the token.

    :param access: The token's API.
    :param request: What is sent first.
    :param body: The body of what the program asked for.
    """

    def __init__(self, access: APIAccess, token: Token, request: httpx.Request, body: RequestBody) -> None:
        self._access = access
        self._token = token
        self._first = request
        self._body = body
        self._unsent: SealedHeaders | None = None
        """Headers whose proof was not sent yet."""

    def __repr__(self) -> str:
        return f"<APICall to {self._access.origin}>"

    def authorize(self, request: httpx.Request) -> None:
        """Give *request* the token and a new proof.

        :raises ForeignOrigin: It goes to another origin.
        """
        self._check_origin(request)
        headers = self._access.call_headers(self._token, method=request.method, url=str(request.url))
        sealed = {"Authorization": headers.authorization, **({"DPoP": headers.prove()} if headers.prove else {})}
        request.headers = self._unsent = SealedHeaders(request.headers, sealed)
        request.extensions[_EXTENSION] = self

    def authorize_send(self, request: httpx.Request) -> None:
        """Make *request* ready for one more send: a proof that was sent is replaced.

        :raises ForeignOrigin: It goes to another origin.
        :raises UnrepeatableBody: It was sent before, and its body can be sent once only.
        """
        self._check_origin(request)
        if request.headers is not self._unsent:
            self._body.rewind(request)
            self.authorize(request)
        self._unsent = None

    def learn_nonce(self, headers: Mapping[str, str]) -> None:
        """Keep the nonce of an answer, for the next proof."""
        self._access.learn_nonce(headers)

    def _check_origin(self, request: httpx.Request) -> None:
        self._access.check_origin(str(request.url), "The request" if request is self._first else "The redirect")


def find_call(request: httpx.Request) -> APICall | None:
    """The call that *request* belongs to; ``None`` if it is not authenticated by this package."""
    call = request.extensions.get(_EXTENSION)
    return call if isinstance(call, APICall) else None
