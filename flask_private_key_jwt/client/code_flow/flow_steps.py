"""The authorization code flow, without I/O: from the request to the tokens, their renewal and their end."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ... import clock
from ...errors import ConfigurationError
from ...fetching.discovery import DiscoveryError, ServerMetadata, jwks_steps
from ...fetching.exchange import FetchedAnswer
from ...fetching.steps import Form, Steps
from ...jose import jose
from ...jose.unset import is_unset
from ..client_steps import ClientSteps
from ..endpoint import ADVICE, FormEndpoint
from ..errors import EndpointError, PushError, SignInError, SignInRequired, TokenRequestError
from ..proofs import Prover
from ..token import TOKEN, Token, TokenType, read_token
from ..token_steps import TokenSteps
from .answer import check_answer
from .id_token import ExpectedIdToken, IdClaims, check_id_token, check_same_sign_in, choose_algs, read_id_token
from .pending import PendingSignIn
from .published_keys import PublishedKeys
from .request import build_request, build_url, sign_request
from .tokens import PersonTokens

PUSH = FormEndpoint(
    "pushed_authorization_request_endpoint",
    undone="Nobody can sign in",
    failure=PushError,
    advice={
        **ADVICE,
        "invalid_scope": "Ask for scopes this client is registered for.",
        "invalid_target": "The server does not issue tokens for this resource.",
        "invalid_request": "The server finds the request malformed: is the redirect URI the one that is registered?",
        "invalid_dpop_proof": "The server does not accept the DPoP proof: is this machine's clock right?",
        "unauthorized_client": "The client is not registered for the authorization_code grant.",
    },
)
PERSON_TOKEN = replace(
    TOKEN,
    advice={
        **TOKEN.advice,
        "invalid_grant": "The code or refresh token is expired, was used before, or belongs to another client or key: "
        "the person has to sign in once more.",
        "invalid_request": "The server finds the request malformed; it may require DPoP.",
        "unauthorized_client": "The client is not registered for this grant.",
        "unsupported_grant_type": "The server does not offer this grant.",
    },
)


@dataclass(frozen=True, slots=True)
class RequestSigner:
    """Signs authorization requests (RFC 9101)."""

    key: jose.PrivateKey
    header: Mapping[str, Any] = field(repr=False)
    """How the server finds the key: ``kid``, ``x5t``."""
    always: bool
    """Whether to sign also where the server does not require it."""


class CodeFlowSteps:
    """The sign-ins of one client at one server; safe to share between threads, and between event loops.

    :param client: Asks the server.
    :param prover: Binds codes and tokens to its key (RFC 9449 §5, §10); ``None`` asks for Bearer tokens.
    :param signer: Signs requests; ``None`` for a client without a key.
    :param allow_missing_iss: Whether an answer without ``iss`` is accepted from a server that promises none.
    """

    def __init__(
        self, client: ClientSteps, *, prover: Prover | None, signer: RequestSigner | None, allow_missing_iss: bool
    ) -> None:
        self._client = client
        self._prover = prover
        self._signer = signer
        self._allow_missing_iss = allow_missing_iss
        self._keys = PublishedKeys(self._fetch_keys)

    @property
    def token_type(self) -> TokenType:
        """The only type of token that is accepted."""
        return "DPoP" if self._prover else "Bearer"

    @property
    def jkt(self) -> str | None:
        """The thumbprint of the key that codes and tokens are bound to."""
        return self._prover.thumbprint if self._prover else None

    # --- the request ------------------------------------------------------------------------------------
    def build_request_url(self, pending: PendingSignIn, more: Mapping[str, str | None]) -> Steps[str]:
        """The URL to send the browser to; the request is signed and pushed if the server wants or offers it.

        :raises DiscoveryError: The server's metadata cannot be fetched, or names no authorization endpoint.
        :raises PushError: The server did not take the pushed request.
        :raises ConfigurationError: *more* is not acceptable, or the request must be signed and cannot be.
        """
        metadata = yield from self._client.metadata()
        endpoint = metadata.endpoint("authorization_endpoint")
        _check_pkce(metadata)
        parameters = self._sign(build_request(pending, more=more), metadata)
        if not _pushes(metadata):
            return build_url(endpoint, parameters)
        request_uri = yield from self._push(parameters)
        return build_url(endpoint, [("client_id", pending.client_id), ("request_uri", request_uri)])

    def _sign(self, parameters: Form, metadata: ServerMetadata) -> Form:
        required = metadata.raw.get("require_signed_request_object") is True
        signer = self._signer
        if signer is None:
            if required:
                raise ConfigurationError(f"{metadata.issuer} requires signed requests: give this client its key.")
            return parameters
        if not (required or signer.always):
            return parameters
        algs = metadata.raw.get("request_object_signing_alg_values_supported")
        if isinstance(algs, list) and algs and signer.key.alg not in algs:
            raise ConfigurationError(
                f"{metadata.issuer} accepts no request signed with {signer.key.alg}; it accepts "
                f"{', '.join(map(str, algs))[:200]}."
            )
        signed = sign_request(parameters, audience=metadata.issuer, key=signer.key, header=signer.header)
        return [("client_id", self._client.client_id), ("request", signed)]

    def _push(self, parameters: Form) -> Steps[str]:
        """RFC 9126 §2. The proof binds the code (RFC 9449 §10.1)."""
        answer = yield from self._post(PUSH, parameters)
        if answer.status != 201:
            raise PUSH.refusal(answer)
        request_uri = PUSH.load_members(answer).get("request_uri")
        if not isinstance(request_uri, str):
            raise PUSH.unusable(answer, "answer holds no request_uri.")
        return request_uri

    # --- the answer -------------------------------------------------------------------------------------
    def check_answer(self, values: Mapping[str, str], pending: PendingSignIn) -> Steps[str]:
        """The code in an answer to *pending*.

        :raises SignInError: It is not our answer, or not one that can be used.
        :raises DiscoveryError: The server's metadata cannot be fetched.
        """
        self._check_own(pending)
        metadata = yield from self._client.metadata()
        promised = metadata.raw.get("authorization_response_iss_parameter_supported") is True
        return check_answer(values, pending, iss_required=promised or not self._allow_missing_iss)

    def _check_own(self, pending: PendingSignIn) -> None:
        if (pending.issuer, pending.client_id) != (self._client.issuer, self._client.client_id):
            raise SignInError(
                "The sign-in was begun at another server, or by another client of this program. Keep them apart.",
                cause="sign_in_foreign",
            )
        if pending.jkt != self.jkt:
            raise SignInError(
                "The sign-in was begun with another DPoP key. A program with several processes, or one that is "
                "restarted while people sign in, needs a dpop_key that is the same in all of them.",
                cause="sign_in_key",
            )

    def redeem(self, code: str, pending: PendingSignIn) -> Steps[PersonTokens]:
        """Exchange a code for tokens (RFC 6749 §4.1.3), and check who signed in.

        :raises DiscoveryError: The server's metadata or keys cannot be fetched.
        :raises TokenRequestError: The server gave no usable token.
        :raises SignInError: The server does not accept the code, or the ID token is not acceptable.
        """
        form = [
            ("grant_type", "authorization_code"),
            ("client_id", pending.client_id),
            ("code", code),
            ("redirect_uri", pending.redirect_uri),
            ("code_verifier", pending.code_verifier),
            *(("resource", resource) for resource in pending.resources),
        ]
        try:
            token = yield from self._ask(form)
        except SignInRequired as error:
            raise SignInError(str(error), cause="sign_in_code_refused", **_said(error)) from None
        id_token: str | None = None
        claims: IdClaims = {}
        if pending.wants_id_token:
            id_token = token.raw.get("id_token")
            claims = yield from self._check_id_token(
                id_token, token.access_token, nonce=pending.nonce, max_age=pending.max_age
            )
        return PersonTokens(
            pending.issuer,
            pending.client_id,
            replace(token, raw={}),
            refresh_token=_find_text(token.raw, "refresh_token"),
            id_token=id_token,
            claims=claims,
            jkt=self.jkt,
            resources=pending.resources,
        )

    # --- afterwards -------------------------------------------------------------------------------------
    def refresh(self, old: PersonTokens) -> Steps[PersonTokens]:
        """Exchange a refresh token for new tokens (RFC 6749 §6); what the answer leaves out stays as it was.

        :raises SignInRequired: There is no refresh token, or the server does not accept it any more.
        :raises DiscoveryError: The server's metadata cannot be fetched.
        :raises TokenRequestError: The server gave no usable token.
        :raises SignInError: The answer is about another person, or another sign-in.
        """
        if old.refresh_token is None:
            raise SignInRequired("The access token is over, and there is no refresh token: the person has to sign in.")
        form = [
            ("grant_type", "refresh_token"),
            ("client_id", old.client_id),
            ("refresh_token", old.refresh_token),
            *(("resource", resource) for resource in old.resources),
        ]
        token = yield from self._ask(form)
        new = replace(
            old,
            token=replace(token, raw={}, scope=token.scope or old.token.scope),
            refresh_token=_find_text(token.raw, "refresh_token") or old.refresh_token,
            jkt=self.jkt,
        )
        if old.id_token is None or "id_token" not in token.raw:
            return new
        try:
            claims = yield from self._check_id_token(token.raw["id_token"], token.access_token, nonce=None)
        except DiscoveryError:
            # The old refresh token may be spent, so the new one must be kept. Who signed in is known already.
            return new
        check_same_sign_in(claims, old.claims)
        return replace(new, id_token=token.raw["id_token"], claims={**old.claims, **claims})

    def revoke(self, tokens: PersonTokens) -> Steps[bool]:
        """Revoke all tokens (RFC 7009): first the one that the others come from.

        :return: ``False`` if the server has no revocation endpoint.
        :raises DiscoveryError: The server's metadata cannot be fetched.
        :raises RevocationError: The server did not answer, or refused.
        """
        metadata = yield from self._client.metadata()
        if is_unset(metadata.raw.get("revocation_endpoint")):
            return False
        client = TokenSteps(self._client, self._prover)
        if tokens.refresh_token is not None:
            yield from client.revoke_token(tokens.refresh_token, "refresh_token")
        yield from client.revoke_token(tokens.token.access_token, "access_token")
        return True

    def _ask(self, form: Form) -> Steps[Token]:
        now = clock.now()
        answer = yield from self._post(PERSON_TOKEN, form)
        try:
            return read_token(answer, wanted=self.token_type, now=now, endpoint=PERSON_TOKEN)
        except TokenRequestError as error:
            if error.error == "invalid_grant":
                raise SignInRequired(str(error), **_said(error)) from None
            raise

    def _post(self, endpoint: FormEndpoint, form: Form) -> Steps[FetchedAnswer]:
        """Post a form, and once more if the server wants a nonce in the proof and gave it (RFC 9449 §8)."""
        answer = yield from self._client.post(endpoint, form, prover=self._prover)
        has_nonce = self._prover is not None and self._prover.learn(answer.headers)
        if has_nonce and endpoint.find_error(answer) == "use_dpop_nonce":
            answer = yield from self._client.post(endpoint, form, prover=self._prover)
        return answer

    def _check_id_token(
        self, text: object, access_token: str, *, nonce: str | None, max_age: int | None = None
    ) -> Steps[IdClaims]:
        metadata = yield from self._client.metadata()
        expected = ExpectedIdToken(
            self._client.issuer,
            self._client.client_id,
            choose_algs(metadata.raw),
            nonce=nonce,
            access_token=access_token,
            max_age=max_age,
        )
        jwt = read_id_token(text, expected)
        candidates = yield from self._keys.candidates(jwt.kid)
        return check_id_token(jwt, expected, candidates, now=clock.now())

    def _fetch_keys(self) -> Steps[tuple[jose.PublicKey, ...]]:
        metadata = yield from self._client.metadata()
        return (yield from jwks_steps(metadata.jwks_uri, timeout=self._client.timeout))


def _check_pkce(metadata: ServerMetadata) -> None:
    """Refuse a server that says of itself that it cannot tell who redeems a code (RFC 9700 §2.1.1).

    A server that says nothing of it is asked with a challenge all the same.
    """
    methods = metadata.raw.get("code_challenge_methods_supported")
    if isinstance(methods, list) and "S256" not in methods:
        raise DiscoveryError(f"{metadata.issuer} does not support PKCE with S256, so a stolen code could be used.")


def _pushes(metadata: ServerMetadata) -> bool:
    """Whether the request is pushed: what is asked does not go through the browser, where the server can do that.

    If the metadata requires it and names no endpoint, the push will say so.
    """
    required = metadata.raw.get("require_pushed_authorization_requests") is True
    return required or not is_unset(metadata.raw.get(PUSH.member))


def _said(error: EndpointError) -> dict[str, Any]:
    """What the server said, for an exception of another kind."""
    return {name: getattr(error, name) for name in ("error", "description", "status", "reference")}


def _find_text(members: Mapping[str, Any], name: str) -> str | None:
    value = members.get(name)
    return value if isinstance(value, str) else None
