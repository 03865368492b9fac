"""``oauth4webapi`` and ``openid-client``: discovery, ``private_key_jwt``, PAR, PKCE, DPoP, code, refresh, the end."""

from pathlib import Path

import pytest

from tests.refusals import causes
from tests.third_party.person import PERSON, decide, serving_people

REDIRECT_URI = "https://app.example/callback"  # openid-client takes what the callback came to, without its query
SCRIPTS = {name: Path(__file__).parent / "node" / f"{name}_flows.mjs" for name in ("oauth4webapi", "openid_client")}


@pytest.fixture(params=SCRIPTS)
def script(request):
    return SCRIPTS[request.param]


@pytest.fixture(scope="module", params=["off", "required"], ids=["no_nonces", "nonces"])
def _people_site(request, tmp_path_factory):
    with serving_people(tmp_path_factory.mktemp("node_people"), OAUTH2_DPOP_NONCE=request.param) as site:
        yield site


@pytest.fixture
def site(_people_site):
    _people_site.refusals.clear()
    return _people_site


def describe(site, key, client_id, **changes):
    """What a script is told first."""
    jwk = {**key.as_jwk(), "kid": key.public.thumbprint}
    setup = {"issuer": site.issuer, "api": site.bound_values, "client_id": client_id, "key": jwk, "alg": key.alg}
    return {**setup, **changes}


def without_nonces(site):
    """The causes; a client knows one nonce for each origin, and UserInfo has its own, so it may show the other's."""
    return [cause for cause in causes(site.refusals) if cause not in ("proof_nonce_missing", "proof_nonce_stale")]


@pytest.mark.parametrize("alg", ["ES256", "PS256", "RS256", "Ed25519"])
def test_machine_gets_a_bound_token_that_is_no_use_to_a_thief(alg, site, script, node, keys):
    key = keys("EdDSA" if alg == "Ed25519" else alg)
    client_id = site.register(key, dpop_bound_access_tokens=True)

    with node.start(script) as running:
        running.write(describe(site, key, client_id, flow="machine", alg=alg))
        answer = running.read()

    assert answer["token"] == {"type": "dpop"}
    assert answer["api"]["client"] == client_id
    assert answer["stolen"] == {"error": "invalid_token"}
    assert without_nonces(site) == ["proof_key_mismatch"]


def test_machine_is_refused_with_another_key(site, script, node, keys):
    client_id = site.register(keys("ES256"))

    with node.start(script) as running:
        running.write(describe(site, keys("ES256", "another"), client_id, flow="machine"))
        answer = running.read()

    assert answer == {"token": {"error": "invalid_client"}}
    assert without_nonces(site) == ["assertion_no_key"]


@pytest.mark.parametrize("algorithm", ["oauth2", "oidc"])
def test_person_from_the_pushed_request_to_the_revoked_token(algorithm, site, script, node, keys):
    key = keys("ES256")
    client_id = site.register(
        key,
        scope="openid read",
        grant_types=["authorization_code", "refresh_token"],
        redirect_uris=[REDIRECT_URI],
        require_pushed_authorization_requests=True,
        dpop_bound_access_tokens=True,
    )
    how = {"flow": "person", "redirect_uri": REDIRECT_URI, "scope": "openid read", "algorithm": algorithm}

    with node.start(script) as running:
        running.write(describe(site, key, client_id, **how))
        running.write(decide(site, running.read()))
        answer = running.read()

    assert (answer["sub"], answer["userinfo"], answer["active"], answer["type"]) == (PERSON, PERSON, True, "dpop")
    assert answer["first"] == answer["second"]
    assert answer["first"]["client"] == client_id
    for refused in ("withAnotherKey", "withAnotherVerifier", "afterwards"):
        assert answer[refused] == {"error": "invalid_grant"}, refused
    assert without_nonces(site) == ["code_key_mismatch", "code_verifier_mismatch", "refresh_token_unknown"]
