"""Which grant answers a token request: one of the application's own, or one of the table that is served."""

from ...dpop.proof import DPoPProof
from ...errors import InvalidRequest, UnauthorizedClient, UnsupportedGrantType
from ...settings.server import ServerSettings
from ..client_auth import CLIENT_AUTH_METHODS
from ..needs import Offered, find_missing
from ..registered_client import RegisteredClient
from ..request import FormRequest
from . import GRANTS
from .authlib_grants import AcceptedGrant, AuthlibGrants
from .base import Allowed, BuiltInGrant, GrantParts
from .policy import check_may_use


class TokenGrants:
    """Step 5 of a token request.

    :param settings: The server's settings.
    :param parts: What the grants of the table are built from.
    :param guests: The application's own grants, which are tried before those of the table.
    :param offered: Returns what the application has now.
    """

    def __init__(self, settings: ServerSettings, parts: GrantParts, *, guests: AuthlibGrants, offered: Offered) -> None:
        self._settings = settings
        self._guests = guests
        self._offered = offered
        self._built_in = {entry.name: (entry, entry.build(parts)) for entry in GRANTS}

    def check(
        self, request: FormRequest, client: RegisteredClient, proof: DPoPProof | None, *, method: str
    ) -> Allowed | AcceptedGrant:
        """Find the grant for the request's ``grant_type``, and return what it allows. Nothing is spent yet.

        :param method: How the client has authenticated.
        :raises InvalidRequest: No ``grant_type``.
        :raises UnsupportedGrantType: No grant of that name is served.
        :raises UnauthorizedClient: The client is not registered for it (RFC 7591 §2), it is not open to clients that
            registered themselves, or not to public clients.
        :raises OAuth2Error: The grant refuses the request.
        """
        grant_type = request.get("grant_type")
        if grant_type is None:
            raise InvalidRequest("no grant_type", cause="grant_type_missing")
        if (guest := self._guests.find(request, client, proof, method=method)) is not None:
            check_may_use(client, grant_type, self._settings)  # the application's grant may not check this
            return guest.check()
        entry, grant = self._built_in.get(grant_type, (None, None))
        if entry is None or grant is None or not self._is_served(entry):
            raise UnsupportedGrantType(f"grant_type {grant_type[:100]!r} is not registered", cause="grant_type_unknown")
        check_may_use(client, grant_type, self._settings)
        if client.is_public and not entry.for_public_clients:
            accepted = [method.name for method in CLIENT_AUTH_METHODS if method.proves_identity]
            raise UnauthorizedClient(f"the grant accepts {accepted!r} only", cause="grant_auth_method")
        self._guests.note_authenticated(request, client, proof, method=method, by=grant)
        return grant.check(request, client, proof)

    def grant_types(self) -> list[str]:
        """The ``grant_type`` values the token endpoint answers; the application's own come first."""
        ours = [entry.name for entry in GRANTS if self._is_served(entry)]
        return list(dict.fromkeys([*self._guests.grant_types(), *ours]))

    def _is_served(self, entry: BuiltInGrant) -> bool:
        return not entry.needs or find_missing(entry.needs, self._offered()) is None
