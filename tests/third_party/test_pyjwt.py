"""PyJWT verifies our tokens with nothing but the published documents, and signs assertions (RFC 9068 §4)."""

import base64
import hashlib
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
import requests

from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.settings.values import ASYMMETRIC_ALGS
from tests.refusals import causes
from tests.third_party.conftest import Site
from tests.third_party.person import PERSON, REDIRECT_URI, decide, serving_people

SIGNING_ALGS = ["ES256", "PS256", "RS256", "EdDSA"]
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture(scope="module", params=SIGNING_ALGS)
def signing_site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site that signs its tokens with each algorithm in turn."""
    with serving_people(tmp_path_factory.mktemp("signing"), OAUTH2_SIGNING_ALG=request.param) as site:
        yield site


def sign_assertion(client_id: str, key: jose.PrivateKey, **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "iat": now, "exp": now + 60, "jti": f"{time.time_ns()}", **changes}
    return jwt.encode(claims, key.as_pem(), algorithm=key.alg, headers={"kid": key.public.thumbprint})


def ask_token(site: Site, assertion: str) -> requests.Response:
    form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    return requests.post(site.token_url, data={"grant_type": "client_credentials", **form}, timeout=5)


def verify(site: Site, token: str, **changes: Any) -> dict[str, Any]:
    metadata = requests.get(site.metadata_url, timeout=5).json()
    key = jwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(token)
    options: dict[str, Any] = {"audience": site.api, "issuer": metadata["issuer"], **changes}
    claims: dict[str, Any] = jwt.decode(token, key, algorithms=[key.algorithm_name], **options)
    return claims


@pytest.fixture
def client_id(signing_site: Site, keys: Any) -> str:
    return signing_site.register(keys("ES256"))


@pytest.fixture
def token(signing_site: Site, client_id: str, keys: Any) -> str:
    answer = ask_token(signing_site, sign_assertion(client_id, keys("ES256"), aud=signing_site.issuer))
    return str(answer.json()["access_token"])


def test_access_token_verifies_with_the_published_keys(signing_site, token, client_id):
    claims = verify(signing_site, token)

    header = jwt.get_unverified_header(token)
    assert header["typ"] == "at+jwt"
    assert header["alg"] == signing_site.app.config["OAUTH2_SIGNING_ALG"]
    assert (claims["sub"], claims["client_id"], claims["scope"]) == (client_id, client_id, "read")


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"audience": "https://other.example"}, jwt.InvalidAudienceError),
        ({"issuer": "https://other.example"}, jwt.InvalidIssuerError),
        ({"leeway": -601, "options": {"verify_iat": False}}, jwt.ExpiredSignatureError),
    ],
)
def test_access_token_is_for_this_api_and_this_time_only(changes, refusal, signing_site, token):
    with pytest.raises(refusal):
        verify(signing_site, token, **changes)


def test_access_token_with_other_claims_does_not_verify(signing_site, token):
    header, _, signature = token.split(".")
    claims = verify(signing_site, token)
    forged = jwt.encode({**claims, "scope": "read write"}, None, algorithm="none").split(".")[1]

    with pytest.raises(jwt.InvalidSignatureError):
        verify(signing_site, f"{header}.{forged}.{signature}")


# --- OpenID Connect: everything is found from the issuer, and no code of ours verifies --------------------------
VERIFIER = "v" * 43


def b64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


@pytest.fixture
def metadata(signing_site: Site) -> dict[str, Any]:
    document: dict[str, Any] = requests.get(f"{signing_site.issuer}/.well-known/openid-configuration", timeout=5).json()
    assert document["issuer"] == signing_site.issuer
    return document


@pytest.fixture
def relying_party(signing_site: Site, keys: Any) -> str:
    return signing_site.register(
        keys("ES256"), grant_types=["authorization_code"], redirect_uris=[REDIRECT_URI], scope="openid read"
    )


@pytest.fixture
def signed_in(signing_site: Site, metadata: dict[str, Any], relying_party: str, keys: Any) -> dict[str, str]:
    """The tokens of a person who signed in."""
    request = {
        "response_type": "code",
        "client_id": relying_party,
        "redirect_uri": REDIRECT_URI,
        "scope": "openid read",
        "nonce": "n-0S6_WzA2Mj",
        "code_challenge": b64url(hashlib.sha256(VERIFIER.encode()).digest()),
        "code_challenge_method": "S256",
    }
    back = decide(signing_site, f"{metadata['authorization_endpoint']}?{urlencode(request)}")
    form = {
        "grant_type": "authorization_code",
        "code": parse_qs(urlsplit(back).query)["code"][0],
        "redirect_uri": REDIRECT_URI,
        "code_verifier": VERIFIER,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": sign_assertion(relying_party, keys("ES256"), aud=metadata["issuer"]),
    }
    tokens: dict[str, str] = requests.post(metadata["token_endpoint"], data=form, timeout=5).json()
    return tokens


def decode(metadata: dict[str, Any], token: str, **options: Any) -> dict[str, Any]:
    """OpenID Connect Core §3.1.3.7."""
    key = jwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(token)
    algs = metadata["id_token_signing_alg_values_supported"]
    claims: dict[str, Any] = jwt.decode(token, key, algorithms=algs, issuer=metadata["issuer"], **options)
    return claims


def test_id_token_verifies_with_what_discovery_names(metadata, signed_in, relying_party, signing_site):
    required = {"require": ["iss", "sub", "aud", "exp", "iat", "auth_time"]}

    claims = decode(metadata, signed_in["id_token"], audience=relying_party, options=required)

    assert (claims["sub"], claims["nonce"], claims["aud"]) == (PERSON, "n-0S6_WzA2Mj", relying_party)
    header = jwt.get_unverified_header(signed_in["id_token"])
    assert header["alg"] == signing_site.app.config["OAUTH2_SIGNING_ALG"]
    hashing = hashlib.sha512 if header["alg"] == "EdDSA" else hashlib.sha256
    digest = hashing(signed_in["access_token"].encode()).digest()
    assert claims["at_hash"] == b64url(digest[: len(digest) // 2])


def test_person_s_access_token_is_for_the_api_and_for_userinfo(metadata, signed_in, signing_site):
    for audience in (signing_site.api, signing_site.issuer):
        assert decode(metadata, signed_in["access_token"], audience=audience)["sub"] == PERSON
    headers = {"Authorization": f"Bearer {signed_in['access_token']}"}

    assert requests.get(metadata["userinfo_endpoint"], headers=headers, timeout=5).json() == {"sub": PERSON}
    assert requests.get(signing_site.values, headers=headers, timeout=5).status_code == 200


def test_id_token_is_for_its_client_only(metadata, signed_in, signing_site):
    for audience in ("another-client", signing_site.api, signing_site.issuer):
        with pytest.raises(jwt.InvalidAudienceError):
            decode(metadata, signed_in["id_token"], audience=audience)


def test_id_token_opens_nothing(metadata, signed_in, signing_site):
    headers = {"Authorization": f"Bearer {signed_in['id_token']}"}

    for url in (metadata["userinfo_endpoint"], signing_site.values):
        assert requests.get(url, headers=headers, timeout=5).json()["error"] == "invalid_token"


@pytest.mark.parametrize("alg", [alg for alg in ASYMMETRIC_ALGS if alg != "Ed25519"])  # which PyJWT calls EdDSA
def test_assertion_signed_by_pyjwt_is_accepted(alg, site, keys):
    client_id = site.register(keys(alg))

    answer = ask_token(site, sign_assertion(client_id, keys(alg), aud=site.issuer))

    assert answer.json()["token_type"] == "Bearer"


def test_assertion_signed_with_something_public_as_a_secret_is_refused(site, keys):
    key = keys("RS256")
    client_id = site.register(key)
    claims = {"iss": client_id, "sub": client_id, "aud": site.issuer, "exp": int(time.time()) + 60, "jti": "1"}
    headers = {"kid": key.public.thumbprint}

    answer = ask_token(site, jwt.encode(claims, key.public.jwk["n"], "HS256", headers=headers))

    assert answer.json()["error"] == "invalid_client"
    assert site.refusals == ["assertion: alg 'HS256' is not accepted"]
    assert causes(site.refusals) == ["assertion_alg"]


def test_assertion_with_alg_none_is_refused(site, keys):
    client_id = site.register(keys("ES256"))
    claims = {"iss": client_id, "sub": client_id, "aud": site.issuer, "exp": int(time.time()) + 60, "jti": "1"}

    answer = ask_token(site, jwt.encode(claims, None, algorithm="none"))

    assert answer.json()["error"] == "invalid_client"
    assert causes(site.refusals) == ["assertion_malformed"]
