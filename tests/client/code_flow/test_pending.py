"""What is kept of sign-ins in a browser's session: several tabs, old ones, and content of another kind."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_private_key_jwt.client import PendingSignIn, PendingSignIns
from flask_private_key_jwt.client.code_flow.answer import read_answer
from flask_private_key_jwt.client.errors import SignInError
from flask_private_key_jwt.errors import ConfigurationError
from tests.client.code_flow.conftest import ANSWER, PENDING


@pytest.fixture
def session():
    return {}


@pytest.fixture
def browser(session):
    return PendingSignIns(session)


def test_pending_sign_in_is_read_back(make_pending):
    for pending in (PENDING, make_pending(scope=None, max_age=60, jkt=None, resources=())):
        assert PendingSignIn.from_json(json.loads(json.dumps(pending.to_json()))) == pending


@pytest.mark.parametrize(
    "change",
    [
        {"state": ""},
        {"nonce": 5},
        {"issuer": None},
        {"started_at": "x"},
        {"resources": [5]},
        {"max_age": "x"},
        {"jkt": 5},
    ],
)
def test_changed_pending_sign_in_is_refused(change):
    with pytest.raises(ConfigurationError, match=r"not what PendingSignIn.to_json made"):
        PendingSignIn.from_json({**PENDING.to_json(), **change})


@pytest.mark.parametrize("kept", [{}, {"state": "x"}, None, [], "x"])
def test_something_else_is_refused(kept):
    with pytest.raises(ConfigurationError):
        PendingSignIn.from_json(kept)


def test_sign_in_is_taken_once(browser, session):
    browser.add(PENDING)
    assert browser.take(ANSWER) == PENDING
    assert session == {}

    with pytest.raises(SignInError) as caught:
        browser.take(ANSWER)
    assert caught.value.cause == "sign_in_unknown"


@pytest.mark.parametrize("answer", [{}, {"state": ""}, {"state": "another"}, "https://app.example/?code=x"])
def test_answer_that_nobody_waits_for_leaves_the_others(answer, browser):
    browser.add(PENDING)
    with pytest.raises(SignInError):
        browser.take(answer)

    assert browser.take(ANSWER) == PENDING


def test_newest_five_are_kept(browser, session, make_pending, clock):
    for number in range(7):
        browser.add(make_pending(state=f"state {number}", started_at=clock.now + number))

    assert sorted(session["sign_ins"]) == [f"state {number}" for number in range(2, 7)]
    assert len(json.dumps(session)) < 4000  # a cookie has room for it


def test_old_ones_are_forgotten(browser, session, make_pending, clock):
    browser.add(PENDING)
    clock.move(3600)
    browser.add(make_pending(state="new", started_at=clock.now))

    assert [*session["sign_ins"]] == ["new"]


def test_session_sees_that_it_changed(make_pending):
    assigned = []

    class Session(dict):
        def __setitem__(self, name, value):
            assigned.append(value)
            super().__setitem__(name, value)

    browser = PendingSignIns(Session())
    browser.add(PENDING)
    browser.add(make_pending(state="other"))
    browser.take(ANSWER)

    assert [sorted(value) for value in assigned] == [[PENDING.state], sorted([PENDING.state, "other"]), ["other"]]


@pytest.mark.parametrize("kept", [{"x": {"old": "format"}}, "junk", 5, ["x"], {"x": None}])
def test_session_of_another_version_is_no_error(kept, browser, session):
    session["sign_ins"] = kept
    with pytest.raises(SignInError):
        browser.take(ANSWER)

    browser.add(PENDING)
    assert browser.take(ANSWER) == PENDING


def test_secrets_are_not_shown():
    assert not any(secret in repr(PENDING) for secret in (PENDING.state, PENDING.nonce, PENDING.code_verifier))


@given(st.text() | st.dictionaries(st.text(), st.text() | st.none() | st.lists(st.text() | st.none())))
def test_whatever_is_brought_is_read_or_refused(answer):
    try:
        values = read_answer(answer)
    except SignInError:
        return
    assert all(isinstance(text, str) for pair in values.items() for text in pair)
