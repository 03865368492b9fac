"""What is told and measured of a call: the same in every framework, and nothing of a call that is refused."""

import json
import logging

import pytest

from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.replay.memory import MemoryReplayStore
from flask_private_key_jwt.resource_server.in_flask import EXTENSION_KEY
from flask_private_key_jwt.signals import call_admitted
from tests.refusals import causes

EVERY_FRAMEWORK = True

LOG = "flask_private_key_jwt.decisions"


@pytest.fixture
def admitted(app):
    """What the receivers of this API were told of the calls that it let in."""
    told = []

    def note(sender, **arguments):
        if sender is getattr(app, "sender", app):
            told.append(arguments)

    with call_admitted.connected_to(note):
        yield told


class Noting:
    """An observer that remembers what it was told."""

    def __init__(self):
        self.requests = []
        self.clocks = []
        self.stores = []

    def note_request(self, endpoint, seconds, *, refused):
        assert 0 <= seconds < 60
        self.requests.append((endpoint, refused))

    def note_clock(self, what, ahead):
        self.clocks.append((what, ahead))

    def note_store(self, store, seconds, *, answered):
        assert 0 <= seconds < 60
        self.stores.append((store, answered))


@pytest.fixture
def observer(app):
    guard = app.sender._guard if hasattr(app, "sender") else app.extensions[EXTENSION_KEY]
    guard.meter.observer = Noting()
    return guard.meter.observer


# --- the signal -------------------------------------------------------------------------------------------
def test_call_that_is_let_in_is_told(call, admitted, build_token, proof_key):
    token = build_token(sub="alice", bound_to=proof_key, jti="the token")

    assert call.dpop(token).status_code == 200
    assert admitted == [
        {
            "endpoint": "resource",
            "client_id": "console",
            "subject": "alice",
            "scope": ("read", "write"),
            "jti": "the token",
            "jkt": proof_key.public.thumbprint,
        }
    ]


def test_call_with_a_bearer_token_is_told_without_a_key(call, admitted):
    call.bearer()

    assert [told["jkt"] for told in admitted] == [None]


def test_refused_call_is_not_told(call, admitted, refusals, build_token):
    call.bearer(build_token(scope="write"), path="/read")
    call.send("/any")

    assert causes(refusals) == ["scope_insufficient", "token_missing"]
    assert admitted == []


def test_call_without_credentials_to_an_optional_view_is_not_told(call, admitted):
    assert call.send("/optional").status_code == 200
    assert admitted == []


def test_receiver_that_raises_changes_no_answer(call, app):
    def fail(sender, **_):
        raise RuntimeError("a defect of the application")

    with call_admitted.connected_to(fail):
        assert call.bearer().status_code == 200


# --- the log of decisions -----------------------------------------------------------------------------------
def test_each_decision_is_one_line_of_json(make_caller, caplog):
    caplog.set_level(logging.INFO)
    caller = make_caller(OAUTH2_LOG_FORMAT="json")
    caller.bearer()
    caller.send("/any")

    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == LOG]
    assert [line["event"] for line in lines] == ["call_admitted", "request_refused"]
    assert " refused: " not in "".join(record.getMessage() for record in caplog.records if record.name != LOG)


def test_as_text_no_call_is_a_line_of_json(call, caplog):
    caplog.set_level(logging.INFO)
    call.bearer()
    call.send("/any")

    assert [record for record in caplog.records if record.name == LOG] == []
    assert "resource refused: " in caplog.text


# --- what is measured -----------------------------------------------------------------------------------------
def test_call_its_proof_and_its_store_are_measured(call, observer, clock, build_token, build_proof, proof_key):
    token = build_token(bound_to=proof_key)

    assert call.dpop(token, proof=build_proof(token, iat=clock.now - 3)).status_code == 200
    assert (observer.requests, observer.clocks, observer.stores) == (
        [("resource", False)],
        [("proof", -3)],
        [("replay", True)],
    )


def test_refused_call_is_measured_as_refused_and_its_used_proof_as_an_answer_of_the_store(
    call, observer, build_token, build_proof, proof_key
):
    token = build_token(bound_to=proof_key)
    proof = build_proof(token)
    call.dpop(token, proof=proof)
    call.dpop(token, proof=proof)
    call.send("/any")

    assert observer.requests == [("resource", False), ("resource", True), ("resource", True)]
    assert observer.stores == [("replay", True), ("replay", True)]


class _Away(MemoryReplayStore):
    def remember(self, marks):
        raise StoreUnavailable("the store is away", cause="replay_store_away")


@pytest.mark.parametrize("settings", [{"OAUTH2_REPLAY_STORE": _Away()}])
def test_store_that_is_away_is_measured_as_no_answer(call, observer):
    assert call.dpop().status_code == 503
    assert observer.stores == [("replay", False)]
