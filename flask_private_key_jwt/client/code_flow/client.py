"""AuthorizationCodeClient: signs people in, gets tokens that act for them, renews them, and gives them back."""

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import Any

from ...errors import ConfigurationError
from ...fetching.discovery import ServerMetadata
from ...fetching.exchange import TIMEOUT_SECONDS, Runner
from ...fetching.outbound import build_outbound
from ..api_access import choose_dpop_key, choose_origin
from ..assertion import Assertions
from ..certificate import CertificateSource
from ..client_steps import ClientSteps, PublicClient
from ..key import KeySource
from ..proofs import Prover
from .answer import SignInAnswer, is_state_of, read_answer
from .browser import OpenBrowser, open_system_browser
from .finished_sign_ins import FinishedSignIns
from .flow_steps import CodeFlowSteps, RequestSigner
from .loopback import LoopbackListener
from .pending import PendingSignIn, begin
from .person_auth import PersonAccess, PersonAuth
from .renewals import Renewals
from .request import check_redirect_uri
from .sign_out import sign_out_url_steps
from .token_source import PersonTokenSource
from .token_store import TokenStore
from .tokens import PersonTokens
from .userinfo import check_subject, userinfo_steps

log = logging.getLogger("flask_private_key_jwt")

PATIENCE_SECONDS = 300.0
"""Default for how long a person may take to sign in, in seconds."""
MOST_APIS = 100
"""How many APIs' nonces are remembered."""


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """A sign-in that was begun."""

    url: str = field(repr=False)
    """Where to send the person's browser."""
    pending: PendingSignIn
    """What to keep until the browser comes back."""


class AuthorizationCodeClient:
    """One client at one authorization server that acts for people (RFC 6749 §4.1); safe to share between threads.

    It needs no web framework: :meth:`start` gives a URL to send the browser to and a value to keep, and :meth:`finish`
    makes tokens of the answer and that value. A program without a web server uses :meth:`sign_in_with_browser`.

    :param issuer: The server's issuer identifier, character by character (RFC 8414 §3.3).
    :param client_id: The id under which the client is registered there.
    :param key: The client's private key, in any form that :func:`~flask_private_key_jwt.client.load_key` accepts, for
        ``private_key_jwt``; ``None`` for a public client (``none``).
    :param alg: The algorithm to sign with; default as in :func:`~flask_private_key_jwt.client.load_key`.
    :param key_password: The password of an encrypted PEM or PKCS #12 file.
    :param kid: The key's name at the server; default as in
        :func:`~flask_private_key_jwt.client.build_client_assertion`.
    :param certificate: The key's certificate (path, PEM or base64 DER), if the server identifies the client by one.
    :param audience: The ``aud`` of the assertions. Default: the issuer. For a server that requires the older rule
        (RFC 7523 §3): the URL of its token endpoint.
    :param dpop: Bind codes and tokens to a key (RFC 9449 §5, §10), and use no others. ``False`` asks for Bearer tokens,
        which whoever steals them can use.
    :param dpop_key: That key; default: a new ES256 key for this object. Several processes that share tokens need the
        same key, and so does a program that uses its tokens again after a restart.
    :param sign_requests: Sign authorization requests (RFC 9101), also where the server does not require it.
    :param allow_missing_iss: Accept an answer without ``iss`` (RFC 9207) from a server that does not promise to send
        one. Only for a program that uses this server alone: otherwise another server can pose as it.
    :param timeout: Longest wait for the server in each call, discovery included, in seconds.
    :param proxies: The proxies to use, in the form that ``requests`` takes; ``{}``: none. Default: those of the
        environment (``HTTPS_PROXY``, ``NO_PROXY``). Not used for a server on this machine.
    :param ca_bundle: Path of the certificate authorities to trust (PEM). Default: ``REQUESTS_CA_BUNDLE``, else those of
        ``requests``.
    :raises ConfigurationError: An argument is wrong; the message says which and why.
    """

    def __init__(
        self,
        issuer: str,
        client_id: str,
        *,
        key: KeySource | None = None,
        alg: str | None = None,
        key_password: str | None = None,
        kid: str | None = None,
        certificate: CertificateSource | None = None,
        audience: str | None = None,
        dpop: bool = True,
        dpop_key: KeySource | None = None,
        sign_requests: bool = False,
        allow_missing_iss: bool = False,
        timeout: float = TIMEOUT_SECONDS,
        proxies: Mapping[str, str] | None = None,
        ca_bundle: str | None = None,
    ) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self._dpop_key = choose_dpop_key(dpop, dpop_key)
        signer: RequestSigner | None = None
        if key is None:
            unused = {"alg": alg, "key_password": key_password, "kid": kid, "certificate": certificate}
            _check_public({**unused, "audience": audience})
            if sign_requests:
                raise ConfigurationError("A request is signed with the client's key: give the key, too.")
            authentication: Assertions | PublicClient = PublicClient(issuer, client_id)
        else:
            authentication = Assertions(
                issuer,
                client_id,
                key=key,
                alg=alg,
                key_password=key_password,
                kid=kid,
                certificate=certificate,
                audience=audience,
            )
            signer = RequestSigner(authentication.key, authentication.header, always=sign_requests)
        client = ClientSteps(issuer, authentication, timeout=timeout)
        self._client = client
        self._runner = Runner(build_outbound(proxies, ca_bundle))
        self._prover = Prover(self._dpop_key) if self._dpop_key else None
        self._flow = CodeFlowSteps(
            client,
            prover=self._prover,
            signer=signer,
            allow_missing_iss=allow_missing_iss,
        )
        if allow_missing_iss:
            log.warning("client %s at %s takes answers without iss: another server could pose as it", client_id, issuer)
        self._renewals = Renewals(self._flow.refresh)
        self._finished = FinishedSignIns()
        self._provers: OrderedDict[str, Prover] = OrderedDict()
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<AuthorizationCodeClient {self.client_id!r} at {self.issuer!r}>"

    def metadata(self) -> ServerMetadata:
        """The server's metadata, fetched at first use.

        :raises DiscoveryError: It could not be fetched, or is about another issuer.
        """
        return self._runner.run(self._client.metadata())

    def start(
        self,
        redirect_uri: str,
        *,
        scope: str | None = None,
        resource: str | Sequence[str] = (),
        max_age: int | None = None,
        more: Mapping[str, str | None] | None = None,
    ) -> SignInRequest:
        """Begin a sign-in. Redirect the browser to the ``url``, and keep the ``pending`` in that browser's session.

        :param redirect_uri: Where the browser comes back to, as it is registered.
        :param scope: Scopes, separated by spaces; with ``openid`` among them, the client learns who signed in. Default:
            the server decides.
        :param resource: The API or APIs that the tokens are for (RFC 8707 §2).
        :param max_age: The person must sign in again if their last sign-in is longer ago, in seconds.
        :param more: Further parameters: ``prompt``, ``login_hint``, ``id_token_hint``, ``ui_locales``, for example.
        :raises ConfigurationError: An argument is wrong; the message says which and why.
        :raises DiscoveryError: The server's metadata could not be fetched, or names no authorization endpoint.
        :raises PushError: The server did not take the request.
        """
        check_redirect_uri(redirect_uri)
        pending = begin(
            self.issuer,
            self.client_id,
            redirect_uri,
            scope=scope,
            resources=[resource] if isinstance(resource, str) else resource,
            max_age=max_age,
            jkt=self._flow.jkt,
        )
        return SignInRequest(self._runner.run(self._flow.build_request_url(pending, more or {})), pending)

    def finish(self, answer: SignInAnswer, pending: PendingSignIn | Mapping[str, Any]) -> PersonTokens:
        """End a sign-in: check the answer, exchange its code for tokens, and check who signed in.

        :param answer: The URL that the browser called, or the parameters in it (``request.args`` in Flask).
        :param pending: What :meth:`start` gave, or its :meth:`PendingSignIn.to_json`; from the same browser's session.
        :raises SignInError: Nobody is signed in: the answer or the ID token is not acceptable; ``cause`` says why.
        :raises TokenRequestError: The server gave no usable token.
        :raises DiscoveryError: The server's metadata or keys could not be fetched.
        """
        kept = pending if isinstance(pending, PendingSignIn) else PendingSignIn.from_json(pending)
        code = self._runner.run(self._flow.check_answer(read_answer(answer), kept))
        # Before the code is sent: a server that gets a code twice revokes everything that came of it.
        self._finished.add(kept)
        tokens = self._runner.run(self._flow.redeem(code, kept))
        log.debug("client %s signed a person in at %s", self.client_id, self.issuer)
        return tokens

    def sign_in_with_browser(
        self,
        store: TokenStore,
        *,
        scope: str | None = None,
        resource: str | Sequence[str] = (),
        max_age: int | None = None,
        more: Mapping[str, str | None] | None = None,
        path: str = "/callback",
        open_browser: OpenBrowser = open_system_browser,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> PersonTokens:
        """Sign a person in who sits at this machine (RFC 8252): opens their browser, and waits for the answer.

        The client must be registered for ``http://127.0.0.1`` with this *path*; the port is a free one (§7.3).

        :param store: Where the tokens are kept.
        :param path: The path of the redirect URI.
        :param open_browser: Brings the person to a URL, and returns at once.
        :param patience_seconds: How long the person may take.
        :raises SignInError: As :meth:`finish`, or nobody came back in time. The rest as in :meth:`start` and
            :meth:`finish`.
        """
        with LoopbackListener(path) as listener:
            request = self.start(listener.redirect_uri, scope=scope, resource=resource, max_age=max_age, more=more)
            listener.expect(partial(is_state_of, pending=request.pending))
            open_browser(request.url)
            values = listener.wait(seconds=patience_seconds)
        tokens = self.finish(values, request.pending)
        store.save(tokens)
        return tokens

    def auth(self, store: TokenStore, *, resource: str | None = None, origin: str | None = None) -> PersonAuth:
        """An auth object for ``requests`` that sends the person's token, with a proof, and renews it.

        :param store: Where the tokens are.
        :param resource: The API's identifier, one of those that the person signed in for. The token is sent to its
            origin only.
        :param origin: That origin, if the identifier of the API is not its URL.
        :raises ConfigurationError: There is no such origin.
        """
        allowed_origin = choose_origin(origin, resource)
        access = PersonAccess(
            self._source(store, resource), origin=allowed_origin, prover=self._find_prover(allowed_origin)
        )
        return PersonAuth(access, self._runner)

    def userinfo(self, store: TokenStore) -> Mapping[str, Any]:
        """What the server says about the person who signed in (OpenID Connect Core §5.3).

        :raises SignInRequired: Nobody is signed in, or no longer.
        :raises UserInfoError: The server did not answer, or refused.
        :raises SignInError: It speaks of somebody else.
        :raises DiscoveryError: The server's metadata could not be fetched, or names no UserInfo endpoint.
        """
        token = self._runner.run(self._source(store).get())
        claims = self._runner.run(userinfo_steps(self._client, self._prover, token))
        tokens = store.load()
        check_subject(claims, None if tokens is None else tokens.subject)
        return claims

    def build_sign_out_url(
        self, store: TokenStore, *, post_logout_redirect_uri: str | None = None, state: str | None = None
    ) -> str | None:
        """Where to send the browser so that the person is signed out at the server too (OpenID RP-Initiated Logout §2).

        Call it before :meth:`sign_out`: the URL has the ID token, by which the server knows who asks.

        :param post_logout_redirect_uri: Where the browser goes afterwards, as it is registered.
        :param state: Comes back to that URI.
        :return: ``None`` if the server has no such page.
        :raises DiscoveryError: The server's metadata could not be fetched.
        """
        tokens = store.load()
        id_token = None if tokens is None else tokens.id_token
        steps = sign_out_url_steps(
            self._client, id_token, post_logout_redirect_uri=post_logout_redirect_uri, state=state
        )
        return self._runner.run(steps)

    def sign_out(self, store: TokenStore) -> None:
        """Forget the person's tokens here, and revoke them at the server (RFC 7009). Nothing to do if there are none.

        They are forgotten in any case.

        :raises RevocationError: The server did not answer, or refused: the tokens may still count there.
        :raises DiscoveryError: The server's metadata could not be fetched.
        """
        with store.exclusive():
            tokens = store.load()
            store.delete()
        if tokens is not None:
            self._renewals.forget(tokens)
            if not self._runner.run(self._flow.revoke(tokens)):
                log.info("%s has no revocation endpoint: the tokens count until they expire", self.issuer)

    def _find_prover(self, origin: str) -> Prover | None:
        """The prover for an API, one for all people: an API that wants nonces gave it one, which is good for all."""
        if self._dpop_key is None:
            return None
        with self._lock:
            known = self._provers.pop(origin, None) or Prover(self._dpop_key)
            self._provers[origin] = known
            while len(self._provers) > MOST_APIS:
                self._provers.popitem(last=False)
        return known

    def _source(self, store: TokenStore, resource: str | None = None) -> PersonTokenSource:
        return PersonTokenSource(
            store,
            self._renewals,
            issuer=self.issuer,
            client_id=self.client_id,
            jkt=self._flow.jkt,
            resource=resource,
        )


def _check_public(arguments: Mapping[str, object]) -> None:
    for name, value in arguments.items():
        if value is not None:
            raise ConfigurationError(f"{name} belongs to a key, and there is none: a public client has no key.")
