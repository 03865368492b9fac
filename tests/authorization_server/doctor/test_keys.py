"""The server's signing keys."""

import dataclasses

import pytest

DAY = 86400


def test_new_key_is_right(look):
    for identifier in ("signing-key", "signing-key-age", "signing-key-alg"):
        assert look(identifier).ok, identifier


def test_key_that_was_not_replaced_in_time_is_noticed(look, clock):
    look("signing-key")
    clock.move(91 * DAY)

    found = look("signing-key-age")

    assert found.ok is False
    assert "for 91 days, more than the 90 days" in found.why
    assert "Its successor signs in 14 days" in found.why
    clock.move(14 * DAY)
    assert look("signing-key-age").ok


def test_key_of_another_algorithm_is_noticed_until_its_successor_is_announced(app, look, monkeypatch):
    look("signing-key")
    state = app.extensions["private_key_jwt"]
    other = dataclasses.replace(state.settings, SIGNING_ALG="PS256")
    monkeypatch.setitem(app.extensions, "private_key_jwt", dataclasses.replace(state, settings=other))

    found = look("signing-key-alg")

    assert found.ok is False
    assert "ES256" in found.why
    assert "PS256" in found.why
    assert "key rotate" in found.change
    monkeypatch.setattr(state.server_keys, "_alg", "PS256")
    state.server_keys.note_version(0)
    with app.app_context():
        state.server_keys.rotate(at_once=False)
    assert look("signing-key-alg").ok


@pytest.mark.parametrize("settings", [{"OAUTH2_SECRETS": ["a secret for tests only, long enough for it"]}])
def test_key_of_another_secret_is_a_row(app, doctor, site, settings):
    doctor()
    state = app.extensions["private_key_jwt"]
    with app.app_context():
        (key,) = state.server_keys.all()
        state.server_keys._store.change(dataclasses.replace(key, encrypted_private_jwk="gAAAAA=="), "reencrypted")
    state.server_keys._ring = None

    rows, exit_code = doctor()

    assert exit_code == 1
    assert rows["signing-key"]["ok"] is False
    assert "cannot be decrypted" in rows["signing-key"]["why"]
    assert rows["signing-key-age"]["ok"] is None
