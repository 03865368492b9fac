"""What is sent to the running server, and what it has to answer: one line for each request.

The names are those of the modules of the OpenID Foundation's suite, without ``fapi2-security-profile-final-``. What
the suite does not ask, or asks in a flow with a person, has a name of the same kind.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from ... import clock
from ...fetching.exchange import FetchedAnswer
from ...jose import jose
from .deployment import Deployment
from .live_client import (
    PUSHED,
    LiveClient,
    gives_scopes_to_clients,
    refuses_rs256,
    with_other_signature,
    without_signature,
)

AGAIN = 16
"""How many times a used message is sent again, each time on a new connection: of two workers that each remember for
themselves, the second then stays unasked once in 65,000 times."""
_OTHER_SERVER = "https://doctor.invalid"
_UNAUTHENTICATED = ("invalid_client", "invalid_request")
_BAD_PROOF = ("invalid_dpop_proof",)
_SHARED_STORE = "Let all workers share one replay store: OAUTH2_REPLAY_STORE."
SOMETHING_ELSE = "See what answers here: another version, another app, or a proxy that changes requests."


class NotTried(Exception):
    """What comes before the request failed already; the message says how."""


@dataclass(frozen=True, slots=True)
class Module:
    """One request, and how it has to be answered."""

    id: str
    send: Callable[[LiveClient], FetchedAnswer]
    errors: tuple[str, ...] = ()
    """Which error codes are right; none: the request has to succeed."""
    causes: tuple[str, ...] = ()
    """The private reasons that are right."""
    status: int = 400
    """The status of the refusal, or else of the success."""
    change: str = SOMETHING_ELSE
    """What to do if the answer is another one."""
    is_moot: Callable[[Deployment], str | None] = lambda _: None
    """Why it does not apply, as a sentence."""

    @property
    def expected(self) -> str:
        """The answer that it has to get."""
        return f"{self.status} {' or '.join(self.errors)}" if self.errors else f"{self.status}"


def ask_until_the_nonce_is_known(client: LiveClient) -> FetchedAnswer:
    """The answer to a valid token request; like any client, it asks again with the nonce it was given."""
    answer = client.ask_token()
    return client.ask_token() if client.is_told_a_nonce(answer) else answer


def reuse_assertion(client: LiveClient) -> FetchedAnswer:
    """The answer to an assertion that was used before: an acceptance, if there is one among many tries."""
    assertion = client.assertion()
    return _repeat(lambda: client.ask_token(assertion))


def reuse_proof(client: LiveClient) -> FetchedAnswer:
    """The same for a proof."""
    proof = client.proof()
    return _repeat(lambda: client.ask_token(proof=proof))


def _repeat(send: Callable[[], FetchedAnswer]) -> FetchedAnswer:
    first = send()
    if first.status != 200:
        raise NotTried(f"its first use was answered {first.status}")
    for _ in range(AGAIN):
        answer = send()
        if answer.status < 400:
            break
    return answer


def _sign_with_rs256(client: LiveClient) -> str:
    assert client.second_key is not None  # the module is moot otherwise
    return client.assertion(key=jose.import_private_key(client.second_key.as_jwk(), alg="RS256"))


def _with_private_key(client: LiveClient) -> str:
    private = {name: value for name, value in client.proof_key.as_jwk().items() if name not in ("alg", "kid")}
    return client.proof(header={"jwk": private})


def _takes_rs256(deployment: Deployment) -> str | None:
    if refuses_rs256(deployment.settings):
        return None
    return "OAUTH2_ASSERTION_SIGNING_ALGS has RS256, which only FAPI 2.0 forbids, or no RSA key can be registered."


def _gives_clients_nothing(deployment: Deployment) -> str | None:
    return None if gives_scopes_to_clients(deployment.settings) else "Every scope of OAUTH2_SCOPES needs a person."


def _has_nonces(deployment: Deployment) -> str | None:
    needed = deployment.settings.DPOP_NONCE == "required"
    return "OAUTH2_DPOP_NONCE is required: nonces tell how old a proof is, not its iat." if needed else None


def _has_no_pushed_requests(deployment: Deployment) -> str | None:
    if not deployment.has_people:
        return "The app has no authorization endpoint, and so no pushed requests."
    return "Only signed requests are taken here." if deployment.settings.REQUIRE_SIGNED_REQUESTS else None


def _takes_endpoints_as_audience(deployment: Deployment) -> str | None:
    if deployment.settings.ASSERTION_AUDIENCE == "compatibility":
        return "OAUTH2_ASSERTION_AUDIENCE is compatibility, which accepts it."
    return _has_no_pushed_requests(deployment)


def _assertion(identifier: str, build: Callable[[LiveClient], str], *causes: str) -> Module:
    """A token request with a changed assertion."""
    return Module(identifier, lambda client: client.ask_token(build(client)), _UNAUTHENTICATED, causes)


def _proof(identifier: str, build: Callable[[LiveClient], str], *causes: str) -> Module:
    """A token request with a changed proof."""
    return Module(
        f"dpop-negative-tests-{identifier}", lambda client: client.ask_token(proof=build(client)), _BAD_PROOF, causes
    )


def _pushed(
    identifier: str,
    send: Callable[[LiveClient], FetchedAnswer],
    *causes: str,
    errors: tuple[str, ...] = ("invalid_request",),
    status: int = 400,
    is_moot: Callable[[Deployment], str | None] = _has_no_pushed_requests,
) -> Module:
    """A pushed request with one thing changed."""
    return Module(
        f"par-{identifier}",
        send,
        errors,
        causes,
        status=status,
        is_moot=is_moot,
    )


def _now(seconds: int) -> int:
    return clock.now() + seconds


MODULES: tuple[Module, ...] = (
    # What is right gets a token, so a refusal below is no server that refuses everything.
    Module("happy-flow", ask_until_the_nonce_is_known, status=200, is_moot=_gives_clients_nothing),
    # --- the assertion
    Module(
        "ensure-client-assertion-in-token-endpoint",
        lambda client: client.ask_token(with_assertion=False),
        _UNAUTHENTICATED,
        ("assertion_missing",),
    ),
    _assertion(
        "ensure-client-id-in-token-endpoint",
        lambda client: client.assertion({"iss": f"{client.client_id}-other", "sub": f"{client.client_id}-other"}),
        "client_unknown",
    ),
    _assertion(
        "ensure-client-assertion-with-wrong-aud-fails",
        lambda client: client.assertion({"aud": _OTHER_SERVER}),
        "assertion_aud",
    ),
    _assertion(
        "ensure-client-assertion-with-no-sub-fails",
        lambda client: client.assertion({"sub": None}),
        "assertion_sub_missing",
    ),
    _assertion(
        "ensure-client-assertion-with-exp-is-5-minutes-in-past-fails",
        lambda client: client.assertion({"iat": _now(-360), "exp": _now(-300)}),
        "assertion_expired",
    ),
    _assertion(
        "ensure-client-assertion-nbf-over-60-seconds-in-the-future-fails",
        lambda client: client.assertion({"iat": _now(90), "nbf": _now(90), "exp": _now(150)}),
        "assertion_not_yet_valid",
    ),
    _assertion(
        "ensure-client-assertion-with-no-jti-fails",
        lambda client: client.assertion({"jti": None}),
        "assertion_jti_missing",
    ),
    _assertion(
        "ensure-client-assertion-with-invalid-signature-fails",
        lambda client: with_other_signature(client.assertion()),
        "assertion_signature",
    ),
    _assertion(
        "ensure-client-assertion-signature-algorithm-is-not-none",
        lambda client: without_signature(client.assertion()),
        "assertion_alg",
        "assertion_malformed",
    ),
    Module(
        "ensure-signed-client-assertion-with-RS256-fails",
        lambda client: client.ask_token(_sign_with_rs256(client)),
        _UNAUTHENTICATED,
        ("assertion_alg",),
        is_moot=_takes_rs256,
    ),
    Module(
        "attempt-reuse-client-assertion",
        reuse_assertion,
        _UNAUTHENTICATED,
        ("assertion_replayed",),
        change=_SHARED_STORE,
        is_moot=_gives_clients_nothing,
    ),
    # --- the proof
    Module(
        "ensure-holder-of-key-required",
        lambda client: client.ask_token(bound=False),
        ("invalid_dpop_proof", "invalid_request"),
        ("proof_missing",),
        change="Let the proxy pass the header DPoP on as it is, and see what else answers here.",
    ),
    _proof("no-jti", lambda client: client.proof({"jti": None}), "proof_jti_missing"),
    _proof("wrong-typ", lambda client: client.proof(header={"typ": "JWT"}), "proof_typ"),
    _proof("wrong-htm", lambda client: client.proof({"htm": "PUT"}), "proof_htm"),
    _proof("wrong-htu", lambda client: client.proof({"htu": f"{_OTHER_SERVER}/token"}), "proof_htu"),
    _proof("alg-none", lambda client: without_signature(client.proof()), "proof_alg", "proof_malformed"),
    _proof("invalid-signature", lambda client: with_other_signature(client.proof()), "proof_signature"),
    _proof("private-key", _with_private_key, "proof_jwk_private"),
    Module(
        "dpop-negative-tests-iat-an-hour-ago",
        lambda client: client.ask_token(proof=client.proof({"iat": _now(-3600)})),
        _BAD_PROOF,
        ("proof_expired",),
        is_moot=_has_nonces,
    ),
    Module(
        "dpop-negative-tests-jti-again",
        reuse_proof,
        _BAD_PROOF,
        ("proof_replayed",),
        change=_SHARED_STORE,
        is_moot=_gives_clients_nothing,
    ),
    # --- pushed requests
    Module("par-happy-flow", lambda client: client.push(), status=201, is_moot=_has_no_pushed_requests),
    _pushed("ensure-pkce-required", lambda c: c.push({"code_challenge": None}), "code_challenge_missing"),
    _pushed("plain-pkce-rejected", lambda c: c.push({"code_challenge_method": "plain"}), "code_challenge_method"),
    _pushed(
        "ensure-registered-redirect-uri",
        lambda c: c.push({"redirect_uri": f"{_OTHER_SERVER}/{secrets.token_hex(4)}"}),
        "redirect_uri_not_registered",
    ),
    _pushed(
        "authorization-request-containing-request_uri-form-param",
        lambda c: c.push({"request_uri": "urn:ietf:params:oauth:request_uri:doctor"}),
        "request_uri_pushed",
    ),
    _pushed(
        "test-array-as-audience-fails",
        lambda c: c.push(assertion=c.assertion({"aud": [c.settings.ISSUER, _OTHER_SERVER]})),
        "assertion_aud_not_text",
        "assertion_aud_not_one",
        errors=_UNAUTHENTICATED,
    ),
    _pushed(
        "test-token-endpoint-url-as-audience-fails",
        lambda c: c.push(assertion=c.assertion({"aud": c.endpoints["token_endpoint"]})),
        "assertion_aud",
        errors=_UNAUTHENTICATED,
        is_moot=_takes_endpoints_as_audience,
    ),
    _pushed(
        "test-par-endpoint-url-as-audience-fails",
        lambda c: c.push(assertion=c.assertion({"aud": c.endpoints[PUSHED]})),
        "assertion_aud",
        errors=_UNAUTHENTICATED,
        is_moot=_takes_endpoints_as_audience,
    ),
    _pushed("attempt-invalid-http-method", lambda c: c.put_pushed_request(), "method_not_allowed", status=405),
)
"""In the order in which they are sent."""
