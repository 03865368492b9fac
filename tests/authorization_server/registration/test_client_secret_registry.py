"""``oauth.clients.secrets``: the operator gives, replaces, ends and removes; nobody else gives a client a secret."""

import pytest
from sqlalchemy import select

from flask_private_key_jwt.authorization_server.registration.client_secrets import MAX_SECRETS
from flask_private_key_jwt.authorization_server.registration.unsupported_members import check_unsupported
from flask_private_key_jwt.database.batches import KEEP_ENDED_SECONDS
from flask_private_key_jwt.errors import InvalidClientMetadata, UnknownClient
from tests.authorization_server.client_auth.conftest import PASSWORD, SECONDS_UNTIL, UNTIL, basic
from tests.conftest import CLIENT_ID, START
from tests.tables import declare_tables

DAY = 86400
OTHER = "another secret, which is long enough too"


@pytest.fixture
def settings():
    return {"OAUTH2_CLIENT_SECRETS_UNTIL": UNTIL}


@pytest.fixture
def secrets(app, oauth, client):
    """The registry, in the context of the app."""
    with app.app_context():
        yield oauth.clients.secrets


@pytest.fixture
def show(app):
    """The status of a token request with this secret."""

    def show(password):
        form = {"grant_type": "client_credentials"}
        return app.test_client().post("/oauth2/token", data=form, headers=basic(CLIENT_ID, password)).status_code

    return show


def refusal_of(call, *arguments, **options):
    with pytest.raises(InvalidClientMetadata) as refused:
        call(*arguments, **options)
    assert refused.value.__notes__[0] == refused.value.reason
    return refused.value.cause


# --- give ---------------------------------------------------------------------------------------------------
def test_secret_is_made_and_can_be_read_once(secrets, show):
    given = secrets.give(CLIENT_ID)

    assert len(given.secret) == 64
    assert given.described.method == "client_secret_basic"
    assert (given.described.created_at, given.described.expires_at, given.described.last_used_at) == (START, None, None)
    assert given.described.counts
    assert given.secret not in repr(given)
    assert given.secret not in repr(secrets.all())
    assert show(given.secret) == 200


def test_made_secrets_differ(secrets):
    assert secrets.give(CLIENT_ID).secret != secrets.give(CLIENT_ID).secret


@pytest.mark.parametrize("length", [32, 1024])
def test_secret_of_the_right_length_is_given(length, secrets, show):
    secrets.give(CLIENT_ID, secret="x" * length)

    assert show("x" * length) == 200


@pytest.mark.parametrize("length", [0, 31, 1025])
def test_secret_of_another_length_is_not_given(length, secrets):
    assert refusal_of(secrets.give, CLIENT_ID, secret="x" * length) == "client_secret_length"
    assert secrets.all() == []


@pytest.mark.parametrize("secret", ["ü" * 32, "x" * 31 + "\n", "x" * 31 + "\x00", "x" * 31 + "\x7f"])
def test_secret_of_other_characters_is_not_given(secret, secrets):
    assert refusal_of(secrets.give, CLIENT_ID, secret=secret) == "client_secret_characters"


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"method": "private_key_jwt"}, "client_secret_method"),
        ({"method": "none"}, "client_secret_method"),
        ({"alg": "HS256"}, "client_secret_alg"),
        ({"method": "client_secret_jwt", "alg": "ES256"}, "client_secret_alg"),
        ({"method": "client_secret_jwt", "secret": {"kty": "oct", "k": "eHh4", "alg": "none"}}, "client_secret_alg"),
        ({"method": "client_secret_jwt", "secret": {"kty": "oct", "k": "eHh4", "alg": ["HS256"]}}, "client_secret_alg"),
        ({"method": "client_secret_jwt", "secret": '{"kty": "oct"'}, "client_secret_not_json"),
        ({"method": "client_secret_jwt", "secret": {"kty": ["oct"], "k": 1}}, "client_secret_kty"),
        ({"method": "client_secret_jwt", "secret": {"kty": "RSA", "n": "x"}}, "client_secret_kty"),
        ({"method": "client_secret_jwt", "secret": {"kty": "oct", "k": "é"}}, "client_secret_not_base64"),
        ({"method": "client_secret_jwt", "secret": {"kty": "oct", "k": "x" * 43, "use": "enc"}}, "client_secret_use"),
        ({"method": "client_secret_jwt", "secret": "\ud800" * 32}, "client_secret_not_unicode"),
        ({"secret": {"kty": "oct", "k": "x" * 43}}, "client_secret_not_text"),
        ({"until": "soon"}, "client_secret_until"),
        ({"until": "2027-01-20T12:00:00+01:00"}, "client_secret_until"),
        ({"until": "2027-01-15"}, "client_secret_over"),
    ],
)
def test_what_is_not_acceptable_is_not_given(options, cause, secrets):
    assert refusal_of(secrets.give, CLIENT_ID, **options) == cause
    assert secrets.all() == []


def test_alg_of_an_oct_key_and_of_the_call_must_agree(secrets):
    jwk = {"kty": "oct", "k": "x" * 86, "alg": "HS384"}
    assert (
        refusal_of(secrets.give, CLIENT_ID, method="client_secret_jwt", secret=jwk, alg="HS512") == "client_secret_alg"
    )

    secrets.give(CLIENT_ID, method="client_secret_jwt", secret=jwk, alg="HS384")


def test_unknown_client_gets_no_secret(secrets):
    for change in (secrets.give, secrets.replace, secrets.remove):
        with pytest.raises(UnknownClient):
            change("nobody")


def test_public_client_gets_no_secret(people, register, secrets):
    register(
        client_id="native",
        token_endpoint_auth_method="none",
        grant_types=["authorization_code"],
        redirect_uris=["https://native.example/callback"],
    )

    assert refusal_of(secrets.give, "native") == "client_auth_method"


def test_client_that_registered_itself_gets_a_secret_when_the_operator_vouches(app, oauth, secrets):
    oauth.clients.vouch(CLIENT_ID, vouched=False)
    assert refusal_of(secrets.give, CLIENT_ID) == "client_secret_not_vouched"

    oauth.clients.vouch(CLIENT_ID)
    secrets.give(CLIENT_ID)


@pytest.mark.parametrize("settings", [{}])
def test_none_is_given_without_the_setting(secrets):
    assert refusal_of(secrets.give, CLIENT_ID) == "client_secrets_off"


def test_none_is_given_when_the_date_is_over(secrets, clock):
    clock.move(SECONDS_UNTIL)

    assert refusal_of(secrets.give, CLIENT_ID) == "client_secrets_over"


def test_client_has_a_few_secrets_at_most(secrets, clock):
    for _ in range(MAX_SECRETS):
        secrets.give(CLIENT_ID, until="2027-01-16")
    assert refusal_of(secrets.give, CLIENT_ID) == "client_secret_too_many"
    assert refusal_of(secrets.replace, CLIENT_ID) == "client_secret_too_many"

    clock.move(DAY)  # those that ended make room

    secrets.give(CLIENT_ID)
    assert len(secrets.all()) == 1


# --- replace, end, remove -----------------------------------------------------------------------------------
def test_replaced_secret_counts_during_the_overlap(secrets, show, clock):
    secrets.give(CLIENT_ID, secret=PASSWORD, until="2027-01-30")

    given = secrets.replace(CLIENT_ID, overlap_seconds=60)

    assert given.described.expires_at == START + 14 * DAY + 16 * 3600  # as the old one
    assert show(PASSWORD) == show(given.secret) == 200
    clock.move(60)
    assert show(PASSWORD) == 401
    assert show(given.secret) == 200


def test_secret_that_ends_earlier_does_so(secrets, show, clock):
    secrets.give(CLIENT_ID, secret=PASSWORD, until="2027-01-15T08:00:10Z")
    secrets.give(CLIENT_ID, secret=OTHER)

    secrets.replace(CLIENT_ID, overlap_seconds=DAY)
    clock.move(10)

    assert show(PASSWORD) == 401
    assert show(OTHER) == 200


def test_secret_that_is_replaced_at_once_is_gone(secrets, show):
    secrets.give(CLIENT_ID, secret=PASSWORD)

    given = secrets.replace(CLIENT_ID, overlap_seconds=0)

    assert [secret.name for secret in secrets.all()] == [given.described.name]
    assert show(PASSWORD) == 401


def test_only_secrets_for_the_same_method_are_replaced(secrets, clock):
    posted = secrets.give(CLIENT_ID, method="client_secret_post").described.name
    clock.move(1)
    secrets.give(CLIENT_ID, method="client_secret_jwt", alg="HS512")

    secrets.replace(CLIENT_ID, overlap_seconds=0)
    assert [(secret.name == posted, secret.method) for secret in secrets.all()] == [
        (True, "client_secret_post"),
        (False, "client_secret_jwt"),
    ]
    replaced = secrets.replace(CLIENT_ID, method="client_secret_post", overlap_seconds=0)
    assert replaced.described.method == "client_secret_post"


def test_replaced_secret_keeps_its_algorithm(secrets):
    secrets.give(CLIENT_ID, method="client_secret_jwt", alg="HS512")

    assert refusal_of(secrets.replace, CLIENT_ID, secret="x" * 63) == "client_secret_too_short"
    secrets.replace(CLIENT_ID, secret="x" * 64)


def test_nothing_is_replaced_where_nothing_is(secrets):
    assert refusal_of(secrets.replace, CLIENT_ID) == "client_secret_unknown"


def test_clients_own_date_is_set_for_all_or_one(secrets):
    one, two = (secrets.give(CLIENT_ID).described.name for _ in range(2))

    secrets.end(CLIENT_ID, until="2027-01-20")
    secrets.end(CLIENT_ID, until=None, name=one)

    ends = {secret.name: secret.expires_at for secret in secrets.all()}
    assert ends == {one: None, two: START + 4 * DAY + 16 * 3600}
    assert refusal_of(secrets.end, CLIENT_ID, until="2027-01-20", name="00000000") == "client_secret_unknown"


def test_one_or_all_are_removed(secrets):
    names = [secrets.give(CLIENT_ID).described.name for _ in range(3)]

    assert secrets.remove(CLIENT_ID, name=names[1]) == 1
    assert {secret.name for secret in secrets.all()} == {names[0], names[2]}
    assert secrets.remove(CLIENT_ID) == 2
    assert refusal_of(secrets.remove, CLIENT_ID) == "client_secret_unknown"


def test_whoever_gets_the_name_of_a_removed_client_finds_no_secret(app, oauth, server, secrets, register, client_key):
    secrets.give(CLIENT_ID, secret=PASSWORD)
    oauth.clients.remove(CLIENT_ID)
    assert secrets.all() == []

    register(client_id="other", jwks={"keys": [client_key.public_jwk()]})
    secrets.give("other")
    table = declare_tables()[1].client
    with server[2].engine.begin() as connection:
        connection.execute(table.delete())  # by hand, which leaves the secret
    register(client_id="other", jwks={"keys": [client_key.public_jwk()]})

    assert secrets.all() == []


def test_purge_deletes_what_ended_an_hour_ago(app, secrets, clock):
    secrets.give(CLIENT_ID, until="2027-01-16")
    kept = secrets.give(CLIENT_ID).described.name
    store = app.extensions["private_key_jwt"].stored_client_secrets
    clock.move(16 * 3600 + KEEP_ENDED_SECONDS - 1)
    assert store.purge() == 0

    clock.move(1)

    assert store.purge() == 1
    assert [secret.name for secret in secrets.all()] == [kept]


# --- a client that has only secrets --------------------------------------------------------------------------
KEYLESS = {"client_id": "old", "token_endpoint_auth_method": "client_secret_post", "scope": "read"}


def test_client_without_keys_is_registered_by_the_operator(app, oauth, secrets):
    client = oauth.clients.add(KEYLESS)

    assert (client.jwks, client.jwks_uri) == (None, None)
    assert oauth.clients.get("old").token_endpoint_auth_method == "client_secret_post"
    assert secrets.give("old").described.method == "client_secret_post"
    assert "secret" not in str(oauth.clients.describe("old")).replace("client_secret_post", "")


@pytest.mark.parametrize(
    "change",
    [
        {"jwks": {"keys": []}},
        {"jwks_uri": "https://old.example/keys"},
        {"token_endpoint_auth_signing_alg": "HS256"},
        {"request_object_signing_alg": "ES256"},
        {"require_signed_request_object": True},
    ],
)
def test_client_without_keys_has_nothing_of_keys(change, oauth, secrets):
    assert refusal_of(oauth.clients.add, {**KEYLESS, **change}) == "keyless_client_member"


@pytest.mark.parametrize("settings", [{}])
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "client_secret_jwt"])
def test_without_the_setting_no_client_is_registered_for_a_secret(method, oauth, secrets):
    change = {"token_endpoint_auth_method": method}
    assert refusal_of(oauth.clients.add, {**KEYLESS, **change}) == "auth_method_not_supported"


def test_constraint_of_a_former_table_is_not_told_as_a_taken_name(app, oauth, server, secrets):
    with server[2].engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER former BEFORE INSERT ON oauth2_client WHEN NEW.jwks IS NULL "
            "BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed'); END"
        )

    with pytest.raises(Exception, match=r"^temporarily_unavailable") as refused:
        oauth.clients.add(KEYLESS)
    assert refused.value.cause == "database_constraint"


# --- nobody else ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("is_document", [True, False])
def test_secret_in_a_registration_is_refused(is_document):
    with pytest.raises(InvalidClientMetadata) as refused:
        check_unsupported({"client_secret": PASSWORD}, is_document=is_document)

    assert refused.value.cause == "client_secret_sent"
    assert PASSWORD not in refused.value.reason


@pytest.mark.parametrize("registered_by", ["client", "document"])
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "client_secret_jwt"])
def test_only_the_operator_registers_a_client_for_a_secret(method, registered_by, oauth, secrets):
    metadata = {**KEYLESS, "token_endpoint_auth_method": method}

    oauth.clients.build(metadata)
    assert refusal_of(oauth.clients.build, metadata, registered_by=registered_by) == "auth_method_operator_only"


def test_secret_leaves_the_client_in_a_purge_of_unused_clients(app, oauth, server, secrets, clock):
    """A client that registered itself, was vouched for, and later no more."""
    secrets.give(CLIENT_ID, secret=PASSWORD)
    table = declare_tables()[1].client
    with server[2].engine.begin() as connection:
        connection.execute(table.update().values(registered_by="client", version="2", updated_at=START))
    clock.move(91 * DAY)
    unused = app.extensions["private_key_jwt"].unused_clients

    assert unused.purge() == 0
    secrets.remove(CLIENT_ID)
    assert unused.purge() == 1
    with server[2].engine.connect() as connection:
        assert connection.execute(select(table)).all() == []
