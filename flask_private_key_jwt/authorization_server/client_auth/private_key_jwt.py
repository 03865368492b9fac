"""``private_key_jwt``: the client signs an assertion with its private key (OpenID Connect Core §9, RFC 7523)."""

from collections.abc import Mapping, Sequence

from ...errors import InvalidClient
from ...jose import jose
from ...settings.server import ServerSettings
from ..registered_client import RegisteredClient
from ..request import FormRequest
from .assertion import AssertionChecker, VerifiedAssertion
from .base import AuthenticationParts
from .signature import NotSigned
from .smart_header import check_smart_header

METHOD = "private_key_jwt"


def describe(settings: ServerSettings) -> Mapping[str, Sequence[str]]:
    """What the metadata document says about the method (RFC 8414 §2)."""
    return {"signing_alg_values_supported": list(settings.ASSERTION_SIGNING_ALGS)}


class PrivateKeyJWTAuthentication:
    """Authenticates clients by JWTs that they signed with a registered key."""

    def __init__(self, parts: AuthenticationParts) -> None:
        self._profile = parts.settings.PROFILE
        self._signatures = parts.signatures
        self._assertions = AssertionChecker(
            parts,
            method=METHOD,
            clients=parts.clients,
            algs=parts.settings.ASSERTION_SIGNING_ALGS,
            find_signer=self._find_key,
        )

    def verify(self, request: FormRequest) -> VerifiedAssertion:
        """See :meth:`.AssertionChecker.verify`."""
        return self._assertions.verify(request)

    def _find_key(self, jwt: jose.JWT, client: RegisteredClient, now: int) -> str:
        """RFC 7523 §3, item 9; only keys registered for this client count (RFC 8725 §3.10)."""
        if client.token_endpoint_auth_method != METHOD:
            refusal = InvalidClient(
                f"the client is registered for {client.token_endpoint_auth_method!r}", cause="client_auth_method"
            )
            refusal.details = {"expected": client.token_endpoint_auth_method, "received": METHOD}
            raise refusal
        if self._profile == "smart":
            check_smart_header(jwt, client)
        registered = client.token_endpoint_auth_signing_alg
        if registered is not None and jwt.alg != registered:
            raise jose.JoseProblem(
                f"alg {jwt.alg!r} is not the registered {registered!r}",
                cause="alg_not_registered",
                details={"expected": registered, "received": jwt.alg},
            )
        try:
            return self._signatures.find_signer(jwt, client, now=now).public.thumbprint
        except NotSigned as problem:
            raise problem.as_refusal(InvalidClient, "assertion") from None
