"""What is ASGI's own: kinds of connections, paths, repeated headers, and an event loop that must not stop."""

import asyncio
import contextlib
import itertools
import logging
import threading
import time
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, WebSocket
from quart import Blueprint, Quart
from quart import websocket as quart_websocket
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute

from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.event_loops.run_now import run_now
from flask_private_key_jwt.resource_server import (
    ASGIProtector,
    FastAPIProtector,
    QuartProtector,
    StarletteProtector,
    find_token,
)
from tests.refusals import causes, noting_refusals
from tests.resource_server.api_answers import INVALID_REQUEST, MISSING_TOKEN, UNAVAILABLE
from tests.servers.asgi_client import call

CONFIG = {
    "OAUTH2_ISSUER": "https://as.example",
    "OAUTH2_RESOURCE": "https://api.example",
    "OAUTH2_REPLAY_STORE": "memory",
}


class View:
    """An application that counts its calls and tells who calls."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls += 1
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept", "headers": [(b"x", b"y")]})
            await send({"type": "websocket.close"})
            return
        await JSONResponse({"client": (find_token(scope) or {}).get("client_id")})(scope, receive, send)


@pytest.fixture
def view() -> View:
    return View()


@pytest.fixture
def require_oauth(issuer: Any) -> ASGIProtector:
    return ASGIProtector(CONFIG)


def build_scope(path: str = "/any", *, headers: Any = (), kind: str = "http", **more: Any) -> dict[str, Any]:
    scope = {
        "type": kind,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "extensions": {},
    }
    if kind == "http":
        scope["method"] = "GET"
    return {**scope, **more}


def ask(app: Any, scope: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
    """The status, the headers and the body of an answer."""
    status, headers, body = asyncio.run(call(app, scope))
    return status, dict(headers), body


@pytest.fixture
def bearer(build_token):
    return [("Authorization", f"Bearer {build_token()}")]


@pytest.fixture
def bound(build_token, build_proof, proof_key):
    """Headers with a bound token and a proof."""

    def build(**changes: Any) -> list[tuple[str, str]]:
        token = build_token(bound_to=proof_key)
        return [("Authorization", f"DPoP {token}"), ("DPoP", build_proof(token, **changes))]

    return build


# --- kinds of connections -------------------------------------------------------------------------------------
@pytest.mark.parametrize("way", ["protect", "describe"])
def test_lifespan_passes(require_oauth, way):
    received = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        received.append(scope["type"])
        await send({"type": "lifespan.startup.complete"})

    async def send(message: Any) -> None:
        received.append(message["type"])

    asyncio.run(getattr(require_oauth, way)(app)({"type": "lifespan"}, None, send))

    assert received == ["lifespan", "lifespan.startup.complete"]


def test_a_kind_of_connection_that_nobody_has_thought_of_is_never_let_in(require_oauth, view, bearer):
    with pytest.raises(ConfigurationError, match="'webtransport' cannot be guarded"):
        asyncio.run(require_oauth.protect(view)(build_scope(kind="webtransport", headers=bearer), None, None))
    assert view.calls == 0


def shake_hands(app: Any, scope: dict[str, Any]) -> list[dict[str, Any]]:
    """What is sent in answer to a WebSocket handshake."""
    sent: list[dict[str, Any]] = []
    messages = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]
    answered = asyncio.Event()

    async def receive() -> Any:
        if len(messages) == 1:
            await answered.wait()  # the client does not hang up before it is answered
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(dict(message))
        if message["type"] != "websocket.http.response.start":
            answered.set()

    asyncio.run(app(scope, receive, send))
    return sent


def test_a_handshake_without_a_token_is_refused(require_oauth, view):
    with noting_refusals(require_oauth) as refusals:
        sent = shake_hands(require_oauth.protect(view), build_scope(kind="websocket"))

    assert sent == [{"type": "websocket.close", "code": 1008, "reason": ""}]
    assert causes(refusals) == ["token_missing"]
    assert view.calls == 0


def test_a_refused_handshake_gets_the_answer_where_the_server_can_send_it(require_oauth, view):
    scope = build_scope(kind="websocket", extensions={"websocket.http.response": {}})

    start, body = shake_hands(require_oauth.protect(view, "read"), scope)

    assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)
    assert [value for name, value in start["headers"] if name == b"www-authenticate"][1].startswith(
        b'Bearer scope="read"'
    )
    assert b'"invalid_token"' in body["body"]
    assert view.calls == 0


def test_a_handshake_with_a_token_is_let_in(require_oauth, view, bearer):
    sent = shake_hands(require_oauth.protect(view), build_scope(kind="websocket", headers=bearer))

    assert sent[0] == {"type": "websocket.accept", "headers": [(b"x", b"y")]}


def test_the_proof_of_a_handshake_is_one_for_a_get(require_oauth, view, bound):
    app = require_oauth.protect(view, dpop="required")
    headers = bound()

    assert shake_hands(app, build_scope(kind="websocket", headers=headers))[0]["type"] == "websocket.accept"
    assert shake_hands(app, build_scope(kind="websocket", headers=headers))[0]["type"] == "websocket.close"
    other = bound(htu="wss://api.example/any")
    assert shake_hands(app, build_scope(kind="websocket", headers=other))[0]["type"] == "websocket.close"


def test_an_accepted_handshake_hands_out_a_nonce(issuer, view, bound):
    require_oauth = ASGIProtector({**CONFIG, "OAUTH2_DPOP_NONCE": "required", "OAUTH2_SECRETS": "s" * 32})
    app = require_oauth.protect(view)
    scope = build_scope(kind="websocket", headers=bound(), extensions={"websocket.http.response": {}})
    [nonce] = [value for name, value in shake_hands(app, scope)[0]["headers"] if name == b"dpop-nonce"]

    accept = shake_hands(app, build_scope(kind="websocket", headers=bound(nonce=nonce.decode())))[0]

    assert accept["type"] == "websocket.accept"
    assert dict(accept["headers"])[b"dpop-nonce"]
    assert dict(accept["headers"])[b"x"] == b"y"


def make_starlette_sockets() -> tuple[Any, Any]:
    require_oauth = StarletteProtector(CONFIG)

    @require_oauth("read")
    async def talk(websocket: Any) -> None:
        await websocket.accept()
        await websocket.close()

    app = Starlette(routes=[WebSocketRoute("/any", talk)])
    require_oauth.init_app(app)
    return app, require_oauth


def make_fastapi_sockets() -> tuple[Any, Any]:
    require_oauth = FastAPIProtector(CONFIG)
    app = FastAPI()
    require_oauth.init_app(app)

    @app.websocket("/any")
    async def talk(websocket: WebSocket, token: Annotated[Any, Depends(require_oauth("read"))]) -> None:
        await websocket.accept()
        await websocket.close()

    return app, require_oauth


def make_quart_sockets() -> tuple[Any, Any]:
    app = Quart("api")
    require_oauth = QuartProtector(CONFIG)
    require_oauth.init_app(app)

    @app.websocket("/any")
    @require_oauth("read")
    async def talk() -> None:
        await quart_websocket.accept()

    return app, require_oauth


def make_quart_blueprint() -> tuple[Any, Any]:
    app, api = Quart("api"), Blueprint("api", "api")
    require_oauth = QuartProtector(CONFIG)
    require_oauth.protect_blueprint(api, "read")
    require_oauth.init_app(app)

    @api.websocket("/any")
    async def talk() -> None:
        await quart_websocket.accept()

    app.register_blueprint(api)
    return app, require_oauth


SOCKETS = [make_starlette_sockets, make_fastapi_sockets, make_quart_sockets, make_quart_blueprint]


@pytest.mark.parametrize("denial", [True, False])
@pytest.mark.parametrize("make", SOCKETS)
def test_a_websocket_view_is_protected(make, denial, issuer, build_token):
    app, require_oauth = make()
    more: dict[str, Any] = {
        "extensions": {"websocket.http.response": {}} if denial else {},
        "scheme": "wss",
        "http_version": "1.1",
        "subprotocols": [],
        "client": ("127.0.0.1", 1),
        "server": ("api.example", 443),
        "asgi": {"version": "3.0"},
    }
    accepted = {"Authorization": f"Bearer {build_token(scope='read')}"}.items()
    refused = {"Authorization": f"Bearer {build_token(scope='write')}"}.items()

    with noting_refusals(require_oauth) as refusals:
        little = shake_hands(app, build_scope(kind="websocket", headers=refused, **more))
    let_in = shake_hands(app, build_scope(kind="websocket", headers=accepted, **more))

    assert causes(refusals) == ["scope_insufficient"]
    assert let_in[0]["type"] == "websocket.accept"
    if denial:
        assert [(message["type"], message.get("status")) for message in little] == [
            ("websocket.http.response.start", 403),
            ("websocket.http.response.body", None),
        ]
    else:
        assert little == [{"type": "websocket.close", "code": 1008, "reason": ""}]


# --- headers --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("second", ["Bearer x", "DPoP x", ""])
def test_a_second_authorization_header_is_refused(require_oauth, view, bearer, second):
    with noting_refusals(require_oauth) as refusals:
        status, _, body = ask(require_oauth.protect(view), build_scope(headers=[*bearer, ("Authorization", second)]))

    assert (status, JSONResponse(INVALID_REQUEST).body) == (400, body.replace(b": ", b":").replace(b", ", b","))
    assert causes(refusals) == ["authorization_header_repeated"]
    assert view.calls == 0


def test_a_second_proof_is_refused_and_the_first_is_not_used_up(require_oauth, view, bound):
    app, headers = require_oauth.protect(view), bound()
    with noting_refusals(require_oauth) as refusals:
        assert ask(app, build_scope(headers=[*headers, ("DPoP", "x")]))[0] == 401
        assert ask(app, build_scope(headers=[*headers, headers[1]]))[0] == 401

    assert causes(refusals) == ["proof_repeated", "proof_repeated"]
    assert ask(app, build_scope(headers=headers))[0] == 200


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "QUERY", "get"])
def test_every_method_needs_a_token(require_oauth, view, method):
    status, headers, body = ask(require_oauth.protect(view), build_scope(method=method))

    assert status == 401
    assert view.calls == 0
    assert (body == b"") is (method == "HEAD")
    assert int(headers["content-length"]) > 0


@pytest.mark.parametrize(
    ("method", "htm", "status"), [("HEAD", "HEAD", 200), ("HEAD", "GET", 401), ("get", "GET", 401)]
)
def test_a_proof_is_for_one_method(require_oauth, view, bound, method, htm, status):
    assert ask(require_oauth.protect(view), build_scope(method=method, headers=bound(htm=htm)))[0] == status


def test_a_refusal_does_not_wait_for_the_body(require_oauth, view):
    async def never() -> Any:
        raise AssertionError("the body was read")

    sent = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(require_oauth.protect(view)(build_scope(method="POST"), never, send))

    assert sent[0]["status"] == 401


# --- paths ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "raw_path", "root_path", "external", "htu"),
    [
        ("/v1/any", None, "", None, "/v1/any"),
        ("/v1/any", None, "/v1", None, "/v1/any"),
        ("/any", None, "/v1", None, "/v1/any"),
        ("/any", None, "/v1/", None, "/v1/any"),
        ("/v1", None, "/v1", None, "/v1"),
        ("/v1x/any", None, "/v1", None, "/v1/v1x/any"),
        ("/v1/any", None, "/v1", "/v1", "/v1/any"),
        ("/any", None, "/v1", "/v1", "/v1/any"),
        ("/any", None, "", "/v1", "/v1/any"),
        ("/café", b"/caf%C3%A9", "", None, "/caf%C3%A9"),
        ("/caf\ufffd", b"/caf%E9", "", None, "/caf%E9"),
        ("/a/b", b"/a%2Fb", "", None, "/a%2Fb"),
        ("/a b", b"/a%20b?x", "", None, "/a%20b"),
        ("/100%", b"/100%25", "", None, "/100%25"),
        ("/changed", b"/caf%C3%A9", "", None, "/changed"),
        ("/caf\xe9", None, "", None, "/caf%C3%A9"),
        ("/é/any", b"/%C3%A9/any", "/é", None, "/%C3%A9/any"),
    ],
)
def test_the_url_of_a_proof_is_the_one_that_clients_see(issuer, view, bound, path, raw_path, root_path, external, htu):
    config = {**CONFIG, **({"OAUTH2_EXTERNAL_URL": f"https://api.example{external}"} if external else {})}
    app = ASGIProtector(config).protect(view)
    scope = build_scope(path, root_path=root_path, headers=bound(htu=f"https://api.example{htu}"), raw_path=raw_path)

    assert ask(app, scope)[0] == 200


@pytest.mark.parametrize(
    ("path", "raw_path", "htu"),
    [
        ("/a/b", b"/a/b", "/a/b/"),
        ("/a%41", b"/a%2541", "/aA"),
        ("/a/../b", b"/a/../b", "/b"),
        ("//a", b"//a", "/a"),
        ("http://evil.example/any", b"http://evil.example/any", "/any"),
    ],
)
def test_a_proof_for_another_path_is_refused(require_oauth, view, bound, path, raw_path, htu):
    headers = bound(htu=f"https://api.example{htu}")
    scope = build_scope(path, raw_path=raw_path, headers=headers)

    assert ask(require_oauth.protect(view), scope)[0] == 401
    assert view.calls == 0


def test_headers_of_a_proxy_change_nothing(require_oauth, view, bound):
    forged = [("Host", "evil.example"), ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Prefix", "/evil")]
    app = require_oauth.protect(view)

    assert ask(app, build_scope(headers=[*forged, *bound(htu="https://evil.example/any")]))[0] == 401
    assert ask(app, build_scope(headers=[*forged, *bound()], server=("evil.example", 80)))[0] == 200


@pytest.mark.parametrize("external", [None, "https://api.example"])
def test_what_an_application_mounts_itself_is_part_of_the_path(issuer, view, bound, external):
    config = {**CONFIG, **({"OAUTH2_EXTERNAL_URL": external} if external else {})}
    require_oauth = StarletteProtector(config)

    @require_oauth()
    async def show(request: Any) -> JSONResponse:
        return JSONResponse({})

    inner = Starlette(routes=[Route("/any", show)])
    app = Starlette(routes=[Mount("/v1", inner), Mount("/v2", require_oauth.protect(view))])
    require_oauth.init_app(app)

    for mount in ("/v1", "/v2"):
        headers = bound(htu=f"https://api.example{mount}/any")
        assert ask(app, build_scope(f"{mount}/any", headers=headers))[0] == 200
        assert ask(app, build_scope(f"{mount}/any", headers=bound()))[0] == 401


@pytest.mark.parametrize("resource", ["https://api.example/v1", "https://api.example/caf%C3%A9"])
def test_the_metadata_document_is_in_front_of_a_protected_application(issuer, view, resource):
    app = ASGIProtector({**CONFIG, "OAUTH2_RESOURCE": resource}).protect(view, "read")
    path = resource.removeprefix("https://api.example").replace("%C3%A9", "é")
    well_known = f"/.well-known/oauth-protected-resource{path}"

    status, headers, _ = ask(app, build_scope(well_known, raw_path=None))

    assert (status, headers["access-control-allow-origin"]) == (200, "*")
    assert ask(app, build_scope("/.well-known/oauth-protected-resource", raw_path=None))[0] == 401
    assert ask(app, build_scope(well_known, raw_path=None, method="POST"))[0] == 405
    assert view.calls == 0


# --- in an application ----------------------------------------------------------------------------------------
def test_a_view_of_an_application_without_init_app_is_never_open(issuer, build_token):
    require_oauth, headers = StarletteProtector(CONFIG), [("Authorization", f"Bearer {build_token()}")]

    @require_oauth(optional=True)
    async def show(request: Any) -> JSONResponse:
        raise AssertionError("open")

    with pytest.raises(ConfigurationError, match=r"init_app\(app\) was not called"):
        ask(Starlette(routes=[Route("/any", show)]), build_scope(headers=headers))


def test_init_app_of_another_protector_opens_nothing(issuer):
    one, other = StarletteProtector(CONFIG), StarletteProtector(CONFIG)

    @one(optional=True)
    async def show(request: Any) -> JSONResponse:
        raise AssertionError("open")

    app = Starlette(routes=[Route("/any", show)])
    other.init_app(app)

    with pytest.raises(ConfigurationError, match="init_app"):
        ask(app, build_scope())


def test_error_handlers_do_not_change_a_refusal_and_headers_of_cors_stay(issuer):
    require_oauth = FastAPIProtector(CONFIG)
    app = FastAPI(exception_handlers={401: lambda request, error: PlainTextResponse("Oops", 200)})
    app.add_middleware(CORSMiddleware, allow_origins=["https://spa.example"])
    require_oauth.init_app(app)  # in front of the CORS middleware, on purpose

    @app.get("/any", dependencies=[Depends(require_oauth("read"))])
    def show() -> Any:
        raise AssertionError("open")

    status, headers, body = ask(app, build_scope(headers=[("Origin", "https://spa.example")]))

    assert (status, MISSING_TOKEN["error"].encode() in body, b"Oops" in body) == (401, True, False)
    assert headers["access-control-allow-origin"] == "https://spa.example"
    assert "scope=" in headers["www-authenticate"]


def test_a_view_that_catches_the_refusal_answers_nothing_else(issuer):
    require_oauth = FastAPIProtector(CONFIG)
    app, check = FastAPI(), require_oauth("read")
    require_oauth.init_app(app)

    @app.get("/any")
    async def show(request: Any = None) -> Any:
        return "open"

    async def careless(scope: Any, receive: Any, send: Any) -> None:
        try:
            await check(Request(scope))
        except Exception:
            await JSONResponse({"secret": 1})(scope, receive, send)

    status, _, body = ask(require_oauth.describe(careless), build_scope())

    assert status == 401
    assert b"secret" not in body


def test_an_answer_that_began_before_the_refusal_does_not_go_on(issuer):
    require_oauth = FastAPIProtector(CONFIG)
    check, sent = require_oauth("read"), []

    async def too_early(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        with contextlib.suppress(Exception):
            await check(Request(scope))
        await send({"type": "http.response.body", "body": b"secret"})

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(require_oauth.describe(too_early)(build_scope(), None, send))

    assert sent == ["http.response.start"]


def test_a_websocket_that_was_accepted_before_the_refusal_is_closed(issuer):
    require_oauth = FastAPIProtector(CONFIG)
    check = require_oauth("read")

    async def too_early(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        with contextlib.suppress(Exception):
            await check(WebSocket(scope, receive, send))
        await send({"type": "websocket.send", "text": "secret"})
        await send({"type": "websocket.close", "code": 1000})

    sent = shake_hands(require_oauth.describe(too_early), build_scope(kind="websocket"))

    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]


def test_two_requirements_use_a_proof_once(issuer, bound):
    require_oauth = FastAPIProtector(CONFIG)
    app = FastAPI(dependencies=[Depends(require_oauth("read"))])
    require_oauth.init_app(app)

    @app.get("/any")
    def show(token: Annotated[Any, Depends(require_oauth("write", dpop="required"))]) -> Any:
        return token["client_id"]

    headers = bound()
    assert ask(app, build_scope(headers=headers))[0] == 200
    assert ask(app, build_scope(headers=headers))[0] == 401


def test_a_method_of_an_endpoint_class_is_protected(issuer, bearer):
    require_oauth = StarletteProtector(CONFIG)

    class Values(HTTPEndpoint):
        async def get(self, request: Any) -> PlainTextResponse:
            return PlainTextResponse("public")

        @require_oauth("write")
        def post(self, request: Any) -> PlainTextResponse:
            return PlainTextResponse(find_token(request)["client_id"])

    app = Starlette(routes=[Route("/any", Values)])
    require_oauth.init_app(app)

    assert ask(app, build_scope())[0] == 200
    assert ask(app, build_scope(method="POST"))[0] == 401
    assert ask(app, build_scope(method="POST", headers=bearer))[2] == b"console"


def test_protect_is_a_middleware_of_starlette(issuer, bearer):
    require_oauth = ASGIProtector(CONFIG)

    async def show(request: Any) -> PlainTextResponse:
        return PlainTextResponse(find_token(request)["client_id"])

    app = Starlette(routes=[Route("/any", show)], middleware=[Middleware(require_oauth.protect, "read")])

    assert ask(app, build_scope(headers=bearer))[2] == b"console"
    assert ask(app, build_scope())[0] == 401


def test_a_class_is_pointed_to_its_methods(issuer):
    with pytest.raises(ConfigurationError, match="above the methods of Values"):

        @StarletteProtector(CONFIG)("read")
        class Values(HTTPEndpoint):
            pass


@pytest.mark.parametrize(("dpop", "settings"), [("required", {"OAUTH2_REPLAY_STORE": None}), ("allowed", {})])
def test_what_cannot_be_served_is_an_error_at_the_start(issuer, view, dpop, settings):
    require_oauth = ASGIProtector({**CONFIG, **settings})

    with pytest.raises(ConfigurationError, match=r"OAUTH2_REPLAY_STORE|OAUTH2_CLIENT_ID"):
        require_oauth.protect(view, dpop=dpop, online=True)


# --- the event loop -------------------------------------------------------------------------------------------
async def count_beats(beats: list[float]) -> None:
    while True:
        beats.append(time.monotonic())
        await asyncio.sleep(0.005)


def longest_pause(beats: list[float]) -> float:
    return max(later - earlier for earlier, later in itertools.pairwise(beats))


def test_fetching_the_keys_stops_no_loop_and_happens_once(require_oauth, view, issuer, build_token):
    gate = threading.Event()
    issuer.during_fetch = lambda: gate.wait(60)
    app = require_oauth.protect(view)

    async def ask_often() -> tuple[list[int], float]:
        beats: list[float] = []
        beating = asyncio.ensure_future(count_beats(beats))
        scopes = [build_scope(headers=[("Authorization", f"Bearer {build_token()}")]) for _ in range(50)]
        asking = [asyncio.ensure_future(call(app, scope)) for scope in scopes]
        await asyncio.sleep(0.3)
        asking[0].cancel()  # who came first goes away; the others get their answer all the same
        gate.set()
        await asyncio.wait(asking)
        beating.cancel()
        return [task.result()[0] for task in asking[1:]], longest_pause(beats)

    statuses, pause = asyncio.run(ask_often())

    assert statuses == [200] * 49
    assert issuer.fetches == 1
    assert pause < 0.2


def test_invented_kids_cost_one_fetch(require_oauth, view, issuer, build_token, clock):
    app = require_oauth.protect(view)

    async def ask_often() -> list[int]:
        await call(app, build_scope(headers=[("Authorization", f"Bearer {build_token()}")]))
        clock.move(31)
        scopes = [
            build_scope(headers=[("Authorization", f"Bearer {build_token(header={'kid': str(number)})}")])
            for number in range(50)
        ]
        return [answer[0] for answer in await asyncio.gather(*(call(app, scope) for scope in scopes))]

    assert asyncio.run(ask_often()) == [401] * 50
    assert issuer.fetches == 2


def test_a_new_key_of_the_issuer_is_found(require_oauth, view, issuer, build_token, keys, clock):
    app, new_key = require_oauth.protect(view), keys("ES256", "new issuer")

    async def ask_twice() -> list[int]:
        old = build_scope(headers=[("Authorization", f"Bearer {build_token()}")])
        new = build_scope(headers=[("Authorization", f"Bearer {build_token(key=new_key)}")])
        answers = [(await call(app, old))[0]]
        clock.move(31)
        issuer.publish(new_key)
        return [*answers, (await call(app, new))[0]]

    assert asyncio.run(ask_twice()) == [200, 200]


@pytest.mark.parametrize("stale", [False, True])
def test_an_issuer_that_is_away_is_503_unless_old_keys_may_be_used(
    require_oauth, view, issuer, build_token, clock, stale
):
    app = require_oauth.protect(view)

    async def ask_now() -> Any:
        return await call(app, build_scope(headers=[("Authorization", f"Bearer {build_token()}")]))

    if stale:
        asyncio.run(ask_now())
        clock.move(301)
    issuer.away = True
    status, _, body = asyncio.run(ask_now())

    assert status == (200 if stale else 503)
    if not stale:
        assert UNAVAILABLE["error"].encode() in body


def test_old_keys_are_used_while_one_request_fetches(require_oauth, view, issuer, build_token, clock):
    gate, app = threading.Event(), require_oauth.protect(view)

    async def ask_while_fetching() -> list[bool]:
        scopes = [build_scope(headers=[("Authorization", f"Bearer {build_token()}")]) for _ in range(4)]
        await call(app, scopes[0])
        clock.move(301)
        issuer.during_fetch = lambda: gate.wait(60)
        asking = [asyncio.ensure_future(call(app, scope)) for scope in scopes[1:]]
        await asyncio.sleep(0.2)
        done = [task.done() for task in asking]
        gate.set()
        await asyncio.gather(*asking)
        return done

    assert asyncio.run(ask_while_fetching()) == [False, True, True]


def test_a_store_of_the_application_that_hangs_is_503(issuer, view, bound, caplog):
    class Hanging:
        async def remember(self, marks: Any) -> None:
            await asyncio.sleep(60)

        async def purge(self) -> int:
            return 0

    require_oauth = ASGIProtector({**CONFIG, "OAUTH2_REPLAY_STORE": Hanging(), "OAUTH2_STORE_TIMEOUT_SECONDS": 1})

    with noting_refusals(require_oauth) as refusals:
        started = time.monotonic()
        assert ask(require_oauth.protect(view), build_scope(headers=bound()))[0] == 503
        assert time.monotonic() - started < 3

    assert causes(refusals) == ["store_timeout"]
    assert view.calls == 0


def test_a_store_that_blocks_its_threads_refuses_and_stops_no_loop(issuer, view, bound):
    gate = threading.Event()

    class Blocking:
        def remember(self, marks: Any) -> None:
            gate.wait(10)

        def purge(self, *, batch: int = 1, rest: Any = None) -> int:
            return 0

    require_oauth = ASGIProtector({**CONFIG, "OAUTH2_REPLAY_STORE": Blocking(), "OAUTH2_STORE_TIMEOUT_SECONDS": 1})
    app = require_oauth.protect(view)
    scopes = [build_scope(headers=bound()) for _ in range(150)]

    async def ask_often() -> tuple[list[int], float]:
        beats: list[float] = []
        beating = asyncio.ensure_future(count_beats(beats))
        answers = await asyncio.gather(*(call(app, scope) for scope in scopes))
        beating.cancel()
        gate.set()
        return [answer[0] for answer in answers], longest_pause(beats)

    with noting_refusals(require_oauth) as refusals:
        statuses, pause = asyncio.run(ask_often())

    assert statuses == [503] * 150
    assert set(causes(refusals)) == {"store_timeout", "threads_busy"}
    assert pause < 3  # on a busy machine; the store blocks for ten seconds


def test_a_store_that_returns_something_is_an_error_of_the_application(issuer, view, bound, caplog):
    class Wrong:
        async def remember(self, marks: Any) -> bool:
            return False

        async def purge(self) -> int:
            return 0

    require_oauth = ASGIProtector({**CONFIG, "OAUTH2_REPLAY_STORE": Wrong()})

    assert ask(require_oauth.protect(view), build_scope(headers=bound()))[0] == 503
    assert "set up wrongly: remember() of the replay store Wrong returned a bool" in caplog.text


def test_one_protector_serves_several_loops_and_a_replay_is_seen_in_all(require_oauth, view, bound):
    app, headers = require_oauth.protect(view), bound()
    statuses: list[int] = []

    def use() -> None:
        statuses.append(ask(app, build_scope(headers=headers))[0])

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200] + [401] * 7


def test_without_asyncio_nobody_gets_in_and_the_log_says_why(require_oauth, view, bound, caplog):
    sent = []

    async def send(message: Any) -> None:
        sent.append(message)

    run_now(require_oauth.protect(view)(build_scope(headers=bound()), None, send))  # as under trio: no asyncio loop

    assert sent[0]["status"] == 503
    assert view.calls == 0
    assert "set up wrongly: This runs under asyncio (or uvloop) only, and not under trio." in caplog.text


def test_log_lines_are_those_of_flask(require_oauth, view, caplog):
    caplog.set_level(logging.INFO)
    ask(require_oauth.protect(view), build_scope(headers=[("Authorization", "Bearer x")]))

    [record] = [record for record in caplog.records if "refused" in record.message]
    assert record.levelname == "WARNING"
    assert record.message.startswith("resource refused: invalid_token: token: ")
    assert "[cause token_malformed, client None, reference " in record.message


def test_nothing_outlives_its_request(require_oauth, bound):
    """A task that a request started must not see the token of another request, nor go on with its own."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(find_token(scope) is not None)
        seen.append(find_token({"type": "http"}) is None)
        await JSONResponse({})(scope, receive, send)

    ask(require_oauth.protect(app), build_scope(headers=bound()))

    assert seen == [True, True]


# --- scopes ---------------------------------------------------------------------------------------------------
def test_a_matcher_of_the_application_says_whether_a_scope_allows_another(require_oauth, view, build_token, caplog):
    app = require_oauth.protect(view, "system/Observation.rs")
    scope = build_scope(headers=[("Authorization", f"Bearer {build_token(scope='system/*.rs')}")])
    assert ask(app, scope)[0] == 403

    @require_oauth.scope_matcher
    def covers(required: str, held: str) -> bool:
        return held == "system/*.rs" and required.startswith("system/")

    assert ask(app, scope)[0] == 200

    @require_oauth.scope_matcher
    async def forgets_to_await(required: str, held: str) -> bool:
        return True

    covers_nothing = build_scope(headers=[("Authorization", f"Bearer {build_token(scope='read')}")])
    with pytest.warns(RuntimeWarning, match="never awaited"):
        assert ask(app, covers_nothing)[0] == 503
    assert "returned coroutine, not a boolean" in caplog.text
