"""PrivateKeyJWTAuth: set it as a ``requests`` session's auth, and every call sends a token, and a proof if needed."""

from collections.abc import Mapping
from typing import Any

import requests
from requests.auth import AuthBase
from requests.utils import rewind_body

from ..fetching.exchange import TIMEOUT_SECONDS, Runner
from .api_access import APIAccess, Attempts, choose_dpop_key, choose_origin
from .certificate import CertificateSource
from .headers import TokenHeaders
from .key import KeySource
from .token import Token
from .token_client import TokenClient


class AccessAuth(AuthBase):
    """Sends a token, and a proof if needed, with the calls to one API.

    :param access: What is sent, and where.
    :param runner: Gets the tokens.
    """

    def __init__(self, access: APIAccess, runner: Runner) -> None:
        self.origin = access.origin
        self._access = access
        self._runner = runner

    def token(self) -> Token:
        """The current token; it is fetched or renewed now if necessary.

        :raises DiscoveryError: The server's metadata could not be fetched.
        :raises TokenRequestError: The server gave no usable token.
        """
        return self._runner.run(self._access.token())

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Called by ``requests`` when the rest of a request is ready."""
        self._access.check_origin(request.url, "The request")
        request.headers = TokenHeaders(request.headers)
        self._authorize(request, request)
        request.register_hook("response", self._on_answer)  # type: ignore[no-untyped-call]
        return request

    def _authorize(self, request: requests.PreparedRequest, target: requests.PreparedRequest) -> None:
        """Set the headers of *request* for the URL and the method of *target*."""
        assert isinstance(request.headers, TokenHeaders)
        headers = self._access.call_headers(self.token(), method=str(target.method), url=str(target.url))
        request.headers.authorize(headers.authorization, headers.prove)

    def _on_answer(self, response: requests.Response, **options: Any) -> requests.Response:
        """Called by ``requests`` with every answer: keep its nonce, send again if that can help, check redirects."""
        request = response.request
        attempts = Attempts()
        while (error := self._learn(response)) and _is_replayable(response.request) and attempts.may_repeat(error):
            response = self._send_again(response, options)
        if response.is_redirect:
            self._prepare_redirect(request, response)
        return response

    def _learn(self, response: requests.Response) -> str | None:
        access_token = response.request.headers["Authorization"].partition(" ")[2]
        return self._access.learn(response.status_code, response.headers, access_token=access_token)

    def _send_again(self, response: requests.Response, options: dict[str, Any]) -> requests.Response:
        """Send the request of *response* once more, as ``requests``'s own digest authentication does."""
        _ = response.content  # read to its end, so that the connection can be used again
        response.close()
        request = response.request.copy()
        if hasattr(request.body, "seek"):
            rewind_body(request)
        self._authorize(request, request)
        answer = response.connection.send(request, **options)
        answer.history = [*response.history, response]
        return answer

    def _prepare_redirect(self, request: requests.PreparedRequest, response: requests.Response) -> None:
        """Check where a redirect leads, and make the proof for the next request.

        ``requests`` copies the headers of the first *request* to the next one, and does not call the auth object again.
        So the proof for the next URL and method is put into the headers of *request*.
        """
        with requests.Session() as session:
            session.trust_env = False
            upcoming = next(session.resolve_redirects(response, request, yield_requests=True), None)
        if not isinstance(upcoming, requests.PreparedRequest):
            return
        self._access.check_origin(upcoming.url, f"The redirect ({response.status_code})")
        if not _is_replayable(upcoming):
            # requests would follow the redirect with an empty body.
            raise requests.exceptions.UnrewindableBodyError("A redirect needs the body again, which cannot be rewound.")
        self._authorize(request, upcoming)


class PrivateKeyJWTAuth(AccessAuth):
    """Authenticates the calls to one API with tokens obtained by private_key_jwt; safe to share between threads.

    A request or a redirect to any other origin raises :class:`~flask_private_key_jwt.client.ForeignOrigin` before
    anything is sent there. This holds for ``allow_redirects=False`` too, because an auth object cannot see that option.
    The session's adapter may retry by itself (urllib3's ``Retry``): every attempt gets a new proof.

    :param issuer: As in :class:`~flask_private_key_jwt.client.TokenClient`, like the other parameters not named here.
    :param scope: Scopes to ask for, separated by spaces; default: the server decides.
    :param resource: The API's identifier: what the token is requested for (RFC 8707), and where it may be sent.
    :param origin: Where the token may be sent, if *resource* is not the API's URL or the server has no ``resource``.
    :param dpop: Ask for tokens bound to a key, and send a proof with every request (RFC 9449).
    :param dpop_key: That key; default: a new ES256 key for this object.
    :param proxies: For calls to the token server only; calls to the API use their session's. The same for *ca_bundle*.
    :raises ConfigurationError: One of these is wrong; the message says which and why.
    """

    def __init__(
        self,
        issuer: str,
        client_id: str,
        *,
        key: KeySource,
        alg: str | None = None,
        key_password: str | None = None,
        kid: str | None = None,
        certificate: CertificateSource | None = None,
        audience: str | None = None,
        scope: str | None = None,
        resource: str | None = None,
        origin: str | None = None,
        dpop: bool = False,
        dpop_key: KeySource | None = None,
        timeout: float = TIMEOUT_SECONDS,
        proxies: Mapping[str, str] | None = None,
        ca_bundle: str | None = None,
    ) -> None:
        bound_key = choose_dpop_key(dpop, dpop_key)
        allowed_origin = choose_origin(origin, resource)
        self.token_client = TokenClient(
            issuer,
            client_id,
            key=key,
            alg=alg,
            key_password=key_password,
            kid=kid,
            certificate=certificate,
            audience=audience,
            dpop_key=bound_key,
            timeout=timeout,
            proxies=proxies,
            ca_bundle=ca_bundle,
        )
        access = APIAccess(
            self.token_client._tokens, origin=allowed_origin, dpop_key=bound_key, scope=scope, resource=resource
        )
        super().__init__(access, self.token_client._runner)

    def __repr__(self) -> str:
        return f"<PrivateKeyJWTAuth {self.token_client.client_id!r} for {self.origin}>"


def _is_replayable(request: requests.PreparedRequest) -> bool:
    """Whether the body can be sent a second time; a generator or a pipe cannot."""
    if request.body is None or isinstance(request.body, (bytes, str)):
        return True
    # requests uses the same test: the position of the body before it was sent the first time.
    return hasattr(request.body, "seek") and isinstance(request._body_position, int)
