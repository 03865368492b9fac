"""What Authlib's grants see: Authlib's mutable request and its client interface, made from our frozen values."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from authlib.oauth2.rfc6749 import ClientMixin, OAuth2Payload, OAuth2Request

from ...dpop.proof import DPoPProof
from ...tokens.scope_matching import ScopeMatcher, is_covered
from ..registered_client import RegisteredClient
from ..request import FormRequest


class AuthenticatedClient(ClientMixin):  # type: ignore[misc]  # Authlib has no type hints
    """The client of one request, in Authlib's shape.

    Authlib passes only the client to the token generator, so this object carries the request and the proof there.

    :param request: The request in which it authenticated; ``None``: it was only looked up, and gets no token.
    :param method: How it authenticated; ``None``: it was only looked up.
    :param scope_matchers: The application's.
    """

    def __init__(
        self,
        registered: RegisteredClient,
        request: FormRequest | None,
        proof: DPoPProof | None,
        *,
        method: str | None = None,
        scope_matchers: Sequence[ScopeMatcher] = (),
    ) -> None:
        self.registered = registered
        self.request = request
        self.proof = proof
        self.method = method or registered.token_endpoint_auth_method
        self._scope_matchers = scope_matchers

    @property
    def client_id(self) -> str:
        """RFC 6749 §2.2."""
        return self.registered.client_id

    def get_client_id(self) -> str:
        """RFC 6749 §2.2."""
        return self.registered.client_id

    def get_default_redirect_uri(self) -> None:
        """None: every request names its redirect URI."""
        return

    def get_allowed_scope(self, scope: str) -> str:
        """The requested scopes that are registered for the client, space separated (RFC 6749 §3.3)."""
        wanted, held = (scope or "").split(), self.registered.scope
        return " ".join(token for token in wanted if is_covered(token, held, self._scope_matchers))

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Whether *redirect_uri* is registered for the client (RFC 9700 §2.1)."""
        return self.registered.has_redirect_uri(redirect_uri)

    def check_client_secret(self, client_secret: str) -> bool:
        """Always false: a grant never compares secrets, the server has authenticated the client already."""
        return False

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Whether the client may authenticate with *method*: only as it did in this request, or as it is registered."""
        return method == self.method

    def check_response_type(self, response_type: str) -> bool:
        """Whether the client may ask for *response_type*; only ``code`` is possible (RFC 7591 §2.1)."""
        return response_type == "code" and self.check_grant_type("authorization_code")

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether the client is registered for *grant_type* (RFC 7591 §2)."""
        return grant_type in self.registered.grant_types


class TokenPayload(OAuth2Payload):  # type: ignore[misc]
    """The form of a token request, in Authlib's shape."""

    def __init__(self, request: FormRequest) -> None:
        self._data = {name: value for name, value in request.form.items() if value}
        self._resources = list(request.resources)

    @property
    def data(self) -> dict[str, str]:
        """Every parameter once, without empty ones and without ``resource``."""
        return self._data

    @property
    def datalist(self) -> "defaultdict[str, list[str]]":
        """Every parameter as a list; ``resource`` may hold several (RFC 8707 §2)."""
        values: defaultdict[str, list[str]] = defaultdict(list, {name: [value] for name, value in self._data.items()})
        if self._resources:
            values["resource"] = self._resources
        return values


class TokenRequest(OAuth2Request):  # type: ignore[misc]
    """Our request in Authlib's shape.

    :param request: The form that was read.
    :param client: The client, if it is authenticated already.
    """

    def __init__(self, request: FormRequest, client: AuthenticatedClient | None) -> None:
        # Authlib's own constructor refuses every http URL; here OAUTH2_ISSUER decides whether http is allowed.
        self.method = request.method
        self.uri = request.url
        self.headers: dict[str, Any] = {}
        self.payload = TokenPayload(request)
        self.read = request
        self.authenticated = client
        self.client: AuthenticatedClient | None = None
        self.auth_method = client.method if client else None
        self.user = self.authorization_code = self.refresh_token = self.credential = None
        self._body = self._scope = None

    @property
    def args(self) -> dict[str, str]:
        """Nothing: the query string of a token request is not read (RFC 6749 §2.3.1)."""
        return {}

    @property
    def form(self) -> dict[str, str]:
        """The form, each parameter once."""
        return self.payload.data
