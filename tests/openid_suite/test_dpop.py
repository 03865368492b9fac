"""DPoP proofs at PAR, token endpoint and API, and the keys that codes are bound to."""

from tests.openid_suite.relying_party import NO_PROOF, bound_to, check_accounts, check_token
from tests.openid_suite.variants import BOTH_ALGS, NONCES_OR_NOT, assert_refused

pytestmark = [BOTH_ALGS, NONCES_OR_NOT]
CODE_IS_BOUND = "the code is bound to another DPoP key"


def assert_accepted_everywhere(client, build):
    """Whether a proof passes at PAR, token endpoint and API; *build* gives its changes, anew for each."""
    code = client.get_code(proof=build())
    token = check_token(client.redeem(code, proof=build()))
    check_accounts(client.call(token["access_token"], proof=build()))


def test_access_token_type_header_case_sensitivity(client):
    token = client.get_token()

    check_accounts(client.call(token["access_token"], scheme="dPOp"))


def test_check_dpop_proof_nbf_exp(client, clock):
    assert_accepted_everywhere(client, lambda: {"nbf": clock.now, "exp": clock.now + 300})


def test_ensure_dpopproof_with_iat_10seconds_before_succeeds(client, clock):
    assert_accepted_everywhere(client, lambda: {"iat": clock.now - 10})


def test_ensure_dpopproof_with_iat_10seconds_after_succeeds(client, clock):
    assert_accepted_everywhere(client, lambda: {"iat": clock.now + 10})


def test_ensure_mismatched_dpop_jkt_fails(client, other_key, refusals):
    answer = client.push(proof={}, dpop_jkt=other_key.public.thumbprint)

    assert_refused(answer, refusals, "dpop_jkt_mismatch", "invalid_request", "invalid_dpop_proof")


def test_ensure_token_endpoint_fails_with_mismatched_dpop_proof_jkt(client, other_key, refusals):
    code = client.get_code(proof={})

    answer = client.redeem(code, proof_key=other_key)

    assert_refused(answer, refusals, "code_key_mismatch", "invalid_request", "invalid_grant", "invalid_dpop_proof")


def test_ensure_token_endpoint_fails_with_mismatched_dpop_jkt(client, other_key, refusals):
    code = client.get_code(dpop_jkt=client.proof_key.public.thumbprint)

    answer = client.redeem(code, proof_key=other_key)

    assert_refused(answer, refusals, "code_key_mismatch", "invalid_request", "invalid_grant", "invalid_dpop_proof")


def test_ensure_dpopproof_at_par_endpoint_binding_success(client):
    token = client.get_token(proof={})

    assert bound_to(token) == client.proof_key.public.thumbprint
    check_accounts(client.call(token["access_token"]))


def test_ensure_dpop_auth_code_binding_success(client):
    token = client.get_token(dpop_jkt=client.proof_key.public.thumbprint)

    assert bound_to(token) == client.proof_key.public.thumbprint
    check_accounts(client.call(token["access_token"]))


def test_ensure_holder_of_key_required(client, refusals):
    answer = client.redeem(client.get_code(), proof=NO_PROOF)

    assert_refused(answer, refusals, "proof_missing", "invalid_request", "invalid_grant", "invalid_dpop_proof")
