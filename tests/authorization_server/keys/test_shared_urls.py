"""Several clients with the same URL do not affect each other."""

import functools
import json

import pytest

from flask_private_key_jwt.authorization_server import client_documents
from flask_private_key_jwt.authorization_server.state import current_state
from flask_private_key_jwt.errors import FetchBusy
from flask_private_key_jwt.fetching.safe_fetch import SafeFetcher
from tests.conftest import ASSERTION_TYPE, CLIENT_ID, INVALID_CLIENT, ISSUER
from tests.refusals import causes
from tests.servers.https_servers import HOST, URL, answer

DOCUMENT_URL = f"https://{HOST}/client.json"
BUSY = "temporarily_unavailable"


@pytest.fixture
def settings(authority):
    return {
        "OAUTH2_FETCH_CA_BUNDLE": authority.bundle,
        "OAUTH2_REGISTRATION": "open",
        "OAUTH2_REGISTRATION_SCOPES": ["read"],
        "OAUTH2_CLIENT_ID_METADATA_DOCUMENTS": True,
        "OAUTH2_CLIENT_ID_HOSTS": [HOST],
        "OAUTH2_CLIENT_ID_SCOPES": ["read"],
    }


@pytest.fixture(autouse=True)
def _loopback_only(network, monkeypatch):
    fetcher = functools.partial(SafeFetcher, resolve=network.resolve, connect=network.connect)
    monkeypatch.setattr(client_documents, "SafeFetcher", fetcher)


@pytest.fixture
def publish(site):
    """Put keys at the URL, or whatever else."""

    def publish(*keys, **members):
        site.pieces = answer(json.dumps(members or {"keys": [key.public_jwk() for key in keys]}).encode())

    return publish


@pytest.fixture
def client(register, publish, client_key):
    """The operator's client, with its key at the URL."""
    publish(client_key)
    return register(client_id=CLIENT_ID, jwks_uri=URL, scope="read", default_scope="read")


@pytest.fixture
def ask(app, build_assertion):
    """A token request of any client: ``ask("console", key=…)``."""

    def ask(client_id=CLIENT_ID, **assertion):
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": build_assertion(iss=client_id, sub=client_id, **assertion),
            "scope": "read",
        }
        return app.test_client().post("/oauth2/token", data=form)

    return ask


@pytest.fixture
def sign_up(app):
    """Register as a stranger: gives the client_id, and a function that patches the registration."""

    def sign_up(jwks_uri=URL):
        answered = app.test_client().post("/oauth2/register", json={"jwks_uri": jwks_uri, "scope": "read"})
        assert answered.status_code == 201
        uri = answered.json["registration_client_uri"].removeprefix(ISSUER)
        headers = {"Authorization": f"Bearer {answered.json['registration_access_token']}"}

        def patch(**changes):
            assert app.test_client().patch(uri, json=changes, headers=headers).status_code == 200

        return answered.json["client_id"], patch

    return sign_up


@pytest.fixture
def new_key(keys):
    return keys("ES256", "new")


@pytest.fixture(params=["operator's", "self-registered"])
def owner(request, publish, client_key):
    """Whose keys are at the URL, by its client_id."""
    if request.param == "operator's":
        return request.getfixturevalue("client").client_id
    publish(client_key)
    return request.getfixturevalue("sign_up")()[0]


def assert_busy(answered, refusals, cause, *, says=""):
    assert (answered.status_code, answered.json["error"]) == (503, BUSY)
    assert int(answered.headers["Retry-After"]) > 0
    assert refusals[-1].cause == cause, refusals
    assert says in refusals[-1]


# --- a stranger who names it as a client_id -------------------------------------------------------------------
def test_asking_for_a_key_set_as_a_client_id_does_not_hold_up_a_rotation(owner, ask, publish, new_key, refusals, clock):
    assert ask(owner).status_code == 200
    publish(new_key)
    for _ in range(3):
        clock.move(30)
        assert ask(URL).json == INVALID_CLIENT
        assert refusals[-1] == f"client {URL!r} is not registered"
        assert refusals[-1].cause == "client_unknown"

    assert ask(owner, key=new_key).status_code == 200
    assert ask(owner).json == INVALID_CLIENT


# --- a client whose jwks_uri it is ----------------------------------------------------------------------------
def test_naming_a_client_id_document_as_a_key_set_does_not_lock_its_client_out(
    ask, sign_up, publish, client_key, refusals, clock
):
    document = {
        "client_id": DOCUMENT_URL,
        "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": ["client_credentials"],
        "jwks": {"keys": [client_key.public_jwk()]},
    }
    publish(**document)
    stranger, _ = sign_up(DOCUMENT_URL)
    for _ in range(4):
        assert ask(stranger).json == INVALID_CLIENT
        assert refusals[-1].cause == "client_keys_unavailable"
        assert refusals[-1] == f"the client's keys at {DOCUMENT_URL!r} cannot be had"
        assert ask(DOCUMENT_URL).status_code == 200
        clock.move(600)


def test_naming_a_key_set_as_ones_own_does_not_hold_up_a_rotation(owner, ask, sign_up, publish, new_key, clock):
    stranger, _ = sign_up()
    assert ask(owner).status_code == 200
    publish(new_key)
    clock.move(30)
    ask(stranger, header={"kid": "unknown"})

    assert ask(owner, key=new_key).status_code == 200
    assert ask(owner).json == INVALID_CLIENT


def test_a_thousand_registrations_with_one_url_make_one_fetch_in_a_cooldown(ask, sign_up, publish, site, clock):
    publish(x="no key set")
    strangers = [sign_up()[0] for _ in range(20)]
    for round_ in range(3):
        for stranger in strangers:
            assert ask(stranger).json == INVALID_CLIENT
        assert len(site.requests) == 1 + round_
        clock.move(30)


# --- a client that names it and goes --------------------------------------------------------------------------
def test_naming_a_key_set_and_leaving_takes_nothing_from_others(owner, ask, sign_up, site, clock):
    stranger, patch = sign_up(f"https://{HOST}/own.json")
    assert ask(owner).status_code == 200
    site.pieces = answer(b"", status="500 Oh")
    clock.move(600)
    for url in (URL, f"https://{HOST}/own.json", URL):
        patch(jwks_uri=url)
        ask(stranger)

    assert ask(owner).status_code == 200


def test_updates_and_assertions_in_turn_make_one_fetch_in_a_cooldown(ask, sign_up, publish, client_key, site, refusals):
    publish(client_key)
    stranger, patch = sign_up()
    assert ask(stranger).status_code == 200
    for _ in range(20):
        patch(jwks_uri=URL)
        assert_busy(ask(stranger), refusals, "fetch_cooldown")

    assert len(site.requests) == 1


def test_own_key_that_was_taken_away_stops_at_once_and_the_next_one_works_after_the_cooldown(
    ask, sign_up, publish, client_key, new_key, refusals, clock
):
    publish(client_key)
    stranger, patch = sign_up()
    assert ask(stranger).status_code == 200
    publish(new_key)
    patch(jwks_uri=URL)

    assert_busy(ask(stranger), refusals, "fetch_cooldown")
    assert refusals[-1] == f"{URL!r} is in its cool-down"
    clock.move(30)
    assert ask(stranger, key=new_key).status_code == 200
    assert ask(stranger).json == INVALID_CLIENT


def test_a_url_nobody_fetched_lately_is_fetched_at_once(ask, sign_up, publish, client_key, new_key, clock):
    publish(client_key)
    stranger, patch = sign_up()
    assert ask(stranger).status_code == 200
    publish(new_key)
    clock.move(30)
    patch(jwks_uri=URL)

    assert ask(stranger, key=new_key).status_code == 200


# --- the operator -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("times", [1, 3])
def test_keys_that_the_operator_has_fetched_anew_serve_other_clients_meanwhile(
    times, app, register, client, ask, publish, new_key, site
):
    register(client_id="sister", jwks_uri=URL, scope="read")
    assert ask().status_code == 200
    publish(new_key)
    with app.app_context():
        for _ in range(times):
            current_state().clients.refetch_keys(CLIENT_ID)

    assert ask("sister").status_code == 200
    assert ask().json == INVALID_CLIENT
    assert ask(key=new_key).status_code == 200
    assert len(site.requests) == 2


def test_refetched_keys_that_cannot_be_had_authenticate_nobody(app, client, ask, site, refusals):
    assert ask().status_code == 200
    with app.app_context():
        current_state().clients.refetch_keys(CLIENT_ID)
    site.pieces = answer(b"", status="500 Oh")

    for _ in range(2):
        assert ask().json == INVALID_CLIENT
        assert refusals[-1].cause == "client_keys_unavailable"
        assert refusals[-1] == f"the client's keys at {URL!r} cannot be had"


def test_a_client_that_is_registered_later_may_use_what_was_fetched(ask, client, sign_up, site):
    first, _ = sign_up()
    assert ask(first).status_code == 200
    second, _ = sign_up()

    assert ask(second).status_code == 200
    assert len(site.requests) == 1


# --- slots ------------------------------------------------------------------------------------------------------
def test_own_server_of_a_stranger_leaves_a_slot_for_the_operators_clients(app, ask, client, sign_up, site, refusals):
    slots = assembly_slots(app)
    stranger, _ = sign_up(f"https://{HOST}/own.json")
    with slots.for_others("a.example"), slots.for_others("b.example", is_known=True):
        assert_busy(ask(stranger), refusals, "fetch_busy_strangers")
        assert_busy(ask(f"https://{HOST}/new.json"), refusals, "fetch_busy_strangers")
        assert ask().status_code == 200

    assert ask(stranger).status_code == 200


def test_slow_servers_of_strangers_leave_a_slot_for_clients_that_were_here_before(
    app, ask, sign_up, publish, client_key, refusals, clock
):
    publish(client_key)
    known, _ = sign_up()
    assert ask(known).status_code == 200
    clock.move(600 + 3600)  # what it published then no longer counts
    stranger, _ = sign_up(f"https://{HOST}/new.json")
    slots = assembly_slots(app)
    with app.test_request_context(environ_base={"REMOTE_ADDR": "192.0.2.1"}), slots.for_others("slow.example"):
        with pytest.raises(FetchBusy), slots.for_others(None):
            pass
        assert_busy(ask(stranger), refusals, "fetch_busy_strangers")
        assert ask(known).status_code == 200

    assert ask(stranger).status_code != 503


def test_a_host_that_is_being_asked_is_not_asked_again_meanwhile(app, ask, sign_up, publish, client_key, refusals):
    publish(client_key)
    stranger, _ = sign_up()
    with assembly_slots(app).for_others(HOST):
        assert_busy(ask(stranger), refusals, "fetch_busy_host", says=f"another document is being fetched from {HOST!r}")

    assert ask(stranger).status_code == 200


def test_a_host_that_is_being_asked_for_something_new_still_shows_a_known_clients_new_key(
    app, ask, sign_up, publish, client_key, new_key, clock
):
    publish(client_key)
    owner, _ = sign_up()
    assert ask(owner).status_code == 200
    publish(new_key)
    clock.move(30)
    with assembly_slots(app).for_others(HOST):
        assert ask(owner, key=new_key).status_code == 200
        assert ask(owner).json == INVALID_CLIENT


def test_a_browser_that_brings_a_client_nobody_can_look_up_is_told_to_come_again(app, oauth, refusals):
    oauth.user(lambda: None)
    oauth.sign_in(lambda _page: "")
    with assembly_slots(app).for_others(HOST):
        answered = app.test_client().get(f"/oauth2/authorize?client_id={DOCUMENT_URL}&response_type=code")

    assert answered.status_code == 503
    assert answered.headers["Retry-After"] == "1"
    assert "Location" not in answered.headers
    assert causes(refusals) == ["fetch_busy_host"]
    assert refusals == [f"another document is being fetched from {HOST!r}"]


def assembly_slots(app):
    """The slots of an app, as its parts share them."""
    keys = app.extensions["private_key_jwt"].key_use._keys
    return keys._key_sets_of_others._take_slot.__self__
