"""A client that publishes its keys at a jwks_uri, from its registration to its token."""

import functools
import json
import logging
import threading
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from flask_private_key_jwt.authorization_server import client_documents
from flask_private_key_jwt.errors import InvalidClientMetadata
from flask_private_key_jwt.fetching.safe_fetch import SafeFetcher
from tests.conftest import ASSERTION_TYPE, CLIENT_ID, INVALID_CLIENT, close, make_app
from tests.refusals import causes
from tests.servers.https_servers import ADDRESS, HOST, URL, answer

NO_KEY_FITS = "no key of the client fits kid"
OTHER_URL = f"https://{HOST}/other.json"


@pytest.fixture
def settings(authority):
    return {"OAUTH2_FETCH_CA_BUNDLE": authority.bundle}


@pytest.fixture(autouse=True)
def _loopback_only(network, monkeypatch):
    fetcher = functools.partial(SafeFetcher, resolve=network.resolve, connect=network.connect)
    monkeypatch.setattr(client_documents, "SafeFetcher", fetcher)


@pytest.fixture
def publish(site):
    """Put keys, or a whole document, at the client's URL."""

    def publish(*keys, headers=(), **members):
        document = members or {"keys": [key if isinstance(key, dict) else key.public_jwk() for key in keys]}
        site.pieces = answer(json.dumps(document).encode(), *headers)

    return publish


@pytest.fixture
def client(register, publish, client_key):
    """The usual client, with its one key at its URL."""
    publish(client_key)
    return register(client_id=CLIENT_ID, jwks_uri=URL, scope="read write", default_scope="read")


@pytest.fixture
def new_key(keys):
    return keys("ES256", "new")


def assert_refused(answer, refusals, cause, *, says=""):
    assert (answer.status_code, answer.json) == (400, INVALID_CLIENT)
    assert causes(refusals) == [cause], refusals
    assert says in refusals[0]


@pytest.fixture
def update(app, oauth):
    def update(**changes):
        with app.app_context():
            return oauth.clients.update(CLIENT_ID, changes)

    return update


# --- the key is found -----------------------------------------------------------------------------------
def test_client_is_authenticated_by_a_key_it_publishes(ask_token, site):
    assert ask_token().status_code == 200
    assert len(site.requests) == 1


def test_keys_are_fetched_once_for_many_requests(ask_token, site, clock):
    for _ in range(5):
        assert ask_token().status_code == 200
        clock.move(60)

    assert len(site.requests) == 1


def test_answer_says_how_long_keys_are_used(ask_token, site, publish, client_key, clock):
    publish(client_key, headers=["Cache-Control: max-age=90"])
    ask_token()
    clock.move(89)
    ask_token()
    assert len(site.requests) == 1
    clock.move(1)
    ask_token()
    assert len(site.requests) == 2


def test_assertion_without_kid_is_tried_with_every_key(ask_token, build_assertion, publish, client_key, new_key):
    publish(new_key, client_key)

    assert ask_token(assertion=build_assertion(header={"kid": None})).status_code == 200


def test_key_of_another_client_is_refused(ask_token, build_assertion, new_key, refusals):
    forged = build_assertion(key=new_key, header={"kid": None})

    assert_refused(ask_token(assertion=forged), refusals, "assertion_signature")


def test_nothing_is_fetched_for_a_client_that_is_not_registered(client, ask_token, build_assertion, site, refusals):
    for iss in ("nobody", URL, f"https://{HOST}"):
        ask_token(assertion=build_assertion(iss=iss, sub=iss))

    assert len(refusals) == 3
    assert site.requests == []


@pytest.mark.parametrize(
    "header", [{"jku": OTHER_URL}, {"x5u": OTHER_URL}, {"jku": OTHER_URL, "kid": "unknown"}, {"jwk": {"kty": "EC"}}]
)
def test_no_url_of_the_assertion_is_ever_fetched(header, ask_token, build_assertion, site):
    ask_token(assertion=build_assertion(header=header))

    assert [request.split(" ")[1] for request in site.requests] == ["/jwks.json"]


def test_disabled_client_has_nothing_fetched(ask_token, site, update, client, refusals):
    update(enabled=False)

    assert_refused(ask_token(), refusals, "client_disabled")
    assert site.requests == []


@pytest.mark.parametrize("settings", [{}])
def test_a_server_that_is_not_trusted_authenticates_nobody(ask_token, refusals, caplog):
    assert_refused(ask_token(), refusals, "client_keys_unavailable", says=f"the client's keys at {URL!r} cannot be had")
    assert "certificate verify failed" in caplog.text
    assert "certificate" not in refusals[0]


# --- rotation -------------------------------------------------------------------------------------------
def test_new_key_is_found_at_once_when_the_cooldown_is_over(
    ask_token, build_assertion, publish, client_key, new_key, site, clock
):
    ask_token()
    publish(client_key, new_key)
    clock.move(30)

    assert ask_token(assertion=build_assertion(key=new_key)).status_code == 200
    assert ask_token().status_code == 200
    assert len(site.requests) == 2


def test_new_key_waits_for_the_cooldown(ask_token, build_assertion, publish, client_key, new_key, refusals, clock):
    ask_token()
    publish(client_key, new_key)
    clock.move(29)
    assert_refused(ask_token(assertion=build_assertion(key=new_key)), refusals, "assertion_no_key")

    clock.move(1)
    assert ask_token(assertion=build_assertion(key=new_key)).status_code == 200


def test_unknown_kids_cause_one_fetch_in_a_cooldown_however_many_they_are(ask_token, build_assertion, site, clock):
    ask_token()
    for round_ in range(3):
        clock.move(30)
        for number in range(5):
            ask_token(assertion=build_assertion(header={"kid": f"unknown {number}"}))
        assert len(site.requests) == 2 + round_


def test_key_with_another_algorithm_is_found_as_a_new_key_is(ask_token, build_assertion, publish, keys, clock):
    ask_token()
    rsa = keys("PS256", "client")
    publish(rsa)
    clock.move(30)

    assert ask_token(assertion=build_assertion(key=rsa, header={"kid": None})).status_code == 200


def test_key_that_left_the_set_is_refused_after_the_next_fetch(
    ask_token, build_assertion, publish, new_key, refusals, clock
):
    ask_token()
    publish(new_key)
    clock.move(30)
    assert ask_token(assertion=build_assertion(key=new_key)).status_code == 200

    assert_refused(ask_token(), refusals, "assertion_no_key")


def test_key_that_left_the_set_is_refused_at_the_cap_at_the_latest(
    ask_token, publish, client_key, new_key, refusals, clock
):
    publish(client_key, headers=["Cache-Control: max-age=31536000"])
    ask_token()
    publish(new_key)
    clock.move(599)
    assert ask_token().status_code == 200
    clock.move(1)

    assert_refused(ask_token(), refusals, "assertion_no_key")


# --- sets with something wrong in them --------------------------------------------------------------------
def test_one_bad_entry_spoils_nothing(ask_token, publish, client_key):
    odd = [None, 5, "key", [], {}, {"kty": "EC"}, {"kty": "XYZ"}, {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]
    publish(keys=[*odd, client_key.public_jwk(), *odd])

    assert ask_token().status_code == 200


@pytest.mark.parametrize("private", [{"kty": "oct", "k": "c2VjcmV0"}, {"kty": "XYZ", "d": "AAAA"}])
def test_private_material_refuses_the_whole_set_and_says_so(private, ask_token, publish, client_key, refusals, caplog):
    publish(keys=[client_key.public_jwk(), private])

    with caplog.at_level(logging.ERROR):
        assert_refused(ask_token(), refusals, "assertion_no_key")
    assert f"the keys at {URL!r} are refused: the set holds private or symmetric key material" in caplog.messages


def test_private_material_refuses_the_keys_that_were_good_before(ask_token, publish, client_key, refusals, clock):
    ask_token()
    publish(client_key.as_jwk())
    clock.move(600)

    assert_refused(ask_token(), refusals, "assertion_no_key")


def test_a_set_that_is_too_large_is_refused(ask_token, publish, client_key, refusals):
    publish(keys=[client_key.public_jwk()] * 21)

    assert_refused(ask_token(), refusals, "assertion_no_key")


@pytest.mark.parametrize("document", [{"error": "maintenance"}, {"keys": None}, {"keys": {}}])
def test_what_is_no_key_set_does_not_replace_a_good_one(document, ask_token, publish, clock):
    ask_token()
    publish(**document)
    clock.move(600)

    assert ask_token().status_code == 200


def test_key_for_encryption_verifies_nothing(ask_token, publish, client_key, refusals):
    publish(client_key.public_jwk(use="enc"))

    assert_refused(ask_token(), refusals, "assertion_no_key")


# --- a server that is away --------------------------------------------------------------------------------
def test_without_a_cache_a_failure_is_invalid_client_and_the_reason_stays_in_the_log(
    ask_token, site, client, refusals, caplog
):
    site.pieces = answer(b"", status="500 Oh")

    assert_refused(ask_token(), refusals, "client_keys_unavailable", says=f"the client's keys at {URL!r} cannot be had")
    assert f"{URL!r} is not used: status 500, not 200" in caplog.messages


def test_a_failure_is_not_repeated_in_the_cooldown(ask_token, site, client, clock):
    site.pieces = answer(b"", status="500 Oh")
    for _ in range(3):
        assert ask_token().json == INVALID_CLIENT
        clock.move(9)
    assert len(site.requests) == 1

    clock.move(3)
    ask_token()
    assert len(site.requests) == 2


def test_warm_keys_serve_while_the_server_is_away_and_no_longer(ask_token, site, refusals, clock):
    ask_token()
    site.pieces = answer(b"", status="500 Oh")
    clock.move(600 + 3599)
    assert ask_token().status_code == 200

    clock.move(1)
    assert_refused(ask_token(), refusals, "client_keys_unavailable")


def test_refused_request_leaves_its_assertion_unspent(ask_token, build_assertion, site, publish, client_key, clock):
    publish(client_key)
    good, assertion = site.pieces, build_assertion(exp=clock.now + 120)
    site.pieces = answer(b"", status="500 Oh")
    assert ask_token(assertion=assertion).json == INVALID_CLIENT
    site.pieces = good
    clock.move(30)

    assert ask_token(assertion=assertion).status_code == 200


def test_a_name_that_leads_inside_is_refused_like_any_failure(ask_token, network, refusals, caplog):
    network.names[HOST] = [["169.254.169.254"]]

    assert_refused(ask_token(), refusals, "client_keys_unavailable", says=f"the client's keys at {URL!r} cannot be had")
    assert "169.254.169.254, which is not allowed: link-local" in caplog.text
    assert network.connections == []


def test_a_url_that_settings_have_outlawed_since_is_not_fetched(server, ask_token, client, refusals, caplog):
    app, _, db = server
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("UPDATE oauth2_client SET jwks_uri = 'http://127.0.0.1/jwks', version = 'by hand'"))

    assert_refused(ask_token(), refusals, "client_keys_unavailable")
    assert "the URL is not https" in caplog.text


def test_documents_that_cannot_be_read_are_503(server, ask_token, client, caplog):
    app, _, db = server
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("DROP TABLE oauth2_fetched_document"))

    assert ask_token().status_code == 503


# --- several workers --------------------------------------------------------------------------------------
@contextmanager
def worker(app, settings):
    """Another process of the same application: an app of its own on the same database."""
    other, _, db = make_app(app.config["SQLALCHEMY_DATABASE_URI"], **settings)
    yield other
    close(other, db)


@pytest.fixture
def ask_worker(build_assertion):
    def ask(app, **assertion):
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": build_assertion(**assertion),
        }
        return app.test_client().post("/oauth2/token", data=form)

    return ask


def test_another_worker_uses_the_keys_that_one_has_fetched(app, settings, ask_token, ask_worker, site):
    ask_token()
    with worker(app, settings) as other:
        assert ask_worker(other).status_code == 200

    assert len(site.requests) == 1


def test_the_cooldown_holds_for_all_workers(app, settings, ask_token, ask_worker, site, clock):
    ask_token()
    clock.move(30)
    with worker(app, settings) as other:
        for number in range(3):
            ask_worker(other, header={"kid": f"unknown {number}"})
            ask_worker(app, header={"kid": f"unknown {number}"})

    assert len(site.requests) == 2


def test_a_key_that_left_is_gone_on_the_workers_that_did_not_fetch(
    app, settings, ask_token, ask_worker, publish, new_key, clock
):
    with worker(app, settings) as other:
        assert ask_token().status_code == 200
        assert ask_worker(other).status_code == 200
        publish(new_key)
        clock.move(30)
        assert ask_worker(other, key=new_key).status_code == 200

        assert ask_token().json == INVALID_CLIENT


def test_first_requests_of_a_client_all_succeed_with_one_fetch(
    app, settings, client, ask_worker, site, publish, client_key
):
    publish(client_key)
    site.pieces = [0.2, *site.pieces]
    statuses = []

    with worker(app, settings) as other:
        threads = [
            threading.Thread(target=lambda app=app: statuses.append(ask_worker(app).status_code))
            for app in (app, other) * 3
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert statuses == [200] * 6
    assert len(site.requests) == 1


# --- changes of the registration ----------------------------------------------------------------------------
def test_a_changed_url_counts_for_the_next_request_on_every_worker(
    app, settings, ask_token, ask_worker, update, publish, new_key, refusals
):
    with worker(app, settings) as other:
        ask_token()
        ask_worker(other)
        publish(new_key)
        update(jwks_uri=OTHER_URL)

        assert ask_worker(other, key=new_key).status_code == 200
        assert ask_worker(app, key=new_key).status_code == 200
        assert_refused(ask_token(), refusals, "assertion_no_key")


def test_a_changed_url_is_fetched_though_another_client_has_it_kept(
    ask_token, build_assertion, register, update, publish, new_key, site
):
    register(client_id="other", jwks_uri=OTHER_URL, scope="read", default_scope="read")
    assert ask_token(assertion=build_assertion(iss="other", sub="other")).status_code == 200
    publish(new_key)

    update(jwks_uri=OTHER_URL)

    assert ask_token(assertion=build_assertion(key=new_key)).status_code == 200
    assert len(site.requests) == 2


def test_keys_by_value_take_the_place_of_the_url(ask_token, build_assertion, update, new_key, site, refusals):
    ask_token()
    after = update(jwks={"keys": [new_key.public_jwk()]})

    assert after.jwks_uri is None
    assert ask_token(assertion=build_assertion(key=new_key)).status_code == 200
    assert_refused(ask_token(), refusals, "assertion_no_key")
    assert len(site.requests) == 1


def test_a_url_takes_the_place_of_keys_by_value(ask_token, build_assertion, update, publish, new_key, refusals):
    update(jwks={"keys": [new_key.public_jwk()]})

    after = update(jwks_uri=URL)

    assert after.jwks is None
    assert ask_token().status_code == 200
    assert_refused(ask_token(assertion=build_assertion(key=new_key)), refusals, "assertion_no_key")


def test_another_change_keeps_the_keys_that_were_fetched(ask_token, update, site):
    ask_token()
    update(client_name="Console")
    site.pieces = answer(b"", status="500 Oh")

    assert ask_token().status_code == 200


@pytest.mark.parametrize("change", [{"jwks_uri": "http://keys.client.example/"}, {"jwks_uri": None}])
def test_a_refused_change_leaves_the_keys_as_they_were(change, ask_token, update):
    with pytest.raises(InvalidClientMetadata):
        update(**change)

    assert ask_token().status_code == 200


# --- the operator -------------------------------------------------------------------------------------------
@pytest.fixture
def run(app):
    def run(*words):
        return app.test_cli_runner().invoke(args=["oauth2", *words])

    return run


def test_the_operator_has_keys_fetched_at_once(run, app, settings, ask_token, ask_worker, publish, new_key):
    with worker(app, settings) as other:
        ask_token()
        ask_worker(other)
        publish(new_key)

        outcome = run("client", "refetch", CLIENT_ID)

        assert outcome.stdout == f"Client {CLIENT_ID} has its keys fetched at its next request.\n"
        assert ask_worker(other).json == INVALID_CLIENT
        assert ask_worker(app, key=new_key).status_code == 200


def test_keys_by_value_are_not_fetched(run, update, client, client_key):
    update(jwks={"keys": [client_key.public_jwk()]})

    outcome = run("client", "refetch", CLIENT_ID)

    assert outcome.exit_code == 2
    assert outcome.stderr == f"Error: Client {CLIENT_ID} has no jwks_uri: its keys are in its registration.\n"


def test_unknown_client_has_nothing_to_fetch(run):
    assert run("client", "refetch", "nobody").exit_code == 2


def test_documents_that_nobody_fetches_any_more_are_purged(run, ask_token, clock):
    ask_token()
    clock.move(7 * 86400)
    assert run("purge").stdout == "1 expired entry deleted.\n"  # the mark of the assertion
    clock.move(1)
    assert run("purge").stdout == "1 expired entry deleted.\n"


def test_metadata_with_a_url_is_added_and_shown(run, app, tmp_path):
    file = tmp_path / "client.json"
    file.write_text(json.dumps({"client_id": "mobile", "jwks_uri": URL, "scope": "read"}))

    outcome = run("client", "add", str(file))

    assert (outcome.stdout, outcome.stderr) == ("Client mobile is registered.\n", "")
    assert json.loads(run("client", "show", "mobile").stdout)["jwks_uri"] == URL


# --- development ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("settings", [{"OAUTH2_FETCH_FROM_LOOPBACK": True}])
def test_keys_on_this_machine_are_for_development_and_loud(settings, server, serve, network, ask_token, update, caplog):
    network.names["127.0.0.1"] = [["127.0.0.1"]]
    serve(None, address="127.0.0.1", port=5003)

    update(jwks_uri="http://127.0.0.1:5003/jwks")
    ask_token()

    assert "fetching 'http://127.0.0.1:5003/jwks' from this machine, which only development may do" in caplog.messages
    assert network.connections == [("127.0.0.1", 5003)]
    assert ADDRESS not in caplog.text
