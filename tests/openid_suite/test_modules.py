"""Every module of the suite's plans is ported, or it says here why not.

The modules are those of ``fapi2-security-profile-final-test-plan``, conformance suite 5.2.4, without the prefix
``fapi2-security-profile-final-``, and those that ``fapi2-message-signing-final-test-plan`` has besides; a test is named
after each. The variants are ``private_key_jwt``, ``dpop``, ``plain_fapi``,
``openid_connect`` and ``plain_oauth``, and for Message Signing
``signed_non_repudiation``.
"""

import ast
from pathlib import Path

import pytest

OTHER_PROFILE = "of another FAPI profile or way of authenticating"

LEFT_OUT = {
    "test-claims-parameter-identity-claims": "skipped by the suite: claims_parameter_supported is absent",
    "ensure-registered-redirect-uri": OTHER_PROFILE,
    "australia-connectid-test-claims-parameter-idtoken-identity-claims": OTHER_PROFILE,
    "australia-connectid-ensure-invalid-purpose-fails": OTHER_PROFILE,
    "ensure-server-handles-non-matching-intent-id": OTHER_PROFILE,
    "test-essential-acr-sca-claim": OTHER_PROFILE,
    "brazil-ensure-bad-payment-signature-fails": OTHER_PROFILE,
}

PORTED = [
    "discovery-end-point-verification",
    "happy-flow",
    "user-rejects-authentication",
    "ensure-authorization-request-without-state-success",
    "ensure-authorization-request-without-nonce-success",
    "ensure-authorization-request-with-64-char-nonce-success",
    "ensure-authorization-request-with-long-nonce",
    "ensure-different-nonce-inside-and-outside-request-object",
    "ensure-other-scope-order-succeeds",
    "access-token-type-header-case-sensitivity",
    "check-dpop-proof-nbf-exp",
    "ensure-dpopproof-with-iat-10seconds-before-succeeds",
    "ensure-dpopproof-with-iat-10seconds-after-succeeds",
    "ensure-mismatched-dpop-jkt-fails",
    "ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt",
    "ensure-token-endpoint-fails-with-mismatched-dpop-jkt",
    "ensure-dpopproof-at-par-endpoint-binding-success",
    "ensure-dpop-auth-code-binding-success",
    "ensure-different-state-inside-and-outside-request-object",
    "ensure-authorization-request-with-long-state",
    "state-only-outside-request-object-not-used",
    "ensure-request-object-without-redirect-uri-fails",
    "plain-fapi-tolerate-unregistered-redirect-uri",
    "ensure-unsigned-authorization-request-without-using-par-fails",
    "ensure-redirect-uri-in-authorization-request",
    "ensure-response-type-code-idtoken-fails",
    "ensure-response-type-token-fails",
    "ensure-client-id-in-token-endpoint",
    "ensure-holder-of-key-required",
    "ensure-authorization-code-is-bound-to-client",
    "attempt-reuse-authorization-code-after-one-second",
    "ensure-token-endpoint-fails-with-expired-auth-code",
    "ensure-signed-client-assertion-with-RS256-fails",
    "ensure-client-assertion-in-token-endpoint",
    "ensure-client-assertion-with-exp-is-5-minutes-in-past-fails",
    "ensure-client-assertion-with-wrong-aud-fails",
    "ensure-client-assertion-with-no-sub-fails",
    "dpop-negative-tests",
    "refresh-token",
    "par-ensure-reused-request-uri-prior-to-auth-completion-succeeds",
    "par-attempt-reuse-request_uri",
    "par-attempt-to-use-expired-request_uri",
    "par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted",
    "par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails",
    "par-attempt-to-use-request_uri-for-different-client",
    "par-authorization-request-containing-request_uri-form-param",
    "par-attempt-invalid-http-method",
    "par-ensure-pkce-required",
    "ensure-pkce-code-verifier-required",
    "incorrect-pkce-code-verifier-rejected",
    "par-plain-pkce-rejected",
    "par-without-duplicate-parameters",
    "par-test-array-as-audience-fails",
    "par-test-par-endpoint-url-as-audience-fails",
    "par-test-token-endpoint-url-as-audience-fails",
]

MESSAGE_SIGNING = [
    "ensure-request-object-with-multiple-aud-succeeds",
    "ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted",
    "ensure-request-object-without-exp-fails",
    "ensure-request-object-without-nbf-fails",
    "ensure-expired-request-object-fails",
    "ensure-request-object-with-bad-aud-fails",
    "ensure-request-object-with-exp-over-60-fails",
    "ensure-request-object-with-nbf-over-60-fails",
    "ensure-signed-request-object-with-RS256-fails",
    "ensure-request-object-signature-algorithm-is-not-none",
    "ensure-request-object-with-invalid-signature-fails",
    "ensure-matching-key-in-authorization-request",
    "ensure-unsigned-request-at-par-endpoint-fails",
    "par-authorization-request-containing-request_uri",
]


def find_tests():
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                yield node.name


TESTS = frozenset(find_tests())


@pytest.mark.parametrize("module", [*PORTED, *MESSAGE_SIGNING])
def test_module_has_a_test(module):
    name = "test_" + module.replace("-", "_").lower()

    assert any(test == name or test.startswith(f"{name}_that_") for test in TESTS)


def test_the_plan_has_62_modules():
    assert len({*PORTED, *LEFT_OUT}) == len(PORTED) + len(LEFT_OUT) == 62


def test_the_plan_for_message_signing_has_14_more():
    assert len({*PORTED, *LEFT_OUT, *MESSAGE_SIGNING}) == 62 + len(MESSAGE_SIGNING) == 62 + 14
