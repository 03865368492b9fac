"""Whatever is shown as a token: never a 5xx, never more than "not active", and nothing of it in the log."""

import json
import secrets
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_private_key_jwt.jose import jose
from tests.conftest import API, ASSERTION_TYPE, CLIENT_ID, ISSUER, START, build_claims, close, make_app

INACTIVE = b'{"active": false}'
HOSTILE = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def site(tmp_path_factory, client_key):
    app, oauth, db = make_app(f"sqlite:///{tmp_path_factory.mktemp('as')}/as.sqlite", OAUTH2_REPLAY_STORE="memory")
    with app.app_context():
        oauth.clients.add({"client_id": CLIENT_ID, "jwks": {"keys": [client_key.public_jwk()]}, "scope": "read"})
        kid = app.extensions["private_key_jwt"].server_keys.current().signing.public.kid
    yield app, kid
    close(app, db)


@pytest.fixture(params=["introspect", "revoke"])
def show(request, site, client_key):
    """Show a text as a token, and check what must hold of every answer."""
    app, _ = site

    def show(token, **form):
        header = {"kid": client_key.public.thumbprint}
        assertion = jose.sign(header, build_claims(START, jti=secrets.token_urlsafe(12)), client_key)
        fields = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion, "token": token, **form}
        answer = app.test_client().post(f"/oauth2/{request.param}", data=urlencode(fields), content_type=FORM)
        if not token:
            assert answer.status_code == 400
        else:
            assert answer.status_code == 200
            assert answer.data == (INACTIVE if request.param == "introspect" else b"")
        assert answer.headers["Cache-Control"] == "no-store"

    return show


FORM = "application/x-www-form-urlencoded"


@HOSTILE
@given(token=texts, hint=texts)
def test_any_text(show, token, hint):
    show(token, token_type_hint=hint)


@HOSTILE
@given(head=st.binary(max_size=60), body=st.binary(max_size=60), tail=texts, kind=st.sampled_from(["head", "body", ""]))
def test_any_three_parts(show, site, head, body, tail, kind):
    if kind != "head":
        head = json.dumps({"alg": "ES256", "typ": "at+jwt", "kid": site[1]}).encode()
    if kind == "body":
        body = json.dumps({"iss": ISSUER}).encode()
    show(f"{jose.b64url(head)}.{jose.b64url(body)}.{tail}")


@HOSTILE
@given(header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "jku", "b64"]), values, max_size=3))
def test_any_header_over_good_claims(show, site, keys, header):
    claims = {"iss": ISSUER, "sub": CLIENT_ID, "client_id": CLIENT_ID, "aud": API, "jti": "j", "scope": "read"}
    full = {"typ": "at+jwt", "kid": site[1], **header}
    show(jose.sign(full, {**claims, "iat": START, "exp": START + 600}, keys("ES256", "stranger")))


@HOSTILE
@given(claims=st.dictionaries(st.sampled_from(["iss", "sub", "client_id", "jti", "iat", "exp", "aud"]), values))
def test_any_claims_of_a_stranger(show, site, keys, claims):
    full = {"iss": ISSUER, "sub": CLIENT_ID, "client_id": CLIENT_ID, "aud": API, "jti": "j", **claims}
    show(jose.sign({"typ": "at+jwt", "kid": site[1]}, full, keys("ES256", "stranger")))
