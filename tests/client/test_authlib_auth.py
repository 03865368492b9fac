"""client/authlib_auth.py: what an Authlib client sends in the place of its secret."""

from types import SimpleNamespace
from urllib.parse import parse_qsl, urlencode

import pytest
from authlib.integrations.requests_client import OAuth2Session

from flask_private_key_jwt.client import AuthlibClientAuth
from flask_private_key_jwt.client.assertion import ASSERTION_TYPE
from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.certificates import build_self_signed, load_certificate

ISSUER = "https://as.example"
CLIENT_ID = "billing"
TOKEN_URL = f"{ISSUER}/oauth2/token"
AUTHLIBS = SimpleNamespace(client_id=CLIENT_ID, client_secret=None)
"""The object that Authlib calls it with."""


@pytest.fixture
def make_authlib_auth(key):
    return lambda **options: AuthlibClientAuth(**{"issuer": ISSUER, "client_id": CLIENT_ID, "key": key, **options})


@pytest.fixture
def send(make_authlib_auth):
    """What becomes of a token request, as a dict of its form."""

    def send(body="grant_type=client_credentials", *, client=AUTHLIBS, method="POST", **options):
        uri, headers, sent = make_authlib_auth(**options)(client, method, TOKEN_URL, {"A": "b"}, body)
        assert (uri, headers) == (TOKEN_URL, {"A": "b"})
        return dict(parse_qsl(sent, keep_blank_values=True, strict_parsing=True))

    return send


def assertion_of(form):
    return jose.parse(form["client_assertion"], max_bytes=8192)


def test_the_assertion_is_for_the_issuer_for_a_minute_and_names_its_key(send, clock, key):
    jwt = assertion_of(send())

    claims = dict(jwt.claims)
    assert len(claims.pop("jti")) == 32
    assert claims == {"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": ISSUER, "iat": clock.now, "exp": clock.now + 60}
    assert jwt.header == {"alg": "ES256", "kid": key.public.thumbprint}
    assert jose.verify(jwt, key.public)


def test_every_request_gets_an_assertion_of_its_own(make_authlib_auth):
    auth = make_authlib_auth()
    bodies = [auth(AUTHLIBS, "POST", TOKEN_URL, {}, "grant_type=client_credentials")[2] for _ in range(2)]

    jtis = [assertion_of(dict(parse_qsl(body))).claims["jti"] for body in bodies]
    assert jtis[0] != jtis[1]


def test_the_form_is_kept_and_the_client_named(send):
    form = send(urlencode({"code": "a b&c=d", "empty": "", "ü": "+"}))

    assert form.pop("client_assertion")
    assert form == {
        "code": "a b&c=d",
        "empty": "",
        "ü": "+",
        "client_id": CLIENT_ID,
        "client_assertion_type": ASSERTION_TYPE,
    }


@pytest.mark.parametrize("body", [None, ""])
def test_a_request_without_a_form_gets_one(send, body):
    assert sorted(send(body)) == ["client_assertion", "client_assertion_type", "client_id"]


def test_a_body_of_bytes_stays_one(make_authlib_auth):
    _, _, sent = make_authlib_auth()(AUTHLIBS, "POST", TOKEN_URL, {}, b"code=%C3%BC")

    form = dict(parse_qsl(sent.decode("ascii")))
    assert (form["code"], form["client_id"]) == ("ü", CLIENT_ID)
    assert assertion_of(form).claims["sub"] == CLIENT_ID


def test_credentials_that_are_in_the_form_already_are_replaced(send):
    stale = {"client_id": "other", "client_secret": "s3cret", "client_assertion": "a.b.c", "client_assertion_type": "x"}

    form = send(urlencode({"code": "c0de", **stale}))

    assert "client_secret" not in form
    assert form["client_id"] == CLIENT_ID
    assert form["client_assertion_type"] == ASSERTION_TYPE
    assert assertion_of(form).claims["sub"] == CLIENT_ID


def test_a_secret_that_authlib_was_given_is_not_sent(send):
    form = send(client=SimpleNamespace(client_id=CLIENT_ID, client_secret="s3cret"))

    assert "s3cret" not in str(form)


def test_an_authlib_client_of_another_name_is_refused(send):
    with pytest.raises(ConfigurationError, match="client is 'other', but the assertions are those of 'billing'"):
        send(client=SimpleNamespace(client_id="other"))


def test_an_assertion_never_goes_into_an_address(send):
    with pytest.raises(ConfigurationError, match="sent in the body of a POST, not with GET"):
        send(method="GET")


def test_the_audience_may_be_the_token_endpoint(send):
    assert assertion_of(send(audience=TOKEN_URL)).claims["aud"] == TOKEN_URL


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"audience": "issuer"}, "a URL, not the word 'issuer': leave it out for the issuer"),
        ({"audience": "token_endpoint"}, "not the word 'token_endpoint': .* give the URL of the token endpoint"),
        ({"audience": ""}, "The audience '' is not the URL of a token endpoint: it must be an absolute URL"),
        ({"issuer": "http://as.example"}, "The issuer 'http://as.example' is not accepted: it must use https"),
        ({"issuer": f"{ISSUER}?x"}, "must have no query"),
        ({"client_id": ""}, "The client_id is empty."),
        ({"client_id": None}, "The client_id is empty."),
        ({"key": "no-such-file.pem"}, "The key file 'no-such-file.pem' cannot be read"),
        ({"alg": "RS256"}, "alg 'RS256' does not fit the key"),
    ],
)
def test_what_cannot_work_is_said_at_once(make_authlib_auth, options, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        make_authlib_auth(**options)


def test_algorithm_and_name_of_the_key_may_be_chosen(send, rsa_key):
    assert assertion_of(send(key=rsa_key, alg="RS256", kid="theirs")).header == {"alg": "RS256", "kid": "theirs"}


def test_an_encrypted_key_opens_with_its_password(send, key):
    pem = key.as_pem("hidden")

    assert assertion_of(send(key=pem, key_password="hidden")).alg == "ES256"
    with pytest.raises(ConfigurationError, match="the PEM is encrypted"):
        send(key=pem)


def test_a_certificate_names_the_key_as_dotnet_does(send, key, clock):
    certificate = load_certificate(build_self_signed(key, common_name=CLIENT_ID, days=1, now=clock.now))

    assert assertion_of(send(certificate=certificate)).kid == certificate.sha1_hex


def test_neither_repr_nor_str_shows_the_key(make_authlib_auth):
    assert repr(make_authlib_auth()) == "<AuthlibClientAuth 'billing' for 'https://as.example'>"


def test_credentials_for_any_other_client_are_new_each_time(make_authlib_auth):
    auth = make_authlib_auth()
    one, other = auth.build_credentials(), auth.build_credentials()

    assert sorted(one) == ["client_assertion", "client_assertion_type", "client_id"]
    assert one["client_assertion"] != other["client_assertion"]


# --- Authlib's session over HTTP --------------------------------------------------------------------------
@pytest.mark.parametrize("way", ["callable", "registered"])
def test_authlibs_session_sends_a_new_assertion_with_every_request(token_server, key, way):
    auth = AuthlibClientAuth(token_server.url, CLIENT_ID, key=key)
    method = auth if way == "callable" else auth.name
    token_server.members = {"refresh_token": "refresh"}
    with OAuth2Session(
        CLIENT_ID, token_endpoint_auth_method=method, revocation_endpoint_auth_method=method, scope="read"
    ) as session:
        session.trust_env = False
        session.register_client_auth_method(auth)
        session.fetch_token(f"{token_server.url}/token", grant_type="client_credentials")
        session.refresh_token(f"{token_server.url}/token")
        session.revoke_token(f"{token_server.url}/revoke", token_type_hint="refresh_token")

    forms = [call.form for call in token_server.calls]
    assert [form.get("grant_type") or form["token_type_hint"] for form in forms] == [
        "client_credentials",
        "refresh_token",
        "refresh_token",
    ]
    assert len({call.assertion.claims["jti"] for call in token_server.calls}) == 3
    assert {call.assertion.claims["aud"] for call in token_server.calls} == {token_server.url}
    assert {form["client_id"] for form in forms} == {CLIENT_ID}
    assert all("Authorization" not in call.headers and "client_secret" not in call.form for call in token_server.calls)
    assert all(int(call.headers["Content-Length"]) == len(call.body) for call in token_server.calls)
