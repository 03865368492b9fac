"""The seven steps of a token request, on Authlib's Flask authorization server (RFC 6749 §3.2)."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import flask
from authlib.oauth2 import OAuth2Error
from flask.typing import ResponseReturnValue
from werkzeug.utils import import_string

from ..dpop.proof import DPoPProof
from ..errors import (
    InactiveToken,
    InvalidClient,
    InvalidDPoPProof,
    InvalidRequest,
    UnauthorizedClient,
    UnsupportedGrantType,
)
from ..jose.derived import Secrets
from ..refusal import Answer, describe_refusal, error_response
from ..replay.base import ASSERTION, PROOF, Replayed, ReplayStore
from ..settings.server import ServerSettings
from ..signals import token_issued
from ..tokens.verification import IssuerKeys
from .authlib_server import AuthlibServer
from .authorization.authorizer import Authorizer
from .authorization.interaction import find_subject
from .authorization.parameters import Parameters
from .authorization.push_quota import PushQuota
from .authorization.request_object import RequestObjects
from .binding import TokenBinding
from .client_auth.base import ClientAuthenticationMethod, VerifiedClient
from .grants import GRANTS, PEOPLES_GRANTS
from .grants.authlib_request import AuthenticatedClient, TokenRequest
from .grants.issuing import TokenMaker
from .grants.policy import TokenPolicy, check_may_use
from .keys.client_key_use import ClientKeyUse
from .registered_client import RegisteredClient
from .request import FormRequest, HTTPRequest, read_form
from .response import empty_response, inactive_response, pushed_response, token_response, translate
from .stores.contracts import ClientStore
from .stores.granted import AuthorizationStore
from .tokens.access_token import AccessTokenIssuer, IssuedToken
from .tokens.id_token import OPENID, IdTokenIssuer
from .tokens.introspection import IntrospectionPolicy, TokenIntrospector
from .tokens.refresh_token import RefreshTokens
from .tokens.revocation import TokenRevoker
from .tokens.revoked import Revocations

BeforeMachineRequest = Callable[[str], ResponseReturnValue | None]
"""Name of an endpoint -> what to answer in its place, or ``None`` to let it answer."""

REFUSAL_OF_REPLAY = {ASSERTION: InvalidClient, PROOF: InvalidDPoPProof}


@dataclass(frozen=True, slots=True)
class Declarations:
    """What the application registers on the extension, before or after ``init_app``: shared by its apps' servers."""

    grants: list[tuple[Any, Any]] = field(default_factory=list)
    policies: list[TokenPolicy] = field(default_factory=list)
    introspection: list[IntrospectionPolicy] = field(default_factory=list)
    before_requests: list[BeforeMachineRequest] = field(default_factory=list)


class AuthorizationServer(AuthlibServer):
    """One app's authorization server. Whoever knows Authlib's can still register grants and endpoints on it."""

    def __init__(
        self,
        settings: ServerSettings,
        *,
        clients: ClientStore,
        client_auth: ClientAuthenticationMethod,
        dpop: TokenBinding,
        replay: ReplayStore,
        key_use: ClientKeyUse,
        access_tokens: AccessTokenIssuer,
        id_tokens: IdTokenIssuer,
        own_keys: IssuerKeys,
        app_secrets: Secrets,
        request_objects: RequestObjects,
        authorizations: AuthorizationStore,
        push_quota: PushQuota,
        refresh_tokens: RefreshTokens,
        revocations: Revocations,
        introspection: TokenIntrospector,
        revoker: TokenRevoker,
        declarations: Declarations,
        base_url: str,
        has_people: Callable[[], bool],
    ) -> None:
        super().__init__()
        self.settings = settings
        self.clients = clients
        self.client_auth = client_auth
        self.dpop = dpop
        self.replay = replay
        self.key_use = key_use
        self.declarations = declarations
        self.base_url = base_url
        """Of the machine endpoints: a proof's ``htu`` is held against it, never against ``Host``."""
        self.has_people = has_people
        """Whether the application has people to ask; without, there is no authorization endpoint."""
        self.authorizations = authorizations
        self.refresh_tokens = refresh_tokens
        self.revocations = revocations
        self.introspection = introspection
        self.revoker = revoker
        self.authorizer = Authorizer(
            settings,
            clients,
            request_objects,
            authorizations,
            own_keys=own_keys,
            app_secrets=app_secrets,
            push_quota=push_quota,
        )
        self.token_maker = TokenMaker(
            settings, access_tokens, id_tokens, declarations.policies, offers_openid=self.offers_openid
        )
        for path in GRANTS.values():
            self.register_grant(import_string(path))

    # --- the table of contents --------------------------------------------------------------------------
    def create_token_response(self, request: FormRequest | None = None) -> flask.Response:
        """Answer one token request. Steps 1 to 3 spend nothing.

        :param request: The request, if it has been read already.
        :raises OAuthError: The request is refused; ``endpoints/http.py`` makes the answer.
        """
        request = request or self.read_request()  # 1 what was asked
        caller = self.client_auth.verify(request)  # 2 who asks
        proof = self.dpop.check(request, caller.client)  # 3 which key they hold
        self.remember(caller, proof)  # 4 once only
        grant = self.grant_for(request, caller.client, proof)  # 5 what allows it
        token = self.issue(grant)  # 6 the token
        return self.send(token_response(token, nonce=self.dpop.new_nonce()))  # 7 the answer

    def create_pushed_authorization_response(self) -> flask.Response:
        """Answer one pushed authorization request (RFC 9126 §2): the same steps, but what comes of it is a request.

        :raises OAuthError: The request is refused.
        """
        request = self.read_form("par")  # 1 what was asked
        caller = self.client_auth.verify(request)  # 2 who asks
        proof = self.dpop.check(request, caller.client, optional=True)  # 3 which key they hold
        self.remember(caller, proof)  # 4 once only
        parameters = Parameters(request.form, request.resources)
        # 5 and 6 what they want, checked and kept
        pushed = self.authorizer.push(parameters, caller.client, proof, address=request.remote_addr)
        answer = pushed_response(pushed.request_uri, expires_in=pushed.expires_in, nonce=self.dpop.new_nonce())
        return self.send(answer)  # 7 the answer

    def create_introspection_response(self) -> flask.Response:
        """Answer one introspection request (RFC 7662 §2). It needs no proof of the token's key (RFC 9449 §6.2).

        :raises OAuthError: The request is refused.
        """
        request = self.read_form("introspect")  # 1 what was asked
        caller = self.client_auth.verify(request)  # 2 who asks
        self.remember(caller, None)  # 4 once only
        try:
            answer = Answer(200, self.introspection.describe(request.get("token"), caller.client))  # 5 what it says
        except InactiveToken as reason:
            answer = inactive_response(self._note(reason, endpoint="introspection"))
        return self.send(answer)  # 7 the answer

    def create_revocation_response(self) -> flask.Response:
        """Answer one revocation request (RFC 7009 §2). It needs no proof of the token's key either.

        :raises OAuthError: The request is refused.
        """
        request = self.read_form("revoke")  # 1 what was asked
        caller = self.client_auth.verify(request)  # 2 who asks
        self.remember(caller, None)  # 4 once only
        try:
            self.revoker.revoke(request.get("token"), caller.client)  # 5 what ends
            answer = empty_response(200)
        except InactiveToken as reason:
            answer = empty_response(200, reference=self._note(reason, endpoint="revocation"))
        return self.send(answer)  # 7 the answer

    def read_request(self, request: HTTPRequest | None = None) -> FormRequest:
        """Step 1: read the form of the current token request."""
        return self.read_form("token", request)

    def read_form(self, endpoint: str, request: HTTPRequest | None = None) -> FormRequest:
        """Read the form of a request to a machine endpoint: ``token``, ``par``, ``revoke`` …, as its path ends."""
        http: HTTPRequest = request or flask.request
        url = f"{self.base_url}/{endpoint}"
        return read_form(http, endpoint=endpoint, url=url, max_bytes=self.settings.REQUEST_MAX_BYTES)

    def remember(self, caller: VerifiedClient, proof: DPoPProof | None) -> None:
        """Step 4: spend the assertion and the proof, in one atomic step. Only then has the client's key been used.

        :raises InvalidClient: The assertion was used before (RFC 7523 §3, item 7).
        :raises InvalidDPoPProof: The proof was (RFC 9449 §11.1).
        :raises StoreUnavailable: The replay store is away; nothing is issued.
        """
        client = caller.client
        try:
            self.replay.remember([*caller.marks, *(proof.marks if proof else ())])
        except Replayed as replayed:
            raise REFUSAL_OF_REPLAY[replayed.mark.purpose](str(replayed), client_id=client.client_id) from None
        if caller.thumbprint is not None:
            self.key_use.note(client, caller.thumbprint)

    def grant_for(self, request: FormRequest, client: RegisteredClient, proof: DPoPProof | None) -> Any:
        """Step 5: the Authlib grant that answers the request's ``grant_type``, validated.

        :raises InvalidRequest: No ``grant_type``.
        :raises UnsupportedGrantType: No grant of that name is registered.
        :raises UnauthorizedClient: The client is not registered for it (RFC 7591 §2), or it is not for strangers.
        :raises OAuth2Error: The grant refuses the request.
        """
        grant_type = request.get("grant_type")
        if grant_type is None:
            raise InvalidRequest("no grant_type", client_id=client.client_id)
        for grant_class, extensions in self.token_grants():
            authlib_request = TokenRequest(request, AuthenticatedClient(client, request, proof))
            if grant_class.check_token_endpoint(authlib_request):
                check_may_use(client, grant_type, self.settings)  # whether or not an application's grant looks
                grant = grant_class(authlib_request, self)
                for extend in extensions or ():
                    extend(grant)
                grant.validate_token_request()
                return grant
        raise UnsupportedGrantType(f"grant_type {grant_type[:100]!r} is not registered", client_id=client.client_id)

    def issue(self, grant: Any) -> dict[str, Any]:
        """Step 6: let the grant make its token; it comes back to :meth:`generate_token`."""
        _, token, _ = grant.create_token_response()
        return token  # type: ignore[no-any-return]

    def send(self, answer: Answer) -> flask.Response:
        """Step 7: an answer as a Flask response."""
        # As text: left to itself, Authlib takes Flask's JSON, which sorts members and knows dates, at thrice the cost.
        body = "" if answer.body is None else json.dumps(dict(answer.body))
        response: flask.Response = self.handle_response(answer.status, body, list(answer.headers))
        if answer.body is None:
            del response.headers["Content-Type"]  # Flask's own, for a body that is not there
        return response

    def _note(self, reason: InactiveToken, *, endpoint: str) -> str:
        """Tell the log and the signal why a token is not spoken of; the reference id for the answer."""
        sender = flask.current_app._get_current_object()  # type: ignore[attr-defined]
        return describe_refusal(reason, endpoint=endpoint, sender=sender)

    # --- where Authlib's grants come back -----------------------------------------------------------------
    def authenticate_client(self, request: TokenRequest, methods: Iterable[str], endpoint: str = "token") -> Any:
        """The client of the request: authenticated already at the token endpoint, else now, and its assertion spent.

        :raises InvalidClient: The caller does not prove who it is.
        :raises UnauthorizedClient: The grant does not accept clients that authenticate like this one.
        """
        if request.authenticated is None:
            caller = self.client_auth.verify(request.read)
            self.remember(caller, None)
            request.authenticated = AuthenticatedClient(caller.client, request.read, None)
        if request.authenticated.registered.token_endpoint_auth_method not in methods:
            raise UnauthorizedClient(
                f"the grant accepts {list(methods)!r} only", client_id=request.authenticated.client_id
            )
        return request.authenticated

    def create_oauth2_request(self, request: HTTPRequest | None = None) -> TokenRequest:
        """The current request in Authlib's shape, for an endpoint of the application's own."""
        return TokenRequest(self.read_request(request), None)

    def create_endpoint_response(self, name: str, request: Any = None) -> Any:
        """Answer at an endpoint registered with :meth:`register_endpoint`, as in Authlib."""
        try:
            return super().create_endpoint_response(name, request)
        except OAuth2Error as error:  # Authlib reads the request before it starts to catch
            return self.handle_error_response(request, error)

    def handle_error_response(self, request: Any, error: OAuth2Error) -> flask.Response:
        """A refusal at an endpoint of the application's own, with the same two faces as everywhere."""
        sender = flask.current_app._get_current_object()  # type: ignore[attr-defined]
        return self.send(error_response(translate(error), endpoint="application", sender=sender))

    def generate_token(
        self,
        grant_type: str,
        client: AuthenticatedClient,
        user: Any = None,
        scope: str | None = None,
        expires_in: int | None = None,
        include_refresh_token: bool = True,
    ) -> dict[str, Any]:
        """The tokens of a grant, ours or the application's own. The arguments are Authlib's.

        :raises OAuthError: See :meth:`.issuing.TokenMaker.make`.
        """
        subject = None if user is None else find_subject(user)
        token = self.token_maker.make(client, grant_type=grant_type, subject=subject, scope=scope, lifetime=expires_in)
        self._announce(token)
        return token.members()

    def _announce(self, token: IssuedToken) -> None:
        if not token_issued.receivers:  # most apps have none, and this is on the way of every token
            return
        grant = token.grant
        token_issued.send(
            flask.current_app._get_current_object(),  # type: ignore[attr-defined]
            client_id=grant.client_id,
            grant_type=grant.grant_type,
            scope=grant.scope,
            audience=grant.audience,
            jkt=grant.proof.thumbprint if grant.proof else None,
            jti=token.jti,
        )

    def query_client(self, client_id: str) -> AuthenticatedClient | None:
        """A registered client in Authlib's shape, without authenticating it."""
        registered = self.clients.find(client_id)
        if registered is None or not registered.enabled:
            return None
        return AuthenticatedClient(registered, FormRequest(endpoint="", url="", form={}), None)

    # --- what is registered --------------------------------------------------------------------------------
    def token_grants(self) -> list[tuple[Any, Any]]:
        """The grants of the token endpoint, with their extensions; the application's own come first."""
        ours = self._token_grants
        if not self.has_people():
            ours = [pair for pair in ours if pair[0].GRANT_TYPE not in PEOPLES_GRANTS]
        return [*self.declarations.grants, *ours]

    def grant_types(self) -> list[str]:
        """The ``grant_type`` values the token endpoint answers."""
        return list(dict.fromkeys(grant.GRANT_TYPE for grant, _ in self.token_grants() if grant.GRANT_TYPE))

    def offers_openid(self) -> bool:
        """Whether OpenID Connect is served: there are people, and ``OAUTH2_SCOPES`` does not leave ``openid`` out."""
        return self.has_people() and (not self.settings.SCOPES or OPENID in self.settings.SCOPES)
