"""How secrets of clients are kept, and what becomes of them when the application's own secret changes."""

import re

import pytest

from flask_private_key_jwt.authorization_server.keys.client_secrets import ClientSecrets, SecretNotAccepted
from flask_private_key_jwt.authorization_server.stores.contracts import StoredClientSecret
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.derived import Secrets
from flask_private_key_jwt.settings.reading import read
from flask_private_key_jwt.settings.server import ServerSettings
from tests.authorization_server.stores.example_client import build_client
from tests.conftest import START
from tests.jose.mac import sign_mac

OLD, NEW = "the old secret of the application, long enough", "the new secret of the application, long enough"
PASSWORD = "a shared secret that is long enough for it"
BASIC, JWT = "client_secret_basic", "client_secret_jwt"
CLIENT = build_client("console")


class Memory:
    """The secrets of all clients, in a list."""

    def __init__(self):
        self.rows = []

    def load(self, client_id):
        return [row for row in self.rows if row.client_id == client_id]

    def all(self):
        return list(self.rows)

    def keep_anew(self, secret, kept):
        self.rows = [
            StoredClientSecret(row.client_id, row.name, row.method, kept, row.created_at) if row is secret else row
            for row in self.rows
        ]

    def mark_used(self, secret, *, now, not_after):
        return True


@pytest.fixture
def store():
    return Memory()


def open_with(store, *secrets):
    settings = read(
        {"OAUTH2_ISSUER": "https://as.example", "OAUTH2_CLIENT_SECRETS_UNTIL": "2027-02-01"}, ServerSettings
    )
    return ClientSecrets(settings, store, Secrets(secrets))


def keep(store, secrets, method=BASIC, name="one", password=PASSWORD):
    kept = (
        secrets.keep_password("console", password)
        if method == BASIC
        else secrets.keep_key(jose.import_symmetric_key(password))
    )
    store.rows.append(StoredClientSecret("console", name, method, kept, START))
    return kept


def is_jwt(secret):
    return secret.method == JWT


def assertion(secret=PASSWORD):
    return jose.parse(sign_mac({"alg": "HS256"}, {"a": 1}, secret), max_bytes=4096)


def test_hmac_and_the_name_of_its_key_are_kept(store):
    kept = keep(store, open_with(store, OLD))

    assert re.fullmatch(r"[0-9a-f]{8}:[0-9a-f]{64}", kept)
    assert kept != keep(store, open_with(store, NEW))
    assert kept == keep(store, open_with(store, OLD))


def test_encrypted_secret_is_another_text_each_time(store):
    secrets = open_with(store, OLD)

    assert keep(store, secrets, JWT) != keep(store, secrets, JWT)
    assert PASSWORD not in str(store.rows)


def test_old_secret_of_the_application_is_needed_until_the_client_comes(store):
    keep(store, open_with(store, OLD))
    both = open_with(store, NEW, OLD)
    assert both.reencrypt(is_jwt=is_jwt) == 1

    used = both.find_password(CLIENT, BASIC, PASSWORD)
    assert used.kept_anew is not None
    both.note(used)

    assert both.reencrypt(is_jwt=is_jwt) == 0
    assert open_with(store, NEW).find_password(CLIENT, BASIC, PASSWORD).kept_anew is None


def test_without_the_old_secret_of_the_application_a_client_is_refused(store):
    keep(store, open_with(store, OLD))

    with pytest.raises(SecretNotAccepted) as refused:
        open_with(store, NEW).find_password(CLIENT, BASIC, PASSWORD)
    assert refused.value.cause == "client_secret_unreadable"


def test_encrypted_secrets_are_encrypted_anew(store):
    keep(store, open_with(store, OLD), JWT)
    with pytest.raises(SecretNotAccepted) as refused:
        open_with(store, NEW).find_signer(CLIENT, JWT, assertion())
    assert refused.value.cause == "client_secret_unreadable"

    assert open_with(store, NEW, OLD).reencrypt(is_jwt=is_jwt) == 0

    assert open_with(store, NEW).find_signer(CLIENT, JWT, assertion()).stored.name == "one"


def test_secret_that_cannot_be_read_does_not_hide_another(store):
    keep(store, open_with(store, OLD), JWT)
    secrets = open_with(store, NEW)
    keep(store, secrets, JWT, "two")

    assert secrets.find_signer(CLIENT, JWT, assertion()).stored.name == "two"
    with pytest.raises(jose.JoseProblem, match="the signature does not verify"):
        secrets.find_signer(CLIENT, JWT, assertion("another secret, which is long enough too"))


def test_hmac_of_one_client_is_none_of_another(store):
    secrets = open_with(store, OLD)
    kept = keep(store, secrets)
    store.rows.append(StoredClientSecret("other", "one", BASIC, kept, START))

    with pytest.raises(SecretNotAccepted) as refused:
        secrets.find_password(build_client("other"), BASIC, PASSWORD)
    assert refused.value.cause == "client_secret_wrong"


@pytest.mark.parametrize("kept", ["", ":", "x", "x:", ":" + "0" * 64])
def test_row_that_is_no_hmac_matches_nothing(kept, store):
    store.rows.append(StoredClientSecret("console", "one", BASIC, kept, START))

    with pytest.raises(SecretNotAccepted):
        open_with(store, OLD).find_password(CLIENT, BASIC, "")


def test_second_row_with_the_same_secret_counts_when_the_first_has_ended(store):
    secrets = open_with(store, OLD)
    kept = keep(store, secrets)
    store.rows = [
        StoredClientSecret("console", "one", BASIC, kept, START, expires_at=START),
        StoredClientSecret("console", "two", BASIC, kept, START),
    ]

    assert secrets.find_password(CLIENT, BASIC, PASSWORD).stored.name == "two"
    assert secrets.is_password(store.rows[0], PASSWORD)
    assert not secrets.is_password(store.rows[0], PASSWORD + "x")
