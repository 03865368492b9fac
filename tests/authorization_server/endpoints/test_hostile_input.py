"""Whatever a caller sends: never a 5xx, always JSON that is not stored, a constant sentence, and a log without secrets.

Most of what is sent here is properly signed, so that it gets past the signature and as deep as it can.
"""

import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_private_key_jwt.authorization_server.request import FORM_TYPE, parse_form
from flask_private_key_jwt.dpop.nonce import Nonces
from flask_private_key_jwt.dpop.proof import normalize_htu
from flask_private_key_jwt.errors import InvalidRequest
from flask_private_key_jwt.jose import jose, signatures
from flask_private_key_jwt.jose.derived import Secrets
from flask_private_key_jwt.signals import request_refused
from tests.authorization_server.endpoints.answers import PUBLIC, assert_json_never_stored
from tests.conftest import ASSERTION_TYPE, CLIENT_ID, SECRET, START, TOKEN_URL, build_claims, close, make_app

TOO_LARGE = {"error": "invalid_request", "error_description": "The request is too large."}
REFUSALS = [*PUBLIC.values(), TOO_LARGE]
HOSTILE = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

# --- what is sent -----------------------------------------------------------------------------------------
texts = st.text(st.characters(), max_size=40) | st.sampled_from(
    ["", "\x00", "\ud800", "'\"\\", "x" * 300, "\r\nX: y", "https://as.example"]
)
numbers = st.integers(-(10**30), 10**30) | st.floats() | st.sampled_from([0, -1, START, START + 1e-9, 10**400, 1e308])
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
removed = object()


def changes(*names: str) -> st.SearchStrategy[dict[str, Any]]:
    """Some members changed, removed or added."""
    return st.dictionaries(st.sampled_from(names) | texts, values | st.just(removed), min_size=1, max_size=3)


raw_json = (
    st.binary(max_size=60)
    | values.map(lambda value: json.dumps(value).encode())
    | st.sampled_from(
        [
            b"",
            b"{",
            b"[" * 3000,
            b'{"a":' * 300 + b"1" + b"}" * 300,
            b'{"alg":"ES256","alg":"none"}',
            b'{"iss":"console","iss":"other"}',
            b'\xef\xbb\xbf{"alg":"ES256"}',
            b'{"alg":"ES256","x":NaN}',
            b'{"exp":' + b"9" * 5000 + b"}",
            b'{"exp":1e99999}',
            b'"\xff"',
        ]
    )
)


def sign_bytes(header: bytes, payload: bytes, key: jose.PrivateKey) -> str:
    signed = f"{jose.b64url(header)}.{jose.b64url(payload)}"
    return f"{signed}.{jose.b64url(signatures._ALGORITHMS['ES256'].sign(signed.encode(), key.native))}"


def merge(members: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**members, **changed}.items() if value is not removed}


class Target:
    """An app, and what it logged and signalled about the last request."""

    def __init__(self, app: Any, client_key: jose.PrivateKey, proof_key: jose.PrivateKey) -> None:
        self.app = app
        self.client_key = client_key
        self.proof_key = proof_key
        self.nonce = Nonces(Secrets((SECRET,)), purpose="as", lifetime=300).issue(now=START)
        self.said: list[str] = []
        self.jtis = iter(range(10**9))

    def build_assertion(self, header: dict[str, Any] | None = None, claims: dict[str, Any] | None = None) -> str:
        full = build_claims(START, jti=f"a{next(self.jtis)}")
        return jose.sign(
            merge({"kid": self.client_key.public.thumbprint}, header or {}), merge(full, claims or {}), self.client_key
        )

    def build_proof(self, header: dict[str, Any] | None = None, claims: dict[str, Any] | None = None) -> str:
        full = {"jti": f"p{next(self.jtis)}", "htm": "POST", "htu": TOKEN_URL, "iat": START, "nonce": self.nonce}
        return jose.sign(
            merge({"typ": "dpop+jwt", "jwk": self.proof_key.public.jwk}, header or {}),
            merge(full, claims or {}),
            self.proof_key,
        )

    def form(self, **changed: Any) -> dict[str, Any]:
        fields = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": None}
        form = {**fields, **changed}
        if form["client_assertion"] is None:
            form["client_assertion"] = self.build_assertion()
        return form

    def send(self, body: Any, *, environ: dict[str, Any] | None = None, content_type: str = FORM_TYPE) -> int:
        """Send it, and check what must hold of every answer."""
        self.said.clear()
        overrides = {**(environ or {}), "CONTENT_TYPE": content_type}
        answer = self.app.test_client().post("/oauth2/token", data=body, environ_overrides=overrides)

        assert answer.status_code in (200, 400, 413)
        assert_json_never_stored(answer)
        if answer.status_code == 200:
            assert answer.json["token_type"] in ("Bearer", "DPoP")
        else:
            assert answer.json in REFUSALS
            assert len(self.said) == 2  # the log and the signal
        for text in self.said:
            assert len(text) < 900
            assert text.isascii()
            assert text.isprintable()
        return answer.status_code

    def assert_silent_about(self, *tokens: str) -> None:
        """The end of a signature is what makes a token worth stealing."""
        for token in tokens:
            for text in self.said:
                assert token[-24:] not in text


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory, client_key: Any, proof_key: Any) -> Iterator[list[Target]]:
    """One server that requires nonces and one that does not."""
    made = []
    for nonce in ("off", "required"):
        app, oauth, db = make_app(f"sqlite:///{tmp_path_factory.mktemp('as')}/as.sqlite", OAUTH2_DPOP_NONCE=nonce)
        jwks = {"keys": [client_key.public_jwk()]}
        with app.app_context():
            oauth.clients.add({"client_id": CLIENT_ID, "jwks": jwks, "scope": "read", "default_scope": "read"})
        made.append((Target(app, client_key, proof_key), app, db))
    yield [target for target, _, _ in made]
    for _, app, db in made:
        close(app, db)


@pytest.fixture(params=[0, 1], ids=["nonce off", "nonce required"])
def target(request: pytest.FixtureRequest, targets: list[Target]) -> Iterator[Target]:
    chosen = targets[request.param]
    handler = logging.Handler()
    handler.emit = lambda record: chosen.said.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("flask_private_key_jwt")
    level = log.level
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    with request_refused.connected_to(lambda sender, **event: chosen.said.append(event["reason"]), sender=chosen.app):
        yield chosen
    log.removeHandler(handler)
    log.setLevel(level)


def test_what_is_built_here_is_accepted_as_long_as_nothing_is_changed(target):
    assert target.send(target.form(), environ={"HTTP_DPOP": target.build_proof()}) == 200


# --- the properties -----------------------------------------------------------------------------------------
HEADER_NAMES = ("alg", "kid", "typ", "cty", "crit", "b64", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "zip", "enc")


@HOSTILE
@given(header=changes(*HEADER_NAMES), claims=changes("iss", "sub", "aud", "exp", "nbf", "iat", "jti") | st.just({}))
def test_any_assertion(target, header, claims):
    assertion = target.build_assertion(header, claims)
    target.send(target.form(client_assertion=assertion))
    target.assert_silent_about(assertion)

    assertion = target.build_assertion({}, claims)
    target.send(target.form(client_assertion=assertion))
    target.assert_silent_about(assertion)


@HOSTILE
@given(header=changes(*HEADER_NAMES), claims=changes("jti", "htm", "htu", "iat", "nonce", "ath", "exp", "nbf"))
def test_any_proof(target, header, claims):
    for proof in (target.build_proof(header, claims), target.build_proof(header), target.build_proof({}, claims)):
        target.send(target.form(), environ={"HTTP_DPOP": proof})
        target.assert_silent_about(proof)


@HOSTILE
@given(changed=changes("kty", "crv", "x", "y", "n", "e", "d", "k", "alg", "use", "kid", "key_ops", "x5c"))
def test_any_key_in_a_proof(target, changed):
    proof = target.build_proof({"jwk": merge(dict(target.proof_key.public.jwk), changed)})
    target.send(target.form(), environ={"HTTP_DPOP": proof})


@HOSTILE
@given(header=raw_json, payload=raw_json, good=st.sampled_from(["header", "payload", "neither"]))
def test_any_bytes_as_header_and_payload(target, header, payload, good):
    key = target.client_key
    if good == "header":
        header = json.dumps({"alg": "ES256", "kid": key.public.thumbprint}).encode()
    elif good == "payload":
        payload = json.dumps(build_claims(START)).encode()
    target.send(target.form(client_assertion=sign_bytes(header, payload, key)))

    if good == "header":
        header = json.dumps({"alg": "ES256", "typ": "dpop+jwt", "jwk": key.public.jwk}).encode()
    target.send(target.form(), environ={"HTTP_DPOP": sign_bytes(header, payload, key)})


@HOSTILE
@given(text=st.text(max_size=80) | st.text("eyJhbGciO.-_=", max_size=80), swap=st.integers(0, 400))
def test_any_text_as_assertion_or_proof(target, text, swap):
    """Also a valid one with a piece of text somewhere in it."""
    assertion, proof = target.build_assertion(), target.build_proof()
    for sent in (text, assertion[:swap] + text + assertion[swap + 1 :]):
        target.send(target.form(client_assertion=sent.encode("utf-8", "replace").decode()))
    for sent in (text, proof[:swap] + text + proof[swap + 1 :]):
        target.send(target.form(), environ={"HTTP_DPOP": sent.encode("latin-1", "replace").decode("latin-1")})


NAMES = ("grant_type", "client_assertion", "client_assertion_type", "client_id", "client_secret", "scope", "resource")
pieces_of_a_form = st.lists(
    st.sampled_from([b"a", b"=", b"&", b"%", b"%00", b"+", b";", b"scope", b"client_id", b"\xff"])
).map(b"".join)
utf8_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@HOSTILE
@given(fields=st.dictionaries(st.sampled_from(NAMES) | utf8_texts, st.lists(utf8_texts, max_size=2), max_size=4))
def test_any_form(target, fields):
    target.send({**target.form(), **fields})
    target.send(fields)


@HOSTILE
@given(body=st.binary(max_size=200) | pieces_of_a_form, whole=st.booleans())
def test_any_body(target, body, whole):
    target.send(urlencode(target.form()).encode() + b"&" + body if whole else body)


@HOSTILE
@given(name=st.sampled_from(NAMES), where=st.sampled_from(["assertion", "proof"]))
def test_assertion_or_proof_in_another_parameter_is_not_logged(target, name, where):
    """A client that mixes up its parameters: what it sends is valid, and nobody has spent it."""
    token = target.build_assertion() if where == "assertion" else target.build_proof()
    for form in (target.form(**{name: token}), {token: "x"}, target.form(**{token: "x"})):
        target.send(form)
        target.assert_silent_about(token)
    target.send(f"{token}=1&{token}=2")
    target.assert_silent_about(token)
    target.send(target.form(), content_type=token)
    target.assert_silent_about(token)


ENVIRON_NAMES = (
    *("HTTP_HOST", "HTTP_DPOP", "HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_ACCEPT", "HTTP_ORIGIN", "HTTP_EXPECT"),
    *("HTTP_X_FORWARDED_HOST", "HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_ENCODING", "QUERY_STRING", "REMOTE_ADDR"),
)
latin = st.text(st.characters(max_codepoint=255), max_size=60)


@HOSTILE
@given(
    environ=st.dictionaries(
        st.sampled_from(ENVIRON_NAMES),
        latin,
        max_size=4,
    ),
    content_type=latin | st.just(FORM_TYPE),
)
def test_any_headers(target, environ, content_type):
    target.send(target.form(), environ=environ, content_type=content_type)


# --- pieces that parse foreign text, by themselves ------------------------------------------------------------
@HOSTILE
@given(body=st.binary(), content_type=st.just(FORM_TYPE) | st.text())
def test_form_parser_raises_nothing_else(body, content_type):
    try:
        form, resources = parse_form(body, content_type)
    except InvalidRequest:
        return
    assert all(isinstance(value, str) for value in (*form, *form.values(), *resources))


@HOSTILE
@given(url=st.text() | st.text("htps:/as.example%2F?#[]@0123456789").map("https://".__add__))
def test_normal_form_of_a_url_is_its_own_normal_form(url):
    normal = normalize_htu(url)

    assert normal is None or normalize_htu(normal) == normal
