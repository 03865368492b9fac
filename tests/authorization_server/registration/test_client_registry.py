"""oauth.clients: register, change and stop clients; a change is one transaction and takes effect at once."""

import pytest
from sqlalchemy import text

from flask_private_key_jwt.authorization_server.registration.metadata import describe_client
from flask_private_key_jwt.errors import ConfigurationError, InvalidClientMetadata, StoreUnavailable, UnknownClient
from tests.conftest import CLIENT_ID, INVALID_CLIENT, close, make_app


@pytest.fixture
def clients(app, oauth, client):
    """The registry of an app with the usual client, in an app context."""
    with app.app_context():
        yield oauth.clients


@pytest.fixture
def metadata(client_key):
    return {"client_id": "second", "jwks": {"keys": [client_key.public_jwk()]}, "scope": "read"}


# --- add --------------------------------------------------------------------------------------------------
def test_added_client_is_found_as_it_was_added(clients, metadata):
    added = clients.add(metadata)

    assert describe_client(clients.get("second")) == describe_client(added)
    assert [client.client_id for client in clients.all()] == [CLIENT_ID, "second"]


def test_client_id_is_made_when_it_is_absent(clients, metadata):
    made = clients.add({**metadata, "client_id": None})

    assert clients.get(made.client_id).version == made.version


def test_taken_client_id_is_refused_and_its_client_stays(clients, metadata):
    before = clients.get(CLIENT_ID)

    with pytest.raises(InvalidClientMetadata) as caught:
        clients.add({**metadata, "client_id": CLIENT_ID})

    assert caught.value.reason == "client_id 'console' is registered already"
    assert clients.get(CLIENT_ID).version == before.version


def test_refused_registration_leaves_nothing(clients, metadata):
    with pytest.raises(InvalidClientMetadata):
        clients.add({**metadata, "scope": 5})

    with pytest.raises(UnknownClient):
        clients.get("second")


def test_traceback_tells_the_operator_why(clients, metadata):
    with pytest.raises(InvalidClientMetadata) as caught:
        clients.add({**metadata, "scope": 5})

    assert caught.value.__notes__ == ["scope is not a string of scopes with spaces between"]


@pytest.mark.parametrize("client_id", ["nobody", "CONSOLE", "console ", "", "%", "cons_le", "\x00"])
def test_client_id_is_found_exactly(client_id, clients):
    with pytest.raises(UnknownClient) as caught:
        clients.get(client_id)

    assert str(caught.value) == f"No client {client_id!r} is registered."


@pytest.mark.parametrize("verb", ["update", "disable", "remove"])
def test_unknown_client_cannot_be_changed(verb, clients):
    arguments = [{"scope": "read"}] if verb == "update" else []

    with pytest.raises(UnknownClient):
        getattr(clients, verb)("nobody", *arguments)


# --- update -----------------------------------------------------------------------------------------------
def test_update_merges_and_null_removes(clients):
    clients.update(CLIENT_ID, {"client_name": "Console", "contacts": ["a@console.example"]})
    clients.update(CLIENT_ID, {"scope": "read write admin", "contacts": None})

    described = describe_client(clients.get(CLIENT_ID))
    assert described["client_name"] == "Console"
    assert described["scope"] == "admin read write"
    assert described["default_scope"] == "read"
    assert "contacts" not in described


def test_update_gives_a_new_version_every_time(clients):
    versions = [clients.get(CLIENT_ID).version]
    for _ in range(3):
        versions.append(clients.update(CLIENT_ID, {}).version)

    assert len(set(versions)) == 4


def test_keys_are_replaced_whole(clients, keys, ask_token, build_assertion):
    new = keys("ES256", "new")
    clients.update(CLIENT_ID, {"jwks": {"keys": [new.public_jwk()]}})

    assert ask_token().json == INVALID_CLIENT
    assert ask_token(assertion=build_assertion(key=new)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"client_id": "other"}, "client_id cannot be changed"),
        ({"client_id": None}, "client_id cannot be changed"),
        ({"scope": None}, "default_scope holds 'read', which is not in scope"),
        ({"jwks": None}, "jwks is missing: a private_key_jwt client needs its public keys, as a JWK Set"),
        ({"enabled": "no"}, "enabled is not true or false"),
    ],
)
def test_refused_update_leaves_the_client_as_it_was(changes, reason, clients):
    before = clients.get(CLIENT_ID)

    with pytest.raises(InvalidClientMetadata) as caught:
        clients.update(CLIENT_ID, changes)

    assert caught.value.reason == reason
    assert clients.get(CLIENT_ID).version == before.version


def test_same_client_id_in_an_update_is_no_change(clients):
    assert clients.update(CLIENT_ID, {"client_id": CLIENT_ID, "owner": "team 5"}).owner == "team 5"


def test_update_does_not_undo_one_that_came_between(clients, monkeypatch):
    build = clients.build

    def build_late(metadata, **options):
        monkeypatch.setattr(clients, "build", build)
        clients.update(CLIENT_ID, {"owner": "team 5"})
        return build(metadata, **options)

    monkeypatch.setattr(clients, "build", build_late)
    after = clients.update(CLIENT_ID, {"client_name": "Console"})

    assert (after.owner, after.client_name) == ("team 5", "Console")
    assert describe_client(clients.get(CLIENT_ID)) == describe_client(after)


def test_update_does_not_enable_a_client_that_was_disabled_meanwhile(clients, monkeypatch):
    build = clients.build

    def build_late(metadata, **options):
        monkeypatch.setattr(clients, "build", build)
        clients.disable(CLIENT_ID)
        return build(metadata, **options)

    monkeypatch.setattr(clients, "build", build_late)

    assert clients.update(CLIENT_ID, {"client_name": "Console"}).enabled is False


def test_update_that_others_always_forestall_gives_up(clients, monkeypatch):
    build = clients.build

    def build_late(metadata, **options):
        clients.disable(CLIENT_ID)
        return build(metadata, **options)

    monkeypatch.setattr(clients, "build", build_late)
    with pytest.raises(InvalidClientMetadata) as caught:
        clients.update(CLIENT_ID, {"client_name": "Console"})

    assert caught.value.reason == "client 'console' is being changed by others; try again"


# --- disable and remove -----------------------------------------------------------------------------------
def test_disabled_client_is_refused_from_its_next_request_on(clients, ask_token):
    assert ask_token().status_code == 200
    assert clients.disable(CLIENT_ID).enabled is False
    assert ask_token().json == INVALID_CLIENT

    clients.update(CLIENT_ID, {"enabled": True})
    assert ask_token().status_code == 200


def test_client_that_settings_have_outlawed_can_still_be_disabled(clients, client, tmp_path):
    app, oauth, db = make_app(f"sqlite:///{tmp_path}/as.sqlite", OAUTH2_SCOPES=["other"])
    with app.app_context():
        with pytest.raises(InvalidClientMetadata) as caught:
            oauth.clients.update(CLIENT_ID, {"owner": "team 5"})
        assert caught.value.reason == "scope holds 'read', which is not in OAUTH2_SCOPES"
        assert oauth.clients.disable(CLIENT_ID).enabled is False
    close(app, db)


def test_client_damaged_in_the_database_can_still_be_disabled_and_removed(clients, server):
    with server[2].engine.begin() as connection:
        connection.exec_driver_sql("UPDATE oauth2_client SET jwks = 'damaged', client_metadata = 'damaged'")

    assert clients.disable(CLIENT_ID).enabled is False
    clients.remove(CLIENT_ID)


def test_removed_client_is_gone_and_its_id_free_for_another_key(clients, metadata, keys, ask_token, build_assertion):
    assert ask_token().status_code == 200
    clients.remove(CLIENT_ID)
    assert ask_token().json == INVALID_CLIENT
    new = keys("ES256", "new")
    clients.add({"client_id": CLIENT_ID, "jwks": {"keys": [new.public_jwk()]}, "scope": "a", "default_scope": "a"})

    assert ask_token().json == INVALID_CLIENT
    assert ask_token(assertion=build_assertion(key=new)).json["scope"] == "a"


def test_change_in_one_app_counts_at_once_in_another_on_the_same_database(clients, tmp_path, ask_token):
    assert ask_token().status_code == 200
    app, oauth, db = make_app(f"sqlite:///{tmp_path}/as.sqlite")
    with app.app_context():
        oauth.clients.disable(CLIENT_ID)
    close(app, db)

    assert ask_token().json == INVALID_CLIENT


# --- the model and the surroundings -----------------------------------------------------------------------
def test_client_is_a_model_of_the_application(clients, oauth, server):
    session = server[2].session

    found = session.query(oauth.Client).filter_by(client_id=CLIENT_ID).one()

    assert repr(found) == "<Client 'console'>"
    assert found.snapshot().scope == {"read", "write"}


def test_change_through_the_model_counts_at_once(clients, oauth, server, ask_token):
    assert ask_token().status_code == 200
    session = server[2].session
    session.query(oauth.Client).filter_by(client_id=CLIENT_ID).one().enabled = False
    session.commit()

    assert ask_token().json == INVALID_CLIENT


def test_registry_leaves_the_applications_session_alone(clients, oauth, server, metadata):
    session = server[2].session
    clients.add(metadata)
    session.rollback()

    assert session.query(oauth.Client).count() == 2


def test_times_are_kept(clients, server, clock, metadata):
    created = clock.now
    clients.add(metadata)
    clock.move(60)
    clients.disable("second")

    with server[2].engine.connect() as connection:
        query = text("SELECT created_at, updated_at FROM oauth2_client WHERE client_id = 'second'")
        assert tuple(connection.execute(query).one()) == (created, created + 60)


def test_database_without_tables_is_unavailable(app, server, oauth):
    with app.app_context():
        server[2].drop_all()
        with pytest.raises(StoreUnavailable) as caught:
            oauth.clients.all()

    assert caught.value.reason.startswith("database: OperationalError 'no such table: oauth2_client'; ")


def test_registry_needs_an_app_that_was_initialised(oauth):
    import flask

    with flask.Flask(__name__).app_context(), pytest.raises(ConfigurationError, match=r"init_app\(app\) on this app"):
        oauth.clients.all()


# --- vouch --------------------------------------------------------------------------------------------------
def test_vouching_changes_nothing_else_and_counts_for_a_new_version(clients):
    before = clients.get(CLIENT_ID)

    after = clients.vouch(CLIENT_ID, vouched=False)

    assert (after.registered_by, describe_client(after)) == ("client", describe_client(before))
    assert clients.get(CLIENT_ID).registered_by == "client"
    assert clients.get(CLIENT_ID).version == after.version != before.version
    assert clients.vouch(CLIENT_ID).registered_by == "operator"


def test_vouching_for_an_unknown_client_is_refused(clients):
    with pytest.raises(UnknownClient):
        clients.vouch("https://client.example/document.json")


def test_change_by_the_operator_is_no_vouching(clients):
    clients.vouch(CLIENT_ID, vouched=False)

    assert clients.update(CLIENT_ID, {"scope": "read"}).registered_by == "client"


@pytest.mark.parametrize("wrong", [{"n": 5}, {"key_ops": ["verify", 5]}, {"e": "\ud800"}])
def test_added_key_that_would_not_be_kept_is_refused(clients, keys, wrong):
    third = keys("ES256", "third").public_jwk()

    with pytest.raises(InvalidClientMetadata) as refused:
        clients.add_keys(CLIENT_ID, {"keys": [{**third, **wrong}]})

    assert refused.value.cause == "jwks_member_type"
    assert len(clients.describe(CLIENT_ID)["jwks"]["keys"]) == 1
    assert len(clients.add_keys(CLIENT_ID, {"keys": [third]}).jwks["keys"]) == 2
