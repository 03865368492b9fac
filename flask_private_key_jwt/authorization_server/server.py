"""The seven steps of a token request, on Authlib's Flask authorization server (RFC 6749 §3.2)."""

from collections.abc import Mapping
from typing import Any

import flask

from ..errors import InactiveToken, InvalidClient
from ..settings.server import ServerSettings
from ..signals.events import Announcer, TokenIntrospected, TokenIssued
from ..signals.refusal import Answer, attributed_to, describe_refusal
from .authlib_server import AuthlibServer
from .authorization.authorizer import Authorizer
from .authorization.parameters import Parameters
from .client_auth.base import VerifiedClient
from .grants.authlib_grants import AcceptedGrant, AuthlibGrants
from .grants.base import Allowed
from .grants.issuing import TokenMaker
from .grants.token_grants import TokenGrants
from .needs import Offered
from .request import FormRequest, HTTPRequest, read_form
from .response import empty_response, inactive_response, pushed_response, token_response
from .sending import build_response
from .server_parts import CallerChecks, Declarations, TokenParts
from .tokens.access_token import IssuedToken


class AuthorizationServer(AuthlibServer):
    """One app's authorization server. Grants and endpoints are registered on it as on Authlib's.

    :param settings: The server's settings.
    :param base_url: The URLs of the machine endpoints start with it. A proof's ``htu`` is compared with them, never
        with ``Host``.
    :param callers: Steps 2 to 4.
    :param tokens: Steps 5 and 6, and the end of a token.
    :param authorizer: Checks authorization requests and keeps them.
    :param declarations: What the application registers on the extension.
    :param offered: Returns what the application has now.
    :param announcer: Tells the application's receivers what happened.
    """

    def __init__(
        self,
        settings: ServerSettings,
        *,
        base_url: str,
        callers: CallerChecks,
        tokens: TokenParts,
        authorizer: Authorizer,
        declarations: Declarations,
        offered: Offered,
        announcer: Announcer,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.base_url = base_url
        self.clients = callers.clients
        self.client_auth = callers.client_auth
        self.dpop = callers.dpop
        self.once_only = callers.once_only
        guests = AuthlibGrants(self, declarations.grants, self._token_grants)
        self.grants = TokenGrants(settings, tokens.grants, guests=guests, offered=offered)
        self.token_maker = TokenMaker(
            settings,
            tokens.access_tokens,
            tokens.id_tokens,
            declarations.policies,
            offered=offered,
            scope_matchers=declarations.scope_matchers,
        )
        self.client_key_binding = tokens.client_key_binding
        self.refresh_tokens = tokens.grants.refresh_tokens
        self.revocations = tokens.grants.revocations
        self.introspection = tokens.introspection
        self.revoker = tokens.revoker
        self.authorizer = authorizer
        self.declarations = declarations
        self.announcer = announcer

    # --- the table of contents --------------------------------------------------------------------------
    def create_token_response(self, request: FormRequest | None = None) -> flask.Response:
        """Answer one token request. Steps 1 to 3 spend nothing.

        :param request: The request, if it has been read already.
        :raises OAuthError: The request is refused; ``endpoints/http.py`` makes the answer.
        """
        request = request or self.read_request()  # 1 what was asked
        caller = self._verify(request)  # 2 who asks
        with attributed_to(caller.client.client_id):
            proof = self.dpop.check(request, caller.client)  # 3 which key they hold
            self.once_only.remember(request, caller, proof)  # 4 once only
            allowed = self.grants.check(request, caller.client, proof, method=caller.method)  # 5 what allows it
            self.client_key_binding.check(allowed, caller.thumbprint)
            token = self.issue(allowed)  # 6 the token
        return self.send(token_response(token, nonce=self.dpop.new_nonce()))  # 7 the answer

    def create_pushed_authorization_response(self) -> flask.Response:
        """Answer one pushed authorization request (RFC 9126 §2): the same steps, but the result is a kept request.

        :raises OAuthError: The request is refused.
        """
        request = self.read_form("par")  # 1 what was asked
        caller = self.client_auth.verify(request)  # 2 who asks
        with attributed_to(caller.client.client_id):
            # 3 which key they hold
            proof = self.dpop.check(request, caller.client, optional=self.settings.PROFILE != "atproto")
            self.once_only.remember(request, caller, proof)  # 4 once only
            parameters = Parameters(request.form, request.resources)
            # 5 and 6 what they want, checked and kept
            pushed = self.authorizer.push(
                parameters, caller.client, proof, client_jkt=caller.thumbprint, address=request.remote_addr
            )
        answer = pushed_response(pushed.request_uri, expires_in=pushed.expires_in, nonce=self.dpop.new_nonce())
        return self.send(answer)  # 7 the answer

    def create_introspection_response(self) -> flask.Response:
        """Answer one introspection request (RFC 7662 §2). It needs no proof of the token's key (RFC 9449 §6.2).

        :raises OAuthError: The request is refused.
        """
        request = self.read_form("introspect")  # 1 what was asked
        caller = self.client_auth.verify(request)  # 2 who asks
        try:
            with attributed_to(caller.client.client_id):
                self.once_only.remember(request, caller, None)  # 4 once only
                described = self.introspection.describe(request.get("token"), caller.client)  # 5 what it says
            answer = Answer(200, described)
            self._announce_introspection(caller.client.client_id, described)
        except InactiveToken as reason:
            answer = inactive_response(self._note(reason, endpoint="introspection"))
        return self.send(answer)  # 7 the answer

    def create_revocation_response(self) -> flask.Response:
        """Answer one revocation request (RFC 7009 §2). It needs no proof of the token's key either.

        :raises OAuthError: The request is refused.
        """
        request = self.read_form("revoke")  # 1 what was asked
        caller = self.client_auth.verify(request)  # 2 who asks
        try:
            with attributed_to(caller.client.client_id):
                self.once_only.remember(request, caller, None)  # 4 once only
                self.revoker.revoke(request.get("token"), caller.client)  # 5 what ends
            answer = empty_response(200)
        except InactiveToken as reason:
            answer = empty_response(200, reference=self._note(reason, endpoint="revocation"))
        return self.send(answer)  # 7 the answer

    def read_request(self, request: HTTPRequest | None = None) -> FormRequest:
        """Step 1: read the form of the current token request."""
        return self.read_form("token", request)

    def read_form(self, endpoint: str, request: HTTPRequest | None = None) -> FormRequest:
        """Read the form of a request to a machine endpoint.

        :param endpoint: The end of its path: ``token``, ``par``, ``revoke`` …
        """
        # Not Flask's proxy, which looks the request up again for each attribute.
        http: HTTPRequest = request or flask.request._get_current_object()  # type: ignore[attr-defined]
        url = f"{self.base_url}/{endpoint}"
        return read_form(http, endpoint=endpoint, url=url, max_bytes=self.settings.REQUEST_MAX_BYTES)

    def issue(self, allowed: Allowed | AcceptedGrant) -> dict[str, Any]:
        """Step 6: make the tokens of a grant, then spend the grant's code or refresh token.

        :raises OAuthError: See :meth:`.issuing.TokenMaker.make`; or another request has spent it first.
        """
        if isinstance(allowed, AcceptedGrant):
            return allowed.create_token()  # calls generate_token, which calls this method again
        token = self.token_maker.make(allowed)
        # Last: if the resource or the token policy is the reason for a refusal, nothing has been spent.
        members = token.members(refresh_token=allowed.spend(), with_subject=self.settings.PROFILE == "atproto")
        self._announce(token)
        return members

    def send(self, answer: Answer) -> flask.Response:
        """Step 7: an answer as a Flask response."""
        return build_response(answer)

    def _note(self, reason: InactiveToken, *, endpoint: str) -> str:
        """Tell the log and the signal why nothing is said about a token; return the reference id for the answer."""
        sender = flask.current_app._get_current_object()  # type: ignore[attr-defined]
        return describe_refusal(reason, endpoint=endpoint, sender=sender)

    def _verify(self, request: FormRequest) -> VerifiedClient:
        """Find out who asks for a token. Who cannot prove it may end a session whose key its client removed."""
        try:
            return self.client_auth.verify(request)
        except InvalidClient:
            self.client_key_binding.note_refused(request)
            raise

    def _announce(self, token: IssuedToken) -> None:
        if not self.announcer.wants(TokenIssued):  # most apps have no receiver, and this runs for every token
            return
        grant = token.grant
        self.announcer.tell(
            TokenIssued(
                client_id=grant.client_id,
                grant_type=grant.grant_type,
                scope=grant.scope,
                audience=grant.audience,
                jkt=grant.proof.thumbprint if grant.proof else None,
                jti=token.jti,
            )
        )

    def _announce_introspection(self, client_id: str, described: Mapping[str, Any]) -> None:
        if self.announcer.wants(TokenIntrospected):
            told = TokenIntrospected(client_id, jti=described.get("jti"), holder=described.get("client_id"))
            self.announcer.tell(told)
