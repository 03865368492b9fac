"""Requests that have to be refused: each is a valid one with something wrong, or no request at all."""

import json
import random
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from flask_private_key_jwt.client.assertion import ASSERTION_TYPE
from flask_private_key_jwt.jose import jose
from tests.faults.served import ISSUER, Answer
from tests.soak.callers import TOKEN, Client, World
from tests.soak.ledger import Interrupted
from tests.soak.server import RESOURCE

ES256 = '{"alg":"ES256"}'
SURROGATE = r'{"iss":"\ud800","sub":"\ud800"}'
_STRANGER = jose.generate_private_key("ES256")


def _claims(client: Client, **changes: object) -> dict[str, object]:
    now = int(time.time())
    usual = {"iss": client.client_id, "sub": client.client_id, "aud": ISSUER, "iat": now, "exp": now + 60}
    claims = {**usual, "jti": secrets.token_hex(9), **changes}
    return {name: value for name, value in claims.items() if value is not None}


def _sign(client: Client, key: jose.PrivateKey | None = None, header: Mapping[str, Any] = {}, **changes: object) -> str:
    key = key or client.key
    return jose.sign({"kid": client.key.public.thumbprint, **header}, _claims(client, **changes), key)


def _form(assertion: str, **fields: str) -> bytes:
    usual = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
    return urlencode({**usual, "client_assertion": assertion, **fields}).encode()


def _encode(part: object) -> str:
    text = part if isinstance(part, str) else json.dumps(part)
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _unsigned(client: Client, header: Mapping[str, Any]) -> str:
    return f"{_encode(header)}.{_encode(_claims(client))}."


def _flip(token: str) -> str:
    head, _, signature = token.rpartition(".")
    return f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


ASSERTIONS: dict[str, Callable[[Client], str]] = {
    "another signature": lambda client: _flip(_sign(client)),
    "the key of a stranger": lambda client: _sign(client, _STRANGER),
    "a key in the header": lambda client: _sign(client, _STRANGER, {"jwk": _STRANGER.public.jwk}),
    "alg none": lambda client: _unsigned(client, {"alg": "none"}),
    "alg HS256": lambda client: _unsigned(client, {"alg": "HS256"}) + "AAAA",
    "crit": lambda client: _sign(client, None, {"crit": ["b64"], "b64": False}),
    "another aud": lambda client: _sign(client, aud="https://other.example"),
    "no aud": lambda client: _sign(client, aud=None),
    "exp in the past": lambda client: _sign(client, exp=int(time.time()) - 600, iat=int(time.time()) - 700),
    "exp next year": lambda client: _sign(client, exp=int(time.time()) + 31_536_000),
    "exp as text": lambda client: _sign(client, exp="tomorrow"),
    "exp huge": lambda client: _sign(client, exp=10**300),
    "iat in the future": lambda client: _sign(client, iat=int(time.time()) + 50),
    "no jti": lambda client: _sign(client, jti=None),
    "jti as a list": lambda client: _sign(client, jti=["x"]),
    "a long jti": lambda client: _sign(client, jti="x" * 3000),
    "iss is not sub": lambda client: _sign(client, sub="somebody"),
    "an unknown client": lambda client: _sign(client, iss="nobody", sub="nobody"),
    "NUL in sub": lambda client: _sign(client, iss="a\0b", sub="a\0b"),
    "a lone surrogate": lambda client: f"{_encode(ES256)}.{_encode(SURROGATE)}.AAAA",
    "deep JSON": lambda client: f"{_encode('[' * 3000)}.{_encode('{}')}.AAAA",
    "no JWT": lambda client: "a.b.c",
    "nothing": lambda client: "",
    "nine kilobytes": lambda client: "a" * 9000,
    "not ASCII": lambda client: "é.ü.ß",
}


def _send_assertion(world: World, chance: random.Random) -> tuple[str, Answer]:
    what = chance.choice(tuple(ASSERTIONS))
    path = chance.choice((TOKEN, TOKEN, "/oauth2/par", "/oauth2/introspect", "/oauth2/revoke"))
    return f"assertion, {what}", world.post(path, _form(ASSERTIONS[what](chance.choice(world.clients)), token="x"))


def _send_form(world: World, chance: random.Random) -> tuple[str, Answer]:
    client = chance.choice(world.clients)
    good, proof = _form(_sign(client)), client.proof() if client.is_bound else {}
    forms: dict[str, bytes] = {
        "no form": b"",
        "a parameter twice": good + b"&grant_type=client_credentials",
        "an unknown grant": _form(_sign(client), grant_type="urn:unknown"),
        "a scope that it has not": _form(_sign(client), scope="admin"),
        "an unknown resource": _form(_sign(client), resource="https://other.example"),
        "a made-up code": _form(
            _sign(client), grant_type="authorization_code", code="x" * 43, redirect_uri="https://x"
        ),
        "a made-up refresh token": _form(_sign(client), grant_type="refresh_token", refresh_token="x" * 43),
        "a NUL refresh token": _form(_sign(client), grant_type="refresh_token", refresh_token="x\0y"),
        "a wrong assertion type": _form(_sign(client), client_assertion_type="urn:x"),
        "two ways to authenticate": _form(_sign(client), client_secret="secret"),
        "broken percents": b"grant_type=%zz%&client_assertion=%ff%fe",
        "no UTF-8": b"\xff\xfe\x00\x01" * 50,
        "seventy kilobytes": b"a=" + b"b" * 70_000,
        "a thousand parameters": b"&".join(b"a%d=b" % number for number in range(1000)),
    }
    what = chance.choice(tuple(forms))
    return f"form, {what}", world.post(TOKEN, forms[what], proof)


def _send_proof(world: World, chance: random.Random) -> tuple[str, Answer]:
    client = chance.choice(world.clients)
    now, url = int(time.time()), ISSUER + TOKEN
    header, claims = {"typ": "dpop+jwt", "jwk": client.key.public.jwk}, {"htm": "POST", "htu": url, "iat": now}

    def sign(header: Mapping[str, Any], **changes: object) -> str:
        return jose.sign(dict(header), {**claims, "jti": secrets.token_hex(9), **changes}, client.key)

    proofs = {
        "another URL": sign(header, htu="https://other.example/oauth2/token"),
        "another method": sign(header, htm="GET"),
        "an old one": sign(header, iat=now - 3600),
        "no typ": sign({"jwk": client.key.public.jwk}),
        "no key": sign({"typ": "dpop+jwt"}),
        "another key": sign({"typ": "dpop+jwt", "jwk": _STRANGER.public.jwk}),
        "another signature": _flip(sign(header)),
        "nine kilobytes": "a" * 9000,
        "no JWT": "x",
        "two in one": f"{sign(header)}, {sign(header)}",
    }
    what = chance.choice(tuple(proofs))
    form = client.form(grant_type="client_credentials")
    return f"proof, {what}", world.post(TOKEN, form, {"DPoP": proofs[what]})


def _call_api(world: World, chance: random.Random) -> tuple[str, Answer]:
    client = chance.choice(world.clients)
    now = int(time.time())
    made_up = jose.sign(
        {"typ": "at+jwt", "kid": "x"},
        {"iss": ISSUER, "sub": "x", "client_id": "x", "aud": RESOURCE, "iat": now, "exp": now + 60, "jti": "x"},
        client.key,
    )
    headers = {
        "no token": {},
        "a made-up token": {"Authorization": f"Bearer {made_up}"},
        "no JWT": {"Authorization": "Bearer x"},
        "a long token": {"Authorization": f"Bearer {'a' * 9000}"},
        "another scheme": {"Authorization": "Basic YTpi"},
        "an assertion as a token": {"Authorization": f"Bearer {_sign(client)}"},
        "a proof without a token": client.proof(f"{RESOURCE}/bound", "GET"),
        "a made-up token with a proof": {
            "Authorization": f"DPoP {made_up}",
            **client.proof(f"{RESOURCE}/bound", "GET", made_up),
        },
    }
    what = chance.choice(tuple(headers))
    return f"API call, {what}", world.send("GET", chance.choice(("/values", "/bound")), headers=headers[what])


def _send_page(world: World, chance: random.Random) -> tuple[str, Answer]:
    client = chance.choice(world.clients)
    queries = {
        "nothing": {},
        "an unknown client": {"client_id": "nobody", "response_type": "code"},
        "another redirect_uri": {
            "client_id": client.client_id,
            "response_type": "code",
            "redirect_uri": "https://evil.example/callback",
        },
        "an unknown request_uri": {
            "client_id": client.client_id,
            "request_uri": "urn:ietf:params:oauth:request_uri:unknown",
        },
        "a NUL client": {"client_id": "a\0b", "response_type": "code"},
    }
    what = chance.choice(tuple(queries))
    method = chance.choice(("GET", "POST"))
    body = b"decision=allow&decision_token=x" if method == "POST" else None
    return f"page, {what} ({method})", world.send(method, f"/oauth2/authorize?{urlencode(queries[what])}", body)


def _send_anything(world: World, chance: random.Random) -> tuple[str, Answer]:
    requests: dict[str, tuple[str, str, bytes | None, str]] = {
        "GET of the token endpoint": ("GET", TOKEN, None, ""),
        "PUT of the token endpoint": ("PUT", TOKEN, b"x", "text/plain"),
        "JSON for a form": ("POST", TOKEN, b'{"grant_type": "client_credentials"}', "application/json"),
        "a form as multipart": ("POST", TOKEN, b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x"),
        "a registration that is no JSON": ("POST", "/oauth2/register", b"{", "application/json"),
        "a registration without keys": ("POST", "/oauth2/register", b"{}", "application/json"),
        "a deep registration": ("POST", "/oauth2/register", b'{"a":' + b"[" * 5000, "application/json"),
        "a large registration": ("POST", "/oauth2/register", b'"' + b"a" * 20_000 + b'"', "application/json"),
        "somebody else's registration": ("GET", "/oauth2/register/client?client_id=client-0", None, ""),
        "a deletion by a stranger": ("DELETE", "/oauth2/register/client?client_id=client-0", None, ""),
        "UserInfo without a token": ("GET", "/oauth2/userinfo", None, ""),
        "a path that is not there": ("GET", "/oauth2/../../etc/passwd", None, ""),
    }
    what = chance.choice(tuple(requests))
    method, path, body, content_type = requests[what]
    return what, world.send(method, path, body, {"Authorization": "Bearer x"}, content_type=content_type)


KINDS = (_send_assertion, _send_assertion, _send_form, _send_proof, _call_api, _send_page, _send_anything)


def attack(world: World, chance: random.Random) -> None:
    """Send one of them."""
    what, answer = chance.choice(KINDS)(world, chance)
    try:
        world.ledger.refusal(what, answer)
    except Interrupted:
        return
