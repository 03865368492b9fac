"""client/token_client.py, client/in_httpx/: one token request, as it goes over the wire, and every way it can fail."""

import json
import socket
import threading

import pytest
from werkzeug.wrappers import Response

from flask_private_key_jwt.client import DiscoveryError, TokenClient, TokenRequestError
from flask_private_key_jwt.client.token import TOKEN
from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.fetching.exchange import MAX_BYTES
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.certificates import build_self_signed, load_certificate
from tests.client.libraries import TOKEN_CLIENTS

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest.fixture(params=TOKEN_CLIENTS)
def library(request):
    return request.param


@pytest.fixture
def dpop_key(keys):
    return keys("ES256", "dpop")


# --- what is sent ---------------------------------------------------------------------------------------
def test_a_token_request_is_a_form_with_an_assertion(make_client, token_server):
    make_client().request_token(scope="read", resource="https://api.example")

    [call] = token_server.calls
    assert (call.method, call.url) == ("POST", token_server.url + "/token")
    assert call.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert "Authorization" not in call.headers
    assert call.form.pop("client_assertion").count(".") == 2
    assert call.form == {
        "grant_type": "client_credentials",
        "client_id": "billing",
        "client_assertion_type": ASSERTION_TYPE,
        "scope": "read",
        "resource": "https://api.example",
    }


def test_the_assertion_says_who_to_whom_and_for_how_long(make_client, token_server, key, clock):
    make_client().request_token()

    assertion = token_server.calls[0].assertion
    jti = assertion.claims["jti"]
    assert dict(assertion.claims) == {
        "iss": "billing",
        "sub": "billing",
        "aud": token_server.url,
        "jti": jti,
        "iat": clock.now,
        "exp": clock.now + 60,
    }
    assert assertion.header == {"alg": "ES256", "kid": key.public.thumbprint}
    assert jose.verify(assertion, key.public)


def test_the_audience_is_the_token_endpoint_where_that_is_asked_for(make_client, token_server):
    make_client(audience=f"{token_server.url}/token").request_token()

    assert token_server.calls[0].assertion.claims["aud"] == token_server.url + "/token"


def test_several_resources_may_be_asked_for(make_client, token_server):
    make_client().request_token(resource=["https://a.example", "https://b.example"])

    assert token_server.calls[0].body.count(b"&resource=") == 2


def test_every_request_has_an_assertion_of_its_own(make_client, token_server):
    client = make_client()
    for _ in range(3):
        client.request_token()

    assert len({call.assertion.claims["jti"] for call in token_server.calls}) == 3


def test_an_assertion_may_be_given_to_be_shown(make_client, token_server):
    client = make_client()
    assertion = client.build_assertion()

    client.request_token(assertion=assertion)

    assert token_server.calls[0].form["client_assertion"] == assertion


def test_the_certificate_of_the_key_is_named(make_client, token_server, key, clock):
    pem = build_self_signed(key, common_name="billing", days=1, now=clock.now)

    make_client(certificate=pem).request_token()

    certificate = load_certificate(pem)
    header = token_server.calls[0].assertion.header
    assert header == {"alg": "ES256", "kid": certificate.sha1_hex, "x5t": certificate.x5t}


def test_the_environment_gives_neither_a_proxy_nor_credentials(make_client, token_server, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login thief password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")

    make_client().request_token()

    assert "Authorization" not in token_server.calls[0].headers


# --- discovery ------------------------------------------------------------------------------------------
def test_metadata_is_fetched_once(make_client, token_server):
    client = make_client()
    for _ in range(3):
        client.request_token()

    assert token_server.discoveries == 1
    assert client.metadata().raw["issuer"] == token_server.url


def test_metadata_of_another_issuer_gets_no_assertion(make_client, token_server):
    token_server.metadata_members = {"issuer": "https://evil.example"}

    with pytest.raises(DiscoveryError, match=r"speaks for issuer 'https://evil\.example'"):
        make_client().request_token()
    assert [call.method for call in token_server.calls] == ["GET"]  # at OpenID's location


@pytest.mark.parametrize("endpoint", [None, 5, "http://evil.example/token", "/token"])
def test_an_unsafe_token_endpoint_gets_no_assertion(endpoint, make_client, token_server):
    token_server.metadata_members = {"token_endpoint": endpoint}

    with pytest.raises(DiscoveryError, match="token_endpoint"):
        make_client().request_token()
    assert token_server.calls == []


def test_an_endpoint_that_is_gone_is_looked_up_again(make_client, token_server):
    client = make_client()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gone = f"http://127.0.0.1:{listener.getsockname()[1]}/token"
    token_server.metadata_members = {"token_endpoint": gone}
    with pytest.raises(TokenRequestError, match=f"No token: {gone} cannot be reached"):
        client.request_token()
    token_server.metadata_members = {}

    assert client.request_token().access_token == "token-1"


# --- DPoP -----------------------------------------------------------------------------------------------
def test_a_dpop_key_binds_the_token_by_a_proof(make_client, token_server, dpop_key):
    token = make_client(dpop_key=dpop_key).request_token()

    assert token.token_type == "DPoP"
    call = token_server.calls[0]
    assert call.proof_key.thumbprint == dpop_key.public.thumbprint
    assert (call.proof.claims["htm"], call.proof.claims["htu"]) == ("POST", token_server.url + "/token")
    assert "ath" not in call.proof.claims


def test_the_nonce_a_token_server_asks_for_is_sent_with_a_fresh_assertion_and_proof(
    make_client, token_server, dpop_key
):
    token_server.nonce = "first"

    token = make_client(dpop_key=dpop_key).request_token(scope="read")

    assert token.access_token == "token-1"
    first, second = token_server.calls
    assert [proof.get("nonce") for proof in token_server.proofs] == [None, "first"]
    assert first.proof.claims["jti"] != second.proof.claims["jti"]
    assert first.assertion.claims["jti"] != second.assertion.claims["jti"]
    assert second.form["scope"] == "read"


def test_an_assertion_that_was_given_is_not_repeated_with_the_nonce(make_client, token_server, dpop_key):
    token_server.nonce = "first"
    client = make_client(dpop_key=dpop_key)
    assertion = client.build_assertion()

    client.request_token(assertion=assertion)

    assert token_server.calls[0].form["client_assertion"] == assertion
    assert token_server.calls[1].form["client_assertion"] != assertion


def test_a_second_request_for_a_nonce_is_an_error(make_client, token_server, dpop_key):
    token_server.script = [token_server.ask_for_nonce("first"), token_server.ask_for_nonce("second")]

    with pytest.raises(TokenRequestError, match="did not take the one it gave") as caught:
        make_client(dpop_key=dpop_key).request_token()
    assert caught.value.error == "use_dpop_nonce"
    assert len(token_server.calls) == 2


@pytest.mark.parametrize("headers", [{"DPoP-Nonce": "two, nonces"}, {"DPoP-Nonce": ""}, {"DPoP-Nonce": 'a"b'}])
def test_a_request_for_a_nonce_without_a_usable_one_is_an_error(headers, make_client, token_server, dpop_key):
    token_server.script = [token_server.ask_for_nonce("x", **headers)]

    with pytest.raises(TokenRequestError, match="use_dpop_nonce"):
        make_client(dpop_key=dpop_key).request_token()
    assert len(token_server.calls) == 1


def test_a_nonce_that_comes_with_a_token_is_used_next(make_client, token_server, dpop_key):
    client = make_client(dpop_key=dpop_key)
    answer = token_server.refuse("temporarily_unavailable", 503)
    answer.headers["DPoP-Nonce"] = "newest"
    token_server.script = [answer]
    with pytest.raises(TokenRequestError):
        client.request_token()

    client.request_token()

    assert token_server.proofs[1]["nonce"] == "newest"


def test_a_bearer_client_is_not_led_on_by_a_request_for_a_nonce(make_client, token_server):
    token_server.script = [token_server.ask_for_nonce("first")]

    with pytest.raises(TokenRequestError, match="use_dpop_nonce"):
        make_client().request_token()
    assert len(token_server.calls) == 1


# --- refusals -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("error", TOKEN.advice)
def test_a_refusal_says_what_to_do(error, make_client, token_server):
    token_server.script = [token_server.refuse(error, error_description="Because.")]

    with pytest.raises(TokenRequestError) as caught:
        make_client().request_token()
    refusal = caught.value
    assert (refusal.error, refusal.description, refusal.status) == (error, "Because.", 400)
    assert str(refusal) == f'The token endpoint refused with 400 {error} ("Because."). {TOKEN.advice[error]}'


def test_an_error_nobody_knows_is_shown(make_client, token_server):
    token_server.script = [token_server.refuse("server_on_fire", 418)]

    with pytest.raises(TokenRequestError, match=r"refused with 418 server_on_fire\. See the server's documentation"):
        make_client().request_token()


def test_an_assertion_that_comes_back_in_a_refusal_is_not_shown(make_client, token_server):
    assertion = make_client().build_assertion()
    token_server.script = [token_server.refuse("invalid_client", error_description=f"Bad: {assertion}\r\n\x1b[2J")]

    with pytest.raises(TokenRequestError) as caught:
        make_client().request_token()
    assert caught.value.description == "Bad: [JWT]???[2J"
    assert "eyJ" not in str(caught.value)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b'{"error":5}', b'{"error":["x"]}', b'{"error":""}', b"\xff", b"[" * 9999]
)
@pytest.mark.parametrize("status", [302, 400, 404, 500])
def test_an_error_that_is_no_oauth_error_is_a_sentence(body, status, make_client, token_server):
    token_server.script = [Response(body, status=status)]

    with pytest.raises(TokenRequestError, match=f"answered with status {status} and no OAuth error") as caught:
        make_client().request_token()
    assert (caught.value.error, caught.value.status) == (None, status)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_of_the_token_endpoint_is_not_followed(status, make_client, token_server, other_api):
    token_server.script = [Response(status=status, headers={"Location": other_api.url + "/token"})]

    with pytest.raises(TokenRequestError, match=f"status {status}"):
        make_client().request_token()
    assert other_api.calls == []


# --- tokens that are none -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b'{"access_token":"a","access_token":"b"}', b"\xff", b'{"a":NaN}', b"[" * 99999]
)
def test_a_success_that_is_no_json_object_is_refused(body, make_client, token_server):
    token_server.script = [Response(body)]

    with pytest.raises(TokenRequestError, match="The token endpoint's answer is not usable"):
        make_client().request_token()


@pytest.mark.parametrize("token", [None, "", 5, [], {}, "two words", "line\r\nX: y", "é", "a,b", '"quoted"', "\x00"])
def test_a_token_that_cannot_go_into_a_header_is_refused(token, make_client, token_server):
    token_server.script = [Response(json.dumps({"access_token": token, "token_type": "Bearer"}))]

    with pytest.raises(TokenRequestError, match="holds no usable access_token"):
        make_client().request_token()


@pytest.mark.parametrize("token_type", [None, "", 5, [], "mac", "N_A", "Bearer ", "DPoP"])
def test_a_token_of_another_type_is_refused(token_type, make_client, token_server):
    token_server.members = {"token_type": token_type}

    with pytest.raises(TokenRequestError, match="not Bearer") as caught:
        make_client().request_token()
    assert "token-1" not in str(caught.value)


@pytest.mark.parametrize("token_type", ["bearer", "BEARER", "Bearer"])
def test_the_token_type_is_compared_in_any_case(token_type, make_client, token_server):
    token_server.members = {"token_type": token_type}

    assert make_client().request_token().token_type == "Bearer"


@pytest.mark.parametrize("expires_in", [None, 0, -1, "600", True, [], 1e300, 10**400])
def test_a_lifetime_that_is_none_counts_as_unknown(expires_in, make_client, token_server):
    token_server.members = {"expires_in": expires_in}

    token = make_client().request_token()

    assert token.expires_at is None
    assert not token.is_due(2**62, margin=30)


def test_the_life_of_a_token_counts_from_before_the_request(make_client, token_server, clock):
    asked = clock.now
    usual_answer = token_server.usual_answer

    def slow_answer(call):
        clock.move(7)
        return usual_answer(call)

    token_server.usual_answer = slow_answer

    token = make_client().request_token()

    assert (token.obtained_at, token.expires_at) == (asked, asked + 600)


# --- servers that are away ------------------------------------------------------------------------------
def test_a_server_that_is_away_is_a_sentence(make_client, key):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"

    with pytest.raises(DiscoveryError, match="cannot be reached: is the server running"):
        TokenClient(issuer, "billing", key=key).request_token()


def test_a_token_endpoint_that_does_not_answer_is_left(make_client, token_server):
    client = make_client(timeout=2)
    client.metadata()
    token_server.gate = threading.Event()

    with pytest.raises(TokenRequestError, match=r"No token: .*/token did not answer within 2 seconds") as caught:
        client.request_token()
    token_server.gate.set()
    assert caught.value.status is None


def test_an_answer_beyond_the_largest_size_is_refused(make_client, token_server):
    token_server.script = [Response(b" " * (MAX_BYTES + 1))]

    with pytest.raises(TokenRequestError, match="more than 1048576 bytes"):
        make_client().request_token()


def test_all_that_goes_wrong_on_the_way_is_an_exception_of_the_library(make_client, token_server, call_error):
    token_server.script = [token_server.refuse("invalid_client")]

    with pytest.raises(call_error) as caught:
        make_client().request_token()
    assert isinstance(caught.value, TokenRequestError)
    assert caught.value.response is None


def test_no_exception_leads_to_an_assertion(make_client, token_server):
    client = make_client(timeout=0.5)
    client.metadata()
    token_server.gate = threading.Event()

    with pytest.raises(TokenRequestError) as caught:
        client.request_token()
    token_server.gate.set()
    chain, error = [], caught.value
    while error:
        chain.append(f"{error!r} {vars(error)!r}")
        error = error.__cause__ or error.__context__
    assert "eyJ" not in "".join(chain)


def test_nothing_secret_is_logged(make_client, token_server, caplog, dpop_key):
    caplog.set_level("DEBUG")
    token_server.nonce = "first"

    make_client(dpop_key=dpop_key).request_token()
    token_server.script = [token_server.refuse("invalid_client")]
    with pytest.raises(TokenRequestError):
        make_client().request_token()

    assert "eyJ" not in caplog.text
    assert "token-1" not in caplog.text


# --- construction ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("issuer", ["", "as.example", "http://as.example", "https://as.example?x"])
def test_a_wrong_issuer_is_an_error_at_construction(issuer, key):
    with pytest.raises(ConfigurationError, match=r"The issuer .* is not accepted: it must"):
        TokenClient(issuer, "billing", key=key)


@pytest.mark.parametrize("client_id", ["", None, 5])
def test_a_missing_client_id_is_an_error_at_construction(client_id, key):
    with pytest.raises(ConfigurationError, match="client_id"):
        TokenClient("https://as.example", client_id, key=key)


def test_an_audience_that_was_given_is_sent_to_every_endpoint(make_client, token_server):
    # Whatever the metadata name as token endpoint: that may be another server's (a mix-up attack).
    token_server.metadata_members = {"token_endpoint": f"{token_server.url}/elsewhere/token"}
    client = make_client(audience="https://as.example/token")

    client.request_token()
    client.revoke_token("token-1")

    assert [call.assertion.claims["aud"] for call in token_server.calls] == ["https://as.example/token"] * 2


@pytest.mark.parametrize(
    ("audience", "sentence"),
    [
        ("issuer", "The audience is a URL, not the word 'issuer': leave it out for the issuer"),
        ("token_endpoint", "The audience is a URL, not the word 'token_endpoint': .* give the URL of the token end"),
        ("", "The audience '' is not the URL of a token endpoint: it must be an absolute URL"),
        (5, "The audience 5 is not the URL of a token endpoint"),
    ],
)
def test_a_wrong_audience_is_an_error_at_construction(audience, sentence, make_client, make_auth):
    with pytest.raises(ConfigurationError, match=sentence):
        make_client(audience=audience)
    with pytest.raises(ConfigurationError, match=sentence):
        make_auth(audience=audience)


@pytest.mark.parametrize("timeout", [0, -1])
def test_a_timeout_that_is_none_is_an_error_at_construction(timeout, make_client, make_auth):
    with pytest.raises(ConfigurationError, match="The timeout must be more than 0 seconds"):
        make_client(timeout=timeout)
    with pytest.raises(ConfigurationError, match="The timeout must be more than 0 seconds"):
        make_auth(timeout=timeout)


def test_a_ca_bundle_that_is_missing_is_an_error_at_construction(make_client):
    with pytest.raises(ConfigurationError, match=r"The ca_bundle 'missing\.pem' does not exist"):
        make_client(ca_bundle="missing.pem")


@pytest.mark.parametrize("value", [None, "", []])
def test_members_of_a_token_answer_that_say_nothing_are_absent(make_client, token_server, value):
    unset = {"scope": value, "expires_in": value, "refresh_token": value, "error": value}
    members = {"access_token": "token-1", "token_type": "Bearer", **unset}
    token_server.script = [Response(json.dumps(members), content_type="application/json")]

    token = make_client().request_token()

    assert (token.access_token, token.scope, token.expires_at) == ("token-1", None, None)
    assert token.raw == {"access_token": "token-1", "token_type": "Bearer"}


@pytest.mark.parametrize("member", ["access_token", "token_type"])
def test_what_a_token_answer_must_hold_is_not_absent(make_client, token_server, member):
    members = {"access_token": "token-1", "token_type": "Bearer", member: ""}
    token_server.script = [Response(json.dumps(members), content_type="application/json")]

    with pytest.raises(TokenRequestError):
        make_client().request_token()
