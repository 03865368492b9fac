"""``requests-oauth2client`` signs its authorization requests (RFC 9101): in the URL, and pushed."""

from types import SimpleNamespace

import jwskate
import pytest
import requests
from requests_oauth2client import OAuth2Client, PrivateKeyJwt
from requests_oauth2client.exceptions import EndpointError

from flask_private_key_jwt import clock
from tests.third_party.person import REDIRECT_URI, decide, serving_people

ALGS = pytest.mark.parametrize("alg", ["ES256", "PS256", "EdDSA"])


@pytest.fixture(scope="module")
def _signing_site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signing")
    with serving_people(folder, OAUTH2_REQUIRE_SIGNED_REQUESTS=True) as site:
        yield site


@pytest.fixture
def site(_signing_site):
    _signing_site.refusals.clear()
    return _signing_site


class Signer:
    """A client whose one key signs its assertions and its requests."""

    def __init__(self, site, key, alg):
        self.site = site
        self.key = jwskate.Jwk(key.as_jwk())
        metadata = {"grant_types": ["authorization_code"], "redirect_uris": [REDIRECT_URI]}
        client_id = site.register(key, **metadata, dpop_bound_access_tokens=True)
        auth = PrivateKeyJwt(client_id, self.key, aud=site.issuer)
        options = {"redirect_uri": REDIRECT_URI, "dpop_bound_access_tokens": True, "dpop_alg": alg, "testing": True}
        self.oauth = OAuth2Client.from_discovery_endpoint(site.metadata_url, auth=auth, **options)

    def ask(self, **claims):
        """A request and its request object; the library has no parameters for these claims, but takes any."""
        known = {"aud": self.site.issuer, "iss": self.oauth.client_id, "nbf": clock.now(), **claims}
        known = {name: value for name, value in known.items() if value is not None}
        request = self.oauth.authorization_request(scope="read", **known)
        return request, request.sign(self.key, lifetime=60)

    def push(self, request, signed):
        # It signs and it pushes, but does not push what it has signed: that lacks ``args``.
        pushed = SimpleNamespace(args={"request": str(signed.request)}, dpop_key=request.dpop_key)
        return self.oauth.pushed_authorization_request(pushed)

    def finish(self, request, url):
        """Redeem the code of an authorization URL, and call an API with what it is worth."""
        code = request.validate_callback(decide(self.site, url))
        token = self.oauth.authorization_code(code, dpop_key=request.dpop_key)
        return requests.get(self.site.bound_values, auth=token, timeout=5).json()["client"]


@pytest.fixture
def make_signer(site, keys):
    return lambda alg="ES256": Signer(site, keys(alg), alg)


@ALGS
def test_signed_request_in_the_url(alg, site, make_signer):
    signer = make_signer(alg)

    request, signed = signer.ask()

    assert signer.finish(request, signed.uri) == signer.oauth.client_id
    assert site.refusals == []


@ALGS
def test_pushed_signed_request(alg, site, make_signer):
    signer = make_signer(alg)

    request, signed = signer.ask()

    assert signer.finish(request, signer.push(request, signed).uri) == signer.oauth.client_id
    assert site.refusals == []


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ("aud", "request object: missing claim 'aud'"),
        ("nbf", "request object: missing claim 'nbf'"),
    ],
)
def test_signed_request_that_lacks_a_claim_is_refused(claim, reason, site, make_signer):
    signer = make_signer()

    request, signed = signer.ask(**{claim: None})

    assert requests.get(signed.uri, timeout=5).status_code == 400
    with pytest.raises(EndpointError) as refused:
        signer.push(request, signed)
    assert refused.value.error == "invalid_request_object"
    assert site.refusals == [reason] * 2


def test_request_that_is_not_signed_is_refused(site, make_signer):
    request, _ = make_signer().ask()

    assert requests.get(request.uri, timeout=5).status_code == 400
    assert site.refusals == ["the request is not signed"]
