"""Clients and APIs of a company: the issuer is behind a proxy, with a certificate of the company's own authority."""

import flask
import pytest
import requests

from flask_private_key_jwt import ResourceProtector
from flask_private_key_jwt.client import (
    DiscoveryError,
    IntrospectionClient,
    PrivateKeyJWTAuth,
    TokenClient,
    TokenRequestError,
)
from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.signals import request_refused
from tests.conftest import START
from tests.fetching.test_outbound import VARIABLES
from tests.servers.outbound_site import ISSUER, company_proxy, company_site, make_authority

API = "http://127.0.0.1:5005"
UNTRUSTED = r"authority that is not trusted here: if that is one of your own, give it as ca_bundle"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def authority(tmp_path):
    return make_authority(tmp_path / "authority")


@pytest.fixture
def site(authority):
    with company_site(authority) as site:
        yield site


@pytest.fixture
def proxy(site):
    with company_proxy(site) as proxy:
        yield proxy


# --- clients ------------------------------------------------------------------------------------------------
def get_token(key, **way):
    return TokenClient(ISSUER, "billing", key=key, **way).request_token().access_token


def revoke(key, **way):
    TokenClient(ISSUER, "billing", key=key, **way).revoke_token("token-1")


def introspect(key, **way):
    return IntrospectionClient(ISSUER, "billing", key=key, **way).introspect("token-1").active


def get_token_for_calls(key, **way):
    return PrivateKeyJWTAuth(ISSUER, "billing", key=key, resource=API, **way).token().access_token


USES = [get_token, revoke, introspect, get_token_for_calls]


@pytest.mark.parametrize("use", USES)
def test_a_client_takes_a_proxy_and_an_authority(use, proxy, authority, site, client_key):
    use(client_key, proxies={"https": proxy.url}, ca_bundle=authority.bundle)

    assert len(proxy.asked) == len(site.requests) == 2


@pytest.mark.parametrize("use", USES)
def test_a_client_takes_both_from_the_environment(use, proxy, authority, site, client_key, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority.bundle)

    use(client_key)

    assert len(proxy.asked) == len(site.requests) == 2


@pytest.mark.parametrize("use", USES)
def test_without_the_authority_the_client_sends_nothing_and_says_what_to_give(use, proxy, site, client_key):
    with pytest.raises(DiscoveryError, match=UNTRUSTED):
        use(client_key, proxies={"https": proxy.url})
    assert site.requests == []


@pytest.mark.parametrize("use", USES)
def test_no_proxy_at_all_may_be_said(use, proxy, authority, client_key, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)

    with pytest.raises(DiscoveryError, match="cannot be reached: its host name is not known here"):
        use(client_key, proxies={}, ca_bundle=authority.bundle)
    assert proxy.asked == []


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    ("way", "sentence"),
    [
        ({"proxies": {"https": "ftp://user:hunter2@proxy"}}, "proxies does not hold the URL of a proxy"),
        ({"ca_bundle": "/no/such.pem"}, r"The ca_bundle '/no/such\.pem' does not exist"),
    ],
)
def test_a_way_that_cannot_be_gone_is_an_error_at_construction(way, sentence, use, client_key):
    with pytest.raises(ConfigurationError, match=sentence) as refused:
        use(client_key, **way)
    assert "hunter2" not in str(refused.value)


def test_a_refusal_on_the_way_keeps_the_servers_own_words(proxy, authority, site, client_key):
    site.answers["/token"] = {"error": "x"}

    with pytest.raises(TokenRequestError, match="holds no usable access_token"):
        get_token(client_key, proxies={"https": proxy.url}, ca_bundle=authority.bundle)


def test_calls_to_the_api_go_the_way_of_their_session(proxy, authority, client_key):
    auth = PrivateKeyJWTAuth(
        ISSUER, "billing", key=client_key, resource=API, proxies={"https": proxy.url}, ca_bundle=authority.bundle
    )
    with requests.Session() as session:
        session.trust_env = False
        prepared = session.prepare_request(requests.Request("GET", f"{API}/x", auth=auth))

    assert prepared.headers["Authorization"] == "Bearer token-1"
    assert session.proxies == {}


# --- APIs ---------------------------------------------------------------------------------------------------
def make_api(**config):
    app = flask.Flask("api")
    app.config.from_mapping(OAUTH2_ISSUER=ISSUER, OAUTH2_RESOURCE=API, **config)
    require_oauth = ResourceProtector()
    require_oauth.init_app(app)

    @app.get("/values")
    @require_oauth()
    def values():
        return "values"

    return app


@pytest.fixture
def call(site, keys):
    """Call an API with a good token of the company's issuer."""
    key = keys("ES256", "issuer")
    site.answers["/jwks"] = {"keys": [key.public_jwk()]}
    claims = {"iss": ISSUER, "aud": API, "sub": "s", "client_id": "c", "jti": "j", "iat": START, "exp": START + 60}
    token = jose.sign({"typ": "at+jwt", "kid": key.public.thumbprint}, claims, key)
    reasons = []

    def note(_sender, *, reason, **_):
        reasons.append(reason)

    def call(app, path="/values"):
        with request_refused.connected_to(note):
            answer = app.test_client().get(path, headers={"Authorization": f"Bearer {token}"})
        return answer.status_code, "".join(reasons)

    return call


def test_an_api_takes_a_proxy_and_an_authority(proxy, authority, call, site):
    app = make_api(OAUTH2_PROXY=proxy.url, OAUTH2_CA_BUNDLE=authority.bundle)

    assert call(app) == (200, "")
    assert site.paths == ["/.well-known/oauth-authorization-server", "/jwks"]


def test_an_api_takes_both_from_the_environment(proxy, authority, call, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority.bundle)

    assert call(make_api()) == (200, "")


def test_an_api_without_the_authority_lets_nobody_in_and_says_what_to_set(proxy, call, site):
    status, reason = call(make_api(OAUTH2_PROXY=proxy.url))

    assert status == 503
    assert "ca_bundle (OAUTH2_CA_BUNDLE in an API)" in reason
    assert site.requests == []


def test_an_api_asks_about_tokens_on_the_same_way(proxy, authority, call, site, client_key):
    app = make_api(
        OAUTH2_PROXY=proxy.url,
        OAUTH2_CA_BUNDLE=authority.bundle,
        OAUTH2_CLIENT_ID="the-api",
        OAUTH2_CLIENT_KEY=client_key.as_pem().decode(),
    )
    require_oauth = ResourceProtector()
    app.add_url_rule("/online", view_func=require_oauth(online=True)(lambda: "values"), endpoint="online")

    assert call(app, "/online") == (200, "")
    assert site.paths[-1] == "/introspection"


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"OAUTH2_PROXY": "proxy.example:3128"}, "OAUTH2_PROXY is not accepted: it must be the URL of a proxy"),
        ({"OAUTH2_PROXY": "http://u:hunter2@h:x"}, "OAUTH2_PROXY is not accepted: it must be the URL of a proxy"),
        ({"OAUTH2_PROXY": "http://u:80/hunter2@h:1"}, "OAUTH2_PROXY is not accepted: it must be the URL of a proxy"),
        ({"OAUTH2_CA_BUNDLE": "/no/such.pem"}, r"The OAUTH2_CA_BUNDLE '/no/such\.pem' does not exist"),
    ],
)
def test_a_way_that_cannot_be_gone_stops_the_api_at_its_start(config, sentence):
    with pytest.raises(ConfigurationError, match=sentence) as refused:
        make_api(**config)
    assert "hunter2" not in str(refused.value)
