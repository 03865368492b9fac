"""client/in_httpx/transport.py: what a transport sends again by itself has a proof of its own."""

import io
import socket
import threading

import httpx
import pytest
from werkzeug.wrappers import Response

from flask_private_key_jwt.client import ForeignOrigin, UnrepeatableBody
from flask_private_key_jwt.client.proofs import Prover
from tests.client.conftest import redirect
from tests.client.test_adapter_retries import HangsUp
from tests.conftest import START


def away():
    return Response("later", status=503)


def jtis(api):
    return [proof["jti"] for proof in api.proofs]


@pytest.fixture
def over_fresh(transports):
    return lambda: transports.retrying(transports.fresh())


# --- why it is there ------------------------------------------------------------------------------------
def test_without_it_a_retry_repeats_the_proof(send, api, transports):
    api.script = [away()]

    send(make_transport=lambda: transports.retrying(transports.plain()))

    assert len(api.calls) == 2
    assert len(set(jtis(api))) == 1


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_each_retry_has_a_proof_of_its_own(method, send, api, over_fresh):
    api.script = [away(), away()]

    answer = send(method=method, make_transport=over_fresh, content=b"body" if method == "POST" else None)

    assert answer.status_code == 200
    assert len(set(jtis(api))) == len(api.calls) == 3
    assert all(call.fits_proof() for call in api.calls)
    assert api.tokens == ["DPoP token-1"] * 3


def test_above_a_retrying_transport_it_is_of_no_use(send, api, transports):
    api.script = [away()]

    send(make_transport=lambda: transports.fresh(transports.retrying(transports.plain())))

    assert len(set(jtis(api))) == 1


def test_each_proof_is_made_when_it_is_sent(send, api, clock, over_fresh):
    usual = api.answer

    def later(request, call):
        clock.move(30)
        return usual(request, call)

    api.answer = later
    api.script = [away()]

    send(make_transport=over_fresh)

    assert [proof["iat"] for proof in api.proofs] == [START, START + 30]


def test_a_lost_connection_is_tried_again_with_a_proof_of_its_own(send, make_auth, over_fresh):
    served = HangsUp(times=2)
    answer = send(served.url, auth=make_auth(resource=served.url), make_transport=over_fresh)
    served.close()

    assert answer.text == "ok"
    assert len(set(served.proofs)) == len(served.proofs) == 3


def test_a_nonce_that_comes_with_a_refusal_is_used_by_the_retry(send, api, over_fresh):
    answer = away()
    answer.headers["DPoP-Nonce"] = "newest"
    api.script = [answer]

    send(make_transport=over_fresh)

    assert [proof.get("nonce") for proof in api.proofs] == [None, "newest"]


def test_a_nonce_and_a_renewal_are_answered_after_such_retries(send, api, over_fresh):
    api.script = [away(), api.ask_for_nonce("first"), away(), api.refuse(), away()]

    assert send(method="PUT", json={"a": 1}, make_transport=over_fresh).status_code == 200
    assert len(set(jtis(api))) == len(api.calls) == 6
    assert [proof.get("nonce") for proof in api.proofs] == [None, None, "first", "first", "first", "first"]
    assert api.tokens == ["DPoP token-1"] * 4 + ["DPoP token-2"] * 2


def test_a_retry_after_a_redirect_has_a_proof_for_the_new_place(send, api, over_fresh):
    api.script = [away(), redirect("/elsewhere", 303), away()]

    assert send(method="POST", data={"a": "b"}, make_transport=over_fresh).status_code == 200
    assert [proof["htm"] for proof in api.proofs] == ["POST", "POST", "GET", "GET"]
    assert len(set(jtis(api))) == 4
    assert all(call.fits_proof() for call in api.calls)


def test_a_503_that_stays_is_returned(send, api, over_fresh):
    api.script = [away()] * 4

    assert send(make_transport=over_fresh).status_code == 503
    assert len(set(jtis(api))) == len(api.calls) == 4


def test_a_bearer_call_is_tried_again_as_it_is(send, api, make_auth, over_fresh):
    api.script = [away()]

    assert send(auth=make_auth(dpop=False), make_transport=over_fresh).status_code == 200
    assert api.tokens == ["Bearer token-1"] * 2
    assert [call.proof for call in api.calls] == [None, None]


def test_one_call_costs_one_proof(send, api, over_fresh, monkeypatch):
    made, prove = [], Prover.prove
    monkeypatch.setattr(Prover, "prove", lambda self, **what: made.append(what) or prove(self, **what))

    send(make_transport=over_fresh)

    assert len(made) == 2  # one for the token, one for the call


# --- httpx's own retries, which repeat connecting only --------------------------------------------------
def test_httpx_retries_by_itself_before_anything_is_sent(send, make_auth, transports):
    """No server listens when the first attempt is made, so its proof is never sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    served = HangsUp.__new__(HangsUp)
    served.proofs, served._times, served.url = [], 0, f"http://127.0.0.1:{port}"
    auth = make_auth(resource=served.url)
    auth.token()

    attempts = []

    def make_transport():
        """Opens the server when the first attempt has failed."""
        transport = transports.plain(retries=2)
        backend = transport._pool._network_backend
        connect = backend.connect_tcp

        def connect_tcp(*args, **options):
            attempts.append(args)
            if len(attempts) == 2:
                served._listener = socket.create_server(("127.0.0.1", port))
                served._thread = threading.Thread(target=served._serve)
                served._thread.start()
            return connect(*args, **options)

        backend.connect_tcp = connect_tcp
        return transport

    answer = send(served.url, auth=auth, make_transport=make_transport)
    served.close()

    assert answer.text == "ok"
    assert len(served.proofs) == 1


# --- bodies ---------------------------------------------------------------------------------------------
def parts(library):
    if library == "httpx":
        return (part for part in [b"one", b"two"])

    async def stream():
        yield b"one"
        yield b"two"

    return stream()


def test_a_stream_is_never_sent_again_empty(send, api, over_fresh, library):
    api.script = [away()]

    with pytest.raises(UnrepeatableBody):
        send(method="POST", content=parts(library), make_transport=over_fresh)
    assert [call.body for call in api.calls] == [b"onetwo"]


@pytest.mark.parametrize("library", ["httpx"])
def test_a_file_is_sent_again_whole(send, api, over_fresh):
    api.script = [away(), redirect("/elsewhere"), api.ask_for_nonce("first")]

    assert send(method="POST", content=io.BytesIO(b"content"), make_transport=over_fresh).status_code == 200
    assert [call.body for call in api.calls] == [b"content"] * 4


def test_an_uploaded_file_is_sent_again_whole(send, api, over_fresh):
    api.script = [away(), redirect("/elsewhere"), api.ask_for_nonce("first")]

    answer = send(method="POST", files={"f": io.BytesIO(b"content")}, make_transport=over_fresh)

    assert answer.status_code == 200
    assert [call.body.count(b"content\r\n") for call in api.calls] == [1] * 4


# --- where to -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nothing_is_sent_where_a_redirect_leads_away(status, send, api, other_api, transports):
    api.script = [redirect(other_api.url + "/values", status)]

    with pytest.raises(
        ForeignOrigin, match=f"The redirect goes to {other_api.url}, .* Nothing was sent there"
    ) as caught:
        send(make_transport=transports.fresh)
    assert other_api.calls == []
    assert isinstance(caught.value, httpx.RequestError)
    assert str(caught.value.request.url) == other_api.url + "/values"


def test_a_hook_cannot_send_the_token_elsewhere(send, api, other_api, transports, library):
    def lead_away(request):
        request.url = httpx.URL(other_api.url)

    async def lead_away_async(request):
        lead_away(request)

    hook = lead_away if library == "httpx" else lead_away_async
    with pytest.raises(ForeignOrigin, match=r"The request goes to .* Nothing was sent there"):
        send(make_transport=transports.fresh, client={"event_hooks": {"request": [hook]}})
    assert other_api.calls == []


def test_requests_of_nobody_pass_unchanged(library, transports, api, other_api, send):
    class NoAuth(httpx.Auth):
        pass

    assert send(other_api.url, auth=NoAuth(), make_transport=transports.fresh).text == "ok"
    assert other_api.tokens == [None]
