"""AuthorizationCodeClient against servers that lie, forget, or cannot do much: nothing is used that is not right."""

import json
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from werkzeug.wrappers import Request, Response

from flask_private_key_jwt.client import (
    AuthorizationCodeClient,
    DiscoveryError,
    ForeignOrigin,
    MappingTokenStore,
    PushError,
    SignInError,
    SignInRequired,
    TokenRequestError,
    UserInfoError,
)
from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.at_hash import build_at_hash
from tests.client.conftest import serving

REDIRECT_URI = "https://app.example/callback"
CLIENT = "webapp"


@dataclass
class FakeServer:
    """An authorization server that does as it is told, and notes what it was sent."""

    key: jose.PrivateKey
    clock: object
    url: str = ""
    metadata: dict = field(default_factory=dict)
    """Members to change; ``None`` leaves one out."""
    answers: dict = field(default_factory=dict)
    """Path -> an answer to give instead of the usual one."""
    tokens: dict = field(default_factory=dict)
    """Members of the token answer to change."""
    claims: dict = field(default_factory=dict)
    """Claims of the ID token to change."""
    jwks: list | None = None
    calls: list = field(default_factory=list)
    """Path and form of each POST and each GET that is not discovery, in order."""
    nonce: str | None = None
    """The nonce of the request, which the ID token repeats."""

    def __call__(self, environ, start_response):
        request = Request(environ)
        return self.answer(request)(environ, start_response)

    def answer(self, request):
        if request.path.startswith("/.well-known/"):
            return to_json(self.describe())
        self.calls.append((request.path, dict(request.form), dict(request.headers)))
        if request.path in self.answers:
            return self.answers[request.path]
        return getattr(self, f"answer_{request.path.strip('/')}")(request)

    def describe(self):
        usual = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "pushed_authorization_request_endpoint": f"{self.url}/par",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "revocation_endpoint": f"{self.url}/revoke",
            "authorization_response_iss_parameter_supported": True,
            **self.metadata,
        }
        return {name: value for name, value in usual.items() if value is not None}

    def answer_par(self, request):
        self.nonce = request.form.get("nonce")
        return to_json({"request_uri": "urn:ietf:params:oauth:request_uri:x", "expires_in": 60}, 201)

    def answer_jwks(self, _request):
        return to_json({"keys": self.jwks if self.jwks is not None else [self.key.public_jwk()]})

    def answer_token(self, request):
        members = {
            "access_token": f"at-{len(self.calls)}",
            "token_type": "DPoP" if "DPoP" in request.headers else "Bearer",
            "expires_in": 600,
            "refresh_token": "rt-1",
            **self.tokens,
        }
        members.setdefault("id_token", self.sign(members["access_token"]))
        return to_json({name: value for name, value in members.items() if value is not None})

    def sign(self, access_token, key=None):
        key = key or self.key
        claims = {
            "iss": self.url,
            "sub": "alice",
            "aud": CLIENT,
            "iat": self.clock.now,
            "exp": self.clock.now + 300,
            "nonce": self.nonce,
            "at_hash": build_at_hash(access_token, key.alg),
            **self.claims,
        }
        return jose.sign(
            {"kid": key.public.thumbprint}, {name: value for name, value in claims.items() if value is not None}, key
        )

    def answer_userinfo(self, _request):
        return to_json({"sub": "alice", "name": "Alice"})

    def answer_revoke(self, _request):
        return Response()

    def paths(self):
        return [path for path, _, _ in self.calls]


def to_json(members, status=200, **headers):
    return Response(json.dumps(members), status=status, content_type="application/json", headers=headers)


@pytest.fixture
def server(clock, keys):
    with serving(FakeServer(keys("ES256", "issuer"), clock)) as server:
        yield server


@pytest.fixture
def make_client(server, keys):
    def make_client(**options):
        known = {"key": keys("ES256", "web client"), "dpop_key": keys("ES256", "web proof"), **options}
        return AuthorizationCodeClient(server.url, CLIENT, **known)

    return make_client


@pytest.fixture
def store():
    return MappingTokenStore({})


def start(client, **options):
    return client.start(REDIRECT_URI, **{"scope": "openid read", **options})


def back(request, server, **changes):
    """The answer that the server would give, changed; ``None`` leaves a parameter out."""
    values = {"code": "c-1", "state": request.pending.state, "iss": server.url, **changes}
    return {name: value for name, value in values.items() if value is not None}


def sign_in(client, server, store=None):
    request = start(client)
    tokens = client.finish(back(request, server), request.pending)
    if store is not None:
        store.save(tokens)
    return tokens


def test_the_fake_server_is_good_enough(make_client, server, store):
    assert sign_in(make_client(), server, store).subject == "alice"
    assert server.paths() == ["/par", "/token", "/jwks"]
    assert make_client().userinfo(store)["name"] == "Alice"


# --- which server -----------------------------------------------------------------------------------------------
def test_mixed_up_server_does_not_get_the_code(make_client, server, clock, keys):
    """A hostile server has sent the person to an honest one, whose code it wants (RFC 9700 §4.4)."""
    with serving(FakeServer(keys("ES256", "honest"), clock)) as honest:
        server.metadata = {
            "authorization_endpoint": f"{honest.url}/authorize",
            "pushed_authorization_request_endpoint": None,
        }
        request = start(make_client())
        assert request.url.startswith(honest.url)

        with pytest.raises(SignInError) as caught:
            make_client().finish(back(request, server, iss=honest.url), request.pending)

    assert caught.value.cause == "sign_in_iss"
    assert server.calls == []


@pytest.mark.parametrize("lie", [{}, {"authorization_response_iss_parameter_supported": None}])
def test_mixed_up_server_that_names_no_iss_does_not_get_it_either(lie, make_client, server):
    server.metadata = lie
    request = start(make_client())

    with pytest.raises(SignInError) as caught:
        make_client().finish(back(request, server, iss=None), request.pending)
    assert caught.value.cause == "sign_in_iss_missing"
    assert "/token" not in server.paths()


def test_answer_without_iss_is_for_those_who_allow_it_at_servers_that_promise_none(make_client, server):
    lax = make_client(allow_missing_iss=True)
    request = start(lax)
    with pytest.raises(SignInError):
        lax.finish(back(request, server, iss=None), request.pending)

    server.metadata = {"authorization_response_iss_parameter_supported": None}
    lax = make_client(allow_missing_iss=True)
    assert lax.finish(back(request, server, iss=None), request.pending).subject == "alice"


def test_allowing_it_is_warned_about(make_client, caplog):
    make_client()
    assert caplog.text == ""

    make_client(allow_missing_iss=True)
    assert "takes answers without iss: another server could pose as it" in caplog.text


def test_sign_in_of_another_client_is_refused(make_client, server):
    request = start(make_client())
    other = AuthorizationCodeClient(server.url, "other", dpop_key=make_client()._dpop_key)

    with pytest.raises(SignInError) as caught:
        other.finish(back(request, server), request.pending)
    assert caught.value.cause == "sign_in_foreign"


@pytest.mark.parametrize(
    "member", ["authorization_endpoint", "token_endpoint", "pushed_authorization_request_endpoint", "jwks_uri"]
)
@pytest.mark.parametrize("url", ["http://evil.example/x", "javascript:alert(1)", "https://u@evil.example", 5])
def test_endpoint_that_is_not_https_is_not_used(member, url, make_client, server):
    server.metadata = {member: url}

    with pytest.raises(DiscoveryError, match=f"{member}"):
        sign_in(make_client(), server)


def test_metadata_of_another_issuer_is_refused(make_client, server):
    server.metadata = {"issuer": "https://evil.example"}

    with pytest.raises(DiscoveryError, match="speaks for issuer"):
        start(make_client())


# --- what is asked ----------------------------------------------------------------------------------------------
def test_server_without_par_is_asked_in_the_url(make_client, server, keys):
    server.metadata = {"pushed_authorization_request_endpoint": None, "authorization_endpoint": f"{server.url}/a?t=1"}
    request = start(make_client(), resource=["https://api.example", "https://b.example"], max_age=60)

    query = parse_qs(urlsplit(request.url).query)
    assert query == {
        "t": ["1"],
        "response_type": ["code"],
        "client_id": [CLIENT],
        "redirect_uri": [REDIRECT_URI],
        "scope": ["openid read"],
        "state": [request.pending.state],
        "nonce": [request.pending.nonce],
        "code_challenge": [request.pending.code_challenge],
        "code_challenge_method": ["S256"],
        "dpop_jkt": [keys("ES256", "web proof").public.thumbprint],
        "max_age": ["60"],
        "resource": ["https://api.example", "https://b.example"],
    }


def test_verifier_does_not_leave_before_the_code_is_there(make_client, server):
    request = start(make_client())

    assert request.pending.code_verifier not in str(server.calls) + request.url


def test_every_sign_in_has_values_of_its_own(make_client):
    client = make_client()
    one, other = start(client).pending, start(client).pending

    assert not {one.state, one.nonce, one.code_verifier} & {other.state, other.nonce, other.code_verifier}


def test_server_that_requires_par_and_has_none_is_not_asked(make_client, server):
    server.metadata = {"pushed_authorization_request_endpoint": None, "require_pushed_authorization_requests": True}

    with pytest.raises(DiscoveryError, match="names no pushed_authorization_request_endpoint"):
        start(make_client())


def test_server_without_s256_is_not_asked(make_client, server):
    server.metadata = {"code_challenge_methods_supported": ["plain"]}

    with pytest.raises(DiscoveryError, match="does not support PKCE with S256"):
        start(make_client())


@pytest.mark.parametrize(
    "answer",
    [
        to_json({"request_uri": "urn:x"}, 200),
        to_json({}, 201),
        to_json({"request_uri": 5}, 201),
        to_json({"request_uri": ""}, 201),
        Response("<html>", 201),
        to_json({"error": "invalid_request"}, 400),
        Response("no", 500),
        Response(status=302, headers={"Location": "https://evil.example"}),
    ],
)
def test_push_that_did_not_work_sends_nobody_away(answer, make_client, server):
    server.answers["/par"] = answer

    with pytest.raises(PushError):
        start(make_client())


def test_push_is_repeated_once_for_a_nonce(make_client, server):
    refusal = to_json({"error": "use_dpop_nonce"}, 400, **{"DPoP-Nonce": "n-1"})
    server.answers["/par"] = refusal

    with pytest.raises(PushError, match="use_dpop_nonce"):
        start(make_client())
    proofs = [jose.parse(headers["Dpop"], max_bytes=8192).claims for _, _, headers in server.calls]
    assert [proof.get("nonce") for proof in proofs] == [None, "n-1"]


@pytest.mark.parametrize("par", [True, False])
def test_signed_request_says_everything_in_the_object(par, make_client, server, clock, keys):
    server.metadata = {
        "require_signed_request_object": True,
        **({} if par else {"pushed_authorization_request_endpoint": None}),
    }
    request = start(make_client(), resource="https://api.example", max_age=60)

    sent = server.calls[0][1] if par else {n: v[0] for n, v in parse_qs(urlsplit(request.url).query).items()}
    assert sent.keys() - {"client_assertion", "client_assertion_type"} == {"client_id", "request"}
    signed = jose.read(sent["request"], typ=["oauth-authz-req+jwt"], algs=["ES256"], max_bytes=8192)
    assert jose.verify(signed, keys("ES256", "web client").public)
    claims = signed.claims
    assert (claims["iss"], claims["aud"], claims["client_id"]) == (CLIENT, server.url, CLIENT)
    assert (claims["nbf"], claims["exp"]) == (clock.now, clock.now + 300)
    assert (claims["max_age"], claims["resource"]) == (60, "https://api.example")
    assert claims["state"] == request.pending.state
    assert "sub" not in claims


def test_request_is_not_sent_unsigned_where_it_has_to_be_signed(make_client, server):
    server.metadata = {"require_signed_request_object": True}
    with pytest.raises(ConfigurationError, match="requires signed requests"):
        start(make_client(key=None))

    server.metadata["request_object_signing_alg_values_supported"] = ["PS256"]
    with pytest.raises(ConfigurationError, match="accepts no request signed with ES256; it accepts PS256"):
        start(make_client())


def test_public_client_says_only_who_it_is(make_client, server):
    sign_in(make_client(key=None), server)

    for _, form, _ in server.calls[:2]:
        assert form["client_id"] == CLIENT
        assert not any(name.startswith("client_assertion") for name in form)


# --- what comes back --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "mac", None])
def test_token_that_is_not_bound_is_refused(token_type, make_client, server):
    server.tokens = {"token_type": token_type}

    with pytest.raises(TokenRequestError, match="It is not used"):
        sign_in(make_client(), server)


def test_bound_token_is_not_used_where_none_was_asked_for(make_client, server):
    server.tokens = {"token_type": "DPoP"}

    with pytest.raises(TokenRequestError, match="not Bearer"):
        sign_in(make_client(dpop=False, dpop_key=None), server)


@pytest.mark.parametrize(
    ("claims", "cause"),
    [
        ({"iss": "https://evil.example"}, "id_token_iss"),
        ({"aud": "other"}, "id_token_aud"),
        ({"nonce": "another"}, "id_token_nonce"),
        ({"nonce": None}, "id_token_nonce_missing"),
        ({"exp": 1}, "id_token_expired"),
        ({"at_hash": "x"}, "id_token_at_hash"),
    ],
)
def test_id_token_that_is_not_right_signs_nobody_in(claims, cause, make_client, server):
    server.claims = claims

    with pytest.raises(SignInError) as caught:
        sign_in(make_client(), server)
    assert caught.value.cause == cause


@pytest.mark.parametrize("id_token", [None, "", 5, []])
def test_id_token_that_is_missing_signs_nobody_in(id_token, make_client, server):
    server.tokens = {"id_token": id_token}

    with pytest.raises(SignInError) as caught:
        sign_in(make_client(), server)
    assert caught.value.cause == "id_token_missing"


def test_id_token_without_signature_signs_nobody_in(make_client, server):
    claims = jose.b64url(json.dumps({"iss": server.url, "sub": "alice", "aud": CLIENT}).encode())
    server.tokens = {"id_token": f"{jose.b64url(b'{}')}.{claims}.eA"}
    with pytest.raises(SignInError):
        sign_in(make_client(), server)

    server.metadata = {"id_token_signing_alg_values_supported": ["none"]}
    head = jose.b64url(json.dumps({"alg": "none"}).encode())
    server.tokens = {"id_token": f"{head}.{claims}.eA"}
    with pytest.raises(SignInError) as caught:
        sign_in(make_client(), server)
    assert caught.value.cause == "id_token_alg"


def test_id_token_that_nobody_asked_for_is_not_read(make_client, server):
    client = make_client()
    request = client.start(REDIRECT_URI, scope="read")
    server.tokens = {"id_token": "whatever"}

    tokens = client.finish(back(request, server), request.pending)
    assert (tokens.subject, tokens.id_token) == (None, None)
    assert "nonce" not in server.calls[0][1]


def test_keys_are_fetched_again_for_a_new_one_but_not_all_the_time(make_client, server, clock, keys):
    client = make_client()
    sign_in(client, server)
    server.key = keys("ES256", "next")
    with pytest.raises(SignInError) as caught:  # it was fetched a moment ago
        sign_in(client, server)
    assert caught.value.cause == "id_token_no_key"

    clock.move(30)
    assert sign_in(client, server).subject == "alice"
    assert server.paths().count("/jwks") == 2


def test_key_that_the_issuer_withdrew_ends_within_the_hour(make_client, server, clock, keys):
    client = make_client()
    sign_in(client, server)
    server.jwks = [keys("ES256", "next").public_jwk()]
    clock.move(3600)

    with pytest.raises(SignInError) as caught:
        sign_in(client, server)
    assert caught.value.cause == "id_token_no_key"


# --- afterwards -------------------------------------------------------------------------------------------------
def test_refreshed_id_token_of_another_person_is_refused(make_client, server, store, clock):
    client = make_client()
    sign_in(client, server, store)
    before = store.load()
    clock.move(600)
    server.claims = {"sub": "bob"}

    with pytest.raises(SignInError) as caught:
        client.auth(store, resource="https://api.example").token()
    assert caught.value.cause == "id_token_sub"
    assert store.load() == before


def test_refresh_token_is_not_lost_where_the_keys_cannot_be_fetched(make_client, server, store, clock):
    client = make_client()
    sign_in(client, server, store)
    clock.move(3600)
    server.answers["/jwks"] = Response("no", 500)
    server.tokens = {"refresh_token": "rt-2"}

    client.auth(store, resource="https://api.example").token()
    assert (store.load().refresh_token, store.load().subject) == ("rt-2", "alice")


def test_refresh_is_not_downgraded(make_client, server, store, clock):
    client = make_client()
    sign_in(client, server, store)
    clock.move(600)
    server.tokens = {"token_type": "Bearer"}

    with pytest.raises(TokenRequestError, match="not DPoP"):
        client.auth(store, resource="https://api.example").token()


def test_refresh_token_stays_where_the_server_does_not_rotate(make_client, server, store, clock):
    client = make_client()
    sign_in(client, server, store)
    server.tokens = {"refresh_token": None, "id_token": None}
    auth = client.auth(store, resource="https://api.example")
    seen = set()
    for _ in range(3):
        clock.move(600)
        seen.add(auth.token().access_token)

    assert len(seen) == 3
    assert (store.load().refresh_token, store.load().subject) == ("rt-1", "alice")


def test_without_a_refresh_token_the_person_is_needed_when_the_token_is_over(make_client, server, store, clock):
    server.tokens = {"refresh_token": None}
    client = make_client()
    sign_in(client, server, store)
    auth = client.auth(store, resource="https://api.example")
    clock.move(599)
    assert auth.token()

    clock.move(1)
    with pytest.raises(SignInRequired, match="no refresh token"):
        auth.token()


def test_token_goes_to_one_origin_only(make_client, server, store):
    client = make_client()
    sign_in(client, server, store)

    with pytest.raises(ForeignOrigin):
        requests.get(f"{server.url}/token", auth=client.auth(store, resource="https://api.example"), timeout=5)


@pytest.mark.parametrize("says", [{"sub": "bob"}, {}, {"name": "Alice"}])
def test_userinfo_of_another_person_is_refused(says, make_client, server, store):
    client = make_client()
    sign_in(client, server, store)
    server.answers["/userinfo"] = to_json(says)

    with pytest.raises(SignInError) as caught:
        client.userinfo(store)
    assert caught.value.cause == "userinfo_sub"


@pytest.mark.parametrize("answer", [Response("x", 500), Response("<html>"), to_json([]), to_json({"error": "x"}, 401)])
def test_userinfo_that_cannot_be_used_is_told(answer, make_client, server, store):
    client = make_client()
    sign_in(client, server, store)
    server.answers["/userinfo"] = answer

    with pytest.raises(UserInfoError):
        client.userinfo(store)


def test_sign_out_at_a_server_without_revocation_forgets(make_client, server, store):
    server.metadata = {"revocation_endpoint": None}
    client = make_client()
    sign_in(client, server, store)

    client.sign_out(store)
    assert store.load() is None


@pytest.mark.parametrize("url", ["http://evil.example/x", "javascript:alert(1)"])
def test_nobody_is_sent_to_a_sign_out_page_that_is_not_https(url, make_client, server, store):
    assert make_client().build_sign_out_url(store) is None

    server.metadata = {"end_session_endpoint": url}
    with pytest.raises(DiscoveryError, match="end_session_endpoint"):
        make_client().build_sign_out_url(store)


def test_sign_out_revokes_the_refresh_token_first(make_client, server, store):
    client = make_client()
    tokens = sign_in(client, server, store)
    client.sign_out(store)

    revoked = [form["token"] for path, form, _ in server.calls if path == "/revoke"]
    assert revoked == ["rt-1", tokens.token.access_token]


def test_form_of_a_browser_is_an_answer_too(make_client, server):
    client = make_client()
    request = start(client)

    assert client.finish(urlencode(back(request, server)), request.pending).subject == "alice"
