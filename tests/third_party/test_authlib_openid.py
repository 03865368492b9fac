"""Authlib's own relying party reads our ID token and asks UserInfo; all it knows is the discovery document."""

import time
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import flask
import pytest
from authlib.integrations.flask_client import OAuth
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.errors import InvalidClaimError
from joserfc.jwk import ECKey

from tests.third_party.person import PERSON, REDIRECT_URI, decide, serving_people


@pytest.fixture(scope="module", params=["ES256", "PS256", "RS256"])
def site(request, tmp_path_factory):
    with serving_people(tmp_path_factory.mktemp("openid"), OAUTH2_SIGNING_ALG=request.param) as site:
        site.oauth.user_claims(lambda subject, scope: {"email": f"{subject}@example.org"})
        yield site


@pytest.fixture
def signed_in(site, keys):
    """Authlib's client and the token of a person who signed in."""
    key = keys("ES256")
    client_id = site.register(
        key, grant_types=["authorization_code"], redirect_uris=[REDIRECT_URI], scope="openid email read"
    )
    app = flask.Flask("relying_party")
    app.secret_key = "a secret for tests only, the relying party's"
    remote = OAuth(app).register(
        "ours",
        client_id=client_id,
        client_secret=ECKey.import_key(key.as_jwk()),
        server_metadata_url=f"{site.issuer}/.well-known/openid-configuration",
        client_auth_methods=[PrivateKeyJWT(site.issuer, claims={"exp": int(time.time()) + 60}, alg="ES256")],
        client_kwargs={
            "scope": "openid email",
            "token_endpoint_auth_method": "private_key_jwt",
            "code_challenge_method": "S256",
        },
    )
    with app.test_request_context():
        location = remote.authorize_redirect(REDIRECT_URI).headers["Location"]
        kept = dict(flask.session)
    back = decide(site, location)
    with app.test_request_context(f"/callback?{urlsplit(back).query}"):
        flask.session.update(kept)
        token = remote.authorize_access_token()  # parses the ID token, with the nonce it sent
        nonce = parse_qs(urlsplit(location).query)["nonce"][0]
        yield SimpleNamespace(remote=remote, token=token, nonce=nonce, client_id=client_id)


def test_id_token_is_accepted(site, signed_in):
    claims = signed_in.token["userinfo"]  # what Authlib calls the claims of an ID token

    assert (claims["iss"], claims["sub"], claims["aud"]) == (site.issuer, PERSON, signed_in.client_id)
    assert claims["nonce"] == signed_in.nonce


def test_id_token_is_for_its_nonce_only(signed_in):
    signed_in.remote.parse_id_token(signed_in.token, signed_in.nonce)

    with pytest.raises(InvalidClaimError, match="nonce"):
        signed_in.remote.parse_id_token(signed_in.token, "another")


def test_userinfo_tells_more(signed_in):
    assert dict(signed_in.remote.userinfo(token=signed_in.token)) == {"sub": PERSON, "email": f"{PERSON}@example.org"}
