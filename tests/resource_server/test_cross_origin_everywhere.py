"""Pages of other origins (CORS) at an API in every framework; what is Flask's own is in test_cross_origin.py."""

import pytest
from starlette.responses import JSONResponse

from flask_private_key_jwt.resource_server import ASGIProtector
from flask_private_key_jwt.resource_server.answer_headers import set_headers
from tests.resource_server.test_asgi import CONFIG, ask, build_scope

EVERY_FRAMEWORK = True

LISTED = "https://spa.example"
DOCUMENT = "/.well-known/oauth-protected-resource"
PREFLIGHT = {"Origin": LISTED, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-secret"}


@pytest.fixture
def settings():
    return {"OAUTH2_CORS_ORIGINS": [LISTED]}


def cors_headers(answer):
    return {name: value for name, value in answer.headers.items() if name.startswith("Access-Control-")} or {
        name.title(): value for name, value in answer.headers.items() if name.lower().startswith("access-control-")
    }


def test_preflight_of_a_listed_origin_needs_no_token(call):
    answer = call.send("/read", method="OPTIONS", **PREFLIGHT)

    assert (answer.status_code, answer.data) == (204, b"")
    headers = cors_headers(answer)
    assert headers["Access-Control-Allow-Origin"] == LISTED
    assert headers["Access-Control-Allow-Headers"] == "Authorization, DPoP, Content-Type, MCP-Protocol-Version"
    assert "GET" in headers["Access-Control-Allow-Methods"].split(", ")
    assert "Access-Control-Allow-Credentials" not in headers
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://spa.example.evil.example", "null", "HTTPS://SPA.EXAMPLE"]
)
def test_preflight_of_another_origin_gets_nothing(call, origin):
    answer = call.send("/read", method="OPTIONS", **{**PREFLIGHT, "Origin": origin})

    assert answer.status_code != 204
    assert cors_headers(answer) == {}


@pytest.mark.parametrize(("token", "status"), [(None, 200), ("x", 401)])
def test_pages_of_a_listed_origin_may_read_answers_and_refusals(call, token, status):
    answer = call.bearer(token, path="/read", Origin=LISTED)

    assert answer.status_code == status
    assert cors_headers(answer) == {
        "Access-Control-Allow-Origin": LISTED,
        "Access-Control-Expose-Headers": "DPoP-Nonce, WWW-Authenticate, Error-Reference",
    }
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize("token", [None, "x"])
def test_pages_of_another_origin_may_not_and_no_cache_mixes_them_up(call, token):
    answer = call.bearer(token, path="/read", Origin="https://evil.example")

    assert cors_headers(answer) == {}
    assert answer.headers["Vary"] == "Origin"


def test_without_the_setting_nothing_is_said(make_caller):
    call = make_caller()

    assert cors_headers(call.bearer(path="/read", Origin=LISTED)) == {}
    assert call.send("/read", method="OPTIONS", **PREFLIGHT).status_code != 204


def test_every_origin_may_be_listed_and_the_log_warns(make_caller, caplog):
    call = make_caller(OAUTH2_CORS_ORIGINS="*")

    assert cors_headers(call.bearer(path="/read", Origin="https://any.example"))["Access-Control-Allow-Origin"] == "*"
    assert "OAUTH2_CORS_ORIGINS is *" in caplog.text


def test_a_nonce_may_be_read(make_caller, build_token, build_proof, proof_key):
    call = make_caller(
        OAUTH2_CORS_ORIGINS=[LISTED], OAUTH2_DPOP_NONCE="required", SECRET_KEY="a secret for tests only, long enough"
    )
    token = build_token(bound_to=proof_key)
    nonce = call.dpop(token, Origin=LISTED).headers["DPoP-Nonce"]

    answer = call.dpop(token, proof=build_proof(token, nonce=nonce), Origin=LISTED)

    assert answer.status_code == 200
    assert answer.headers["DPoP-Nonce"]
    assert cors_headers(answer)["Access-Control-Allow-Origin"] == LISTED


@pytest.mark.parametrize("origin", [LISTED, "https://evil.example"])
def test_the_metadata_document_is_for_everybody(call, origin):
    assert cors_headers(call.send(DOCUMENT, Origin=origin))["Access-Control-Allow-Origin"] == "*"
    preflight = call.send(DOCUMENT, method="OPTIONS", **{**PREFLIGHT, "Origin": origin})
    assert cors_headers(preflight)["Access-Control-Allow-Methods"] == "GET, HEAD"
    assert cors_headers(preflight)["Access-Control-Allow-Origin"] == "*"


def test_what_the_application_says_of_cors_is_replaced(issuer, build_token):
    async def view(scope, receive, send):
        headers = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true", "Vary": "Accept"}
        await JSONResponse({}, headers=headers)(scope, receive, send)

    app = ASGIProtector({**CONFIG, "OAUTH2_CORS_ORIGINS": [LISTED]}).protect(view)
    token = ("Authorization", f"Bearer {build_token()}")

    _, listed, _ = ask(app, build_scope(headers=[token, ("Origin", LISTED)]))
    _, other, _ = ask(app, build_scope(headers=[token, ("Origin", "https://evil.example")]))

    assert (listed["access-control-allow-origin"], listed["vary"]) == (LISTED, "Accept, Origin")
    assert "access-control-allow-credentials" not in listed
    assert (other.get("access-control-allow-origin"), other["vary"]) == (None, "Accept, Origin")


@pytest.mark.parametrize(
    ("existing", "added", "result"),
    [
        ([("A", "1"), ("b", "2")], [("B", "3")], [("A", "1"), ("B", "3")]),
        ([("Vary", "Accept")], [("Vary", "Origin")], [("Vary", "Accept, Origin")]),
        ([("vary", "origin")], [("Vary", "Origin")], [("Vary", "origin")]),
        ([("Vary", "*")], [("Vary", "Origin")], [("Vary", "*")]),
        ([("Vary", "A"), ("Vary", "B")], [("Vary", "Origin")], [("Vary", "A, B, Origin")]),
        ([("Access-Control-X", "1")], [("DPoP-Nonce", "n")], [("Access-Control-X", "1"), ("DPoP-Nonce", "n")]),
        ([("Access-Control-X", "1")], [("Vary", "Origin")], [("Vary", "Origin")]),
        (
            [("Set-Cookie", "a"), ("Set-Cookie", "b")],
            [("X", "y")],
            [("Set-Cookie", "a"), ("Set-Cookie", "b"), ("X", "y")],
        ),
    ],
)
def test_headers_are_set_once(existing, added, result):
    assert set_headers(existing, added) == result
