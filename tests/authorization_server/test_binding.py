"""When a proof is needed, and what ``cnf`` says (RFC 9449 §5, §6.1; RFC 7800 §3)."""

import dataclasses

import pytest

from flask_private_key_jwt.authorization_server.binding import TokenBinding
from flask_private_key_jwt.authorization_server.request import FormRequest
from flask_private_key_jwt.dpop.confirmation import build_confirmation, load_jkt
from flask_private_key_jwt.dpop.proof import DPoPProof, ProofChecker
from flask_private_key_jwt.errors import InvalidDPoPProof, InvalidRequest
from flask_private_key_jwt.jose.jose import JoseProblem
from flask_private_key_jwt.settings.server import ServerSettings
from tests.authorization_server.stores.example_client import build_client
from tests.conftest import CLIENT_ID, ISSUER, TOKEN_URL

REQUEST = FormRequest(endpoint="token", url=TOKEN_URL, form={})


def bind(proof, *, required=False, bound=False, method="private_key_jwt", bearer=False):
    """Check *proof* for the server's and the client's wish."""
    settings = ServerSettings(ISSUER=ISSUER, DPOP_REQUIRED=required, PUBLIC_BEARER_TOKENS=bearer)
    binding = TokenBinding(ProofChecker(settings, None, server=ISSUER), settings)
    client = build_client(CLIENT_ID, dpop_bound_access_tokens=bound, token_endpoint_auth_method=method)
    return binding.check(dataclasses.replace(REQUEST, proof=proof), client)


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("bound", [True, False])
def test_proof_is_checked_whether_it_is_required_or_not(required, bound, build_dpop, proof_key):
    assert bind(build_dpop(), required=required, bound=bound).thumbprint == proof_key.public.thumbprint
    with pytest.raises(InvalidDPoPProof):
        bind(build_dpop(htm="GET"), required=required, bound=bound)


def test_nothing_is_bound_where_nobody_asks_for_it():
    assert bind(None) is None


def test_nothing_is_bound_of_a_public_client_that_may_have_bearer_tokens():
    assert bind(None, method="none", bearer=True) is None


@pytest.mark.parametrize(
    "wish",
    [
        {"required": True},
        {"bound": True},
        {"method": "none"},
        {"method": "none", "bearer": True, "bound": True},
        {"method": "none", "bearer": True, "required": True},
    ],
)
def test_missing_proof_is_refused_where_one_is_required(wish):
    with pytest.raises(InvalidRequest) as refused:
        bind(None, **wish)

    assert refused.value.reason == "no DPoP proof, though the server or the client requires bound tokens"


def test_empty_proof_is_a_wrong_one_rather_than_none():
    with pytest.raises(InvalidDPoPProof):
        bind("")


def test_confirmation_names_the_key():
    assert build_confirmation(DPoPProof("thumbprint", ())) == {"cnf": {"jkt": "thumbprint"}}
    assert build_confirmation(None) == {}


def test_confirmation_is_read_back():
    assert load_jkt(build_confirmation(DPoPProof("thumbprint", ()))) == "thumbprint"
    assert load_jkt({}) is None


@pytest.mark.parametrize(
    "confirmation", [None, "x", 5, [], {}, {"x5t#S256": "x"}, {"jkt": None}, {"jkt": ""}, {"jkt": 5}, {"jkt": ["x"]}]
)
def test_confirmation_that_cannot_be_checked_is_refused(confirmation):
    with pytest.raises(JoseProblem) as refused:
        load_jkt({"cnf": confirmation})

    assert str(refused.value) == "cnf holds no jkt that can be checked"
