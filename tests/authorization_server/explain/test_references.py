"""What an ``Error-Reference`` stands for is kept, later and apart from the answer."""

import json
import multiprocessing
import os
import threading

import pytest

from flask_private_key_jwt.authorization_server.explain.fair_share import EACH, FEW, SHARE, TOTAL, FairShare
from flask_private_key_jwt.authorization_server.explain.keeper import _build, _Noted
from flask_private_key_jwt.errors import InvalidClient
from flask_private_key_jwt.signals.refusal import KEEPER_KEY, clean_details
from tests.authorization_server.explain.conftest import failed, outcomes
from tests.conftest import CLIENT_ID, INVALID_CLIENT, ISSUER, START

WEEK = 7 * 86400


@pytest.fixture
def settings():
    return {"OAUTH2_REFUSALS_KEPT_SECONDS": WEEK}


@pytest.fixture
def keeper(app):
    return app.extensions[KEEPER_KEY]


@pytest.fixture
def look_up(run, keeper):
    """What the command says of the reference of an answer."""

    def look_up(answer):
        keeper.flush()
        outcome = run(answer.headers["Error-Reference"], "--json")
        assert outcome.exit_code == 1, outcome.stderr
        return json.loads(outcome.stdout)

    return look_up


@pytest.fixture
def rows(server, keeper):
    """The rows of the table."""

    def rows():
        app, _, db = server
        keeper.flush()
        with app.app_context():
            return db.session.execute(db.select(db.metadata.tables["oauth2_refusal"])).mappings().all()

    return rows


def test_reference_of_a_refused_assertion_is_explained(ask_token, build_assertion, look_up):
    answer = ask_token(assertion=build_assertion(aud="https://other.example"))

    said = look_up(answer)

    assert (said["kind"], said["accepted"], said["client_id"], said["at"]) == ("assertion", False, CLIENT_ID, START)
    assert (said["endpoint"], said["address"]) == ("token", "127.0.0.1")
    assert (said["error"], said["cause"]) == ("invalid_client", "assertion_aud")
    assert (said["expected"], said["received"]) == ([ISSUER], "https://other.example")
    assert said["todo"] == [{"who": "client", "what": "name this one exactly"}]
    assert failed(said) == "aud"
    assert (outcomes(said)["request"], outcomes(said)["jti"]) == ("ok", "not reached")


def test_reference_tells_the_same_as_the_assertion(ask_token, build_assertion, look_up, explain):
    for wrong in ({"exp": START - 95}, {"header": {"kid": "nobody's"}}, {"iat": START + 99}):
        assertion = build_assertion(**wrong)
        kept, said = look_up(ask_token(assertion=assertion)), explain(assertion)

        for name in (
            "cause",
            "reason",
            "expected",
            "received",
            "clock_difference_seconds",
            "keys",
            "todo",
            "client_id",
        ):
            assert kept[name] == said[name], name


def test_replayed_assertion_is_explained_by_its_reference(ask_token, build_assertion, look_up):
    assertion = build_assertion()
    ask_token(assertion=assertion)

    said = look_up(ask_token(assertion=assertion))

    assert (said["cause"], failed(said)) == ("assertion_replayed", "once")
    assert set(outcomes(said).values()) == {"ok", "failed"}


def test_refused_proof_and_refusal_without_a_jwt_are_explained(ask_token, build_dpop, look_up):
    said = look_up(ask_token(proof=build_dpop(htu="https://other.example/token")))
    assert (said["kind"], failed(said), outcomes(said)["ath"]) == ("proof", "htu", "not checked")

    said = look_up(ask_token(scope="admin"))
    assert (said["kind"], said["checks"], said["cause"]) == (None, [], "scope_not_registered")
    assert said["todo"] == [{"who": "operator", "what": "client update, if it may have it"}]


def test_text_for_a_person_names_the_endpoint_and_the_address(ask_token, build_assertion, run, keeper):
    reference = ask_token(assertion=build_assertion(iat=START - 155, exp=START - 95)).headers["Error-Reference"]
    keeper.flush()

    outcome = run(reference)

    assert outcome.exit_code == 1
    assert f"Reference: {reference}\nEndpoint: token\nAddress: 127.0.0.1\n" in outcome.stdout
    assert "Expected: exp after 1799999990 (2027-01-15T07:59:50Z)\n" in outcome.stdout
    assert "Clock difference: its maker's clock is 155 s behind this server's" in outcome.stdout


def test_nothing_is_written_before_the_answer(ask_token, keeper, monkeypatch):
    monkeypatch.setattr(keeper._store, "add", lambda refusals: pytest.fail("written on the answer's path"))
    keeper._thread = object()  # none is started

    assert ask_token(assertion="a.b.c").json == INVALID_CLIENT
    assert len(keeper._waiting) == 1


def test_thread_writes_what_waits(ask_token, keeper, run):
    reference = ask_token(assertion="a.b.c").headers["Error-Reference"]
    keeper._hurry.set()

    keeper._thread.join(timeout=0.01)
    for _ in range(500):
        if run(reference).exit_code == 1:
            break
        keeper._thread.join(timeout=0.01)
    assert run(reference).exit_code == 1


def test_answer_is_the_same_where_nothing_can_be_kept(server, ask_token, keeper, caplog):
    app, _, db = server
    with app.app_context():
        db.metadata.tables["oauth2_refusal"].drop(db.engine)

    for _ in range(3):
        answer = ask_token(assertion="a.b.c")
        keeper.flush()
        assert (answer.status_code, answer.json) == (400, INVALID_CLIENT)

    warnings = [record.message for record in caplog.records if "not kept" in record.message]
    assert len(warnings) == 1


def test_answer_is_the_same_where_no_thread_can_begin(ask_token, keeper, monkeypatch, caplog):
    def start(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)

    answer = ask_token(assertion="a.b.c")

    assert (answer.status_code, answer.json) == (400, INVALID_CLIENT)
    assert "a refusal is not kept" in caplog.text


def test_thread_ends_when_there_is_nothing_to_write(ask_token, keeper, monkeypatch):
    keeper._hurry.set()
    ask_token(assertion="a.b.c")
    thread = keeper._thread

    thread.join(timeout=20)

    assert (thread.is_alive(), keeper._thread) == (False, None)


@pytest.mark.parametrize(("settings", "extensions"), [({"OAUTH2_REFUSALS_KEPT_SECONDS": 0}, False), ({}, False)])
def test_nothing_is_kept_where_the_setting_is_0(settings, extensions, app, ask_token, run):
    assert (KEEPER_KEY in app.extensions) is extensions
    assert run(ask_token(assertion="a.b.c").headers["Error-Reference"]).exit_code == 2


def test_no_row_holds_a_jwt(ask_token, build_assertion, build_dpop, rows):
    hidden = build_assertion()
    proof = build_dpop()
    ask_token(assertion=build_assertion(aud=hidden))
    ask_token(assertion=build_assertion(aud=[hidden]))
    ask_token(assertion=build_assertion(iss=hidden))
    ask_token(assertion=build_assertion(header={"kid": hidden}))
    ask_token(assertion=build_assertion(header={"kid": hidden, "typ": proof}))
    ask_token(proof=build_dpop(htu=proof))
    ask_token(proof=build_dpop(htm=hidden))
    ask_token(scope=hidden)
    ask_token(grant_type=hidden)

    written = [str(value) for row in rows() for value in row.values()]

    assert len(rows()) == 9
    assert not any(part[:40] in value for value in written for part in (hidden, proof))


def test_foreign_text_is_printable_and_short_in_a_row(ask_token, build_assertion, rows):
    ask_token(assertion=build_assertion(aud="\x1b[31m" + "x" * 5000))
    ask_token(assertion=build_assertion(aud=["y" * 50] * 80))

    for row in rows():
        assert row["details"].isascii()
        assert "\\u001b" not in row["details"]
        assert len(row["details"]) < 5000


@pytest.mark.parametrize(
    "value", [float("inf"), -float("inf"), float("nan"), 10**400, {"a": [[10**400]]}, [None, True]]
)
def test_numbers_that_no_json_holds_are_kept_as_text(value):
    json.dumps(clean_details({"received": value, "expected": 1}), allow_nan=False)


def test_details_that_are_too_long_are_left_out():
    noted = _Noted("r", 1, "token", "e", "c", None, "a", "x", {"received": "x"})

    assert _build(noted).details == '{"received": "x"}'
    assert _build(noted._replace(details={"received": [["x" * 100] * 20] * 20})).details is None


def test_reference_is_forgotten_after_its_time(clock, ask_token, keeper, run, rows, app):
    reference = ask_token(assertion="a.b.c").headers["Error-Reference"]
    keeper.flush()

    clock.move(WEEK - 1)
    assert run(reference).exit_code == 1
    clock.move(1)
    outcome = run(reference)
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert f"Nothing is kept under the reference {reference}." in outcome.stderr

    assert len(rows()) == 1
    assert app.test_cli_runner().invoke(args=["oauth2", "purge"]).exit_code == 0
    assert len(rows()) == 0


def test_purge_leaves_what_is_still_kept(clock, ask_token, rows, app):
    ask_token(assertion="a.b.c")
    rows()
    clock.move(WEEK - 1)

    app.test_cli_runner().invoke(args=["oauth2", "purge"])

    assert len(rows()) == 1


def test_unknown_reference_is_an_error(run):
    assert run("0123456789abcdef").exit_code == 2


# --- a flood --------------------------------------------------------------------------------------------------------
def test_one_that_repeats_itself_is_kept_a_few_times_an_hour(clock, ask_token, rows):
    for _ in range(EACH + 5):
        ask_token(assertion="a.b.c")
    assert len(rows()) == EACH

    clock.move(3600)
    ask_token(assertion="a.b.c")
    assert len(rows()) == EACH + 1


@pytest.mark.parametrize("settings", [{"OAUTH2_REFUSALS_KEPT_SECONDS": WEEK, "OAUTH2_DPOP_NONCE": "required"}])
def test_refusals_of_normal_operation_are_kept_less_often(settings, ask_token, build_dpop, rows):
    for _ in range(FEW + 2):
        ask_token(proof=build_dpop())

    assert [row["cause"] for row in rows()] == ["proof_nonce_missing"] * FEW


def flood(share, **axes):
    """Take as much as *axes* allow; how many were let in."""
    return sum(
        share.take(client, address, cause)
        for client in axes["clients"]
        for address in axes["addresses"]
        for cause in axes["causes"]
        for _ in range(EACH + 1)
    )


def names(prefix, count):
    return [f"{prefix}{number}" for number in range(count)]


@pytest.mark.parametrize(
    "axes",
    [
        {"clients": names("c", 200), "addresses": ["192.0.2.1"], "causes": names("x", 20)},
        {"clients": ["c"], "addresses": names("a", 500), "causes": ["x"]},
        {"clients": ["c"], "addresses": names("a", 40), "causes": names("x", 20)},
        {"clients": names("c", 500), "addresses": ["192.0.2.1"], "causes": ["x"]},
        {"clients": names("c", 20), "addresses": names("a", 40), "causes": ["x"]},
    ],
)
def test_flood_of_one_leaves_room_for_all_others(axes):
    share = FairShare()
    assert flood(share, **axes) <= 2 * TOTAL

    assert share.take("somebody", "198.51.100.7", "assertion_aud")
    assert share.take(None, "198.51.100.8", "client_unknown")


def test_flood_in_a_clients_name_leaves_room_for_the_client_itself():
    share = FairShare()
    flood(share, clients=["victim"], addresses=names("a", 30), causes=names("x", 10))

    assert [share.take("victim", "198.51.100.7", "assertion_aud") for _ in range(FEW)] == [True] * FEW


def test_one_address_gets_its_share_and_no_more():
    share = FairShare()

    assert flood(share, clients=names("c", 100), addresses=["192.0.2.1"], causes=names("x", 10)) == SHARE


def test_flood_from_everywhere_has_an_end():
    share = FairShare()

    assert flood(share, clients=["c"], addresses=names("a", 9000), causes=["x"]) <= 2 * TOTAL
    assert len(share._counts) <= 5 * 2 * TOTAL


def test_networks_of_ipv6_are_counted_and_kept(app, keeper, rows):
    for number in range(EACH + 5):
        with app.test_request_context(environ_base={"REMOTE_ADDR": f"2001:db8::{number:x}"}):
            keeper.note(InvalidClient("x", cause="assertion_aud"), reference=f"{number:016x}", endpoint="token")

    assert {row["address"] for row in rows()} == {"2001:db8::/64"}
    assert len(rows()) == EACH


def test_waiting_refusals_are_bounded(app, keeper, monkeypatch):
    monkeypatch.setattr("flask_private_key_jwt.authorization_server.explain.keeper.MOST_WAITING", 5)
    keeper._thread = object()
    for number in range(9):
        keeper.note(InvalidClient("x", cause=f"cause_{number}"), reference=f"{number:016x}", endpoint="token")

    assert len(keeper._waiting) == 5


# --- a fork ---------------------------------------------------------------------------------------------------------
def refuse_in_child(app, keeper, results):
    keeper.note(InvalidClient("in the child", cause="assertion_aud"), reference="c" * 16, endpoint="token")
    thread = keeper._thread
    keeper.flush()
    results.put((thread is not None and thread.is_alive(), os.getpid() == keeper._process))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_child_of_a_fork_has_a_thread_and_a_lock_of_its_own(app, keeper, rows, run):
    keeper.note(InvalidClient("in the parent", cause="assertion_aud"), reference="a" * 16, endpoint="token")
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    with keeper._lock:  # held by the parent while it forks
        child = context.Process(target=refuse_in_child, args=(app, keeper, results))
        child.start()
    child.join(timeout=20)

    assert results.get(timeout=20) == (True, True)
    assert sorted(row["reference"] for row in rows()) == ["a" * 16, "c" * 16]
