"""client/code_flow/token_store.py: tokens are for their owner's eyes, replaced in one step, and never lost."""

import json
import os
import stat
import subprocess
import sys
import threading

import pytest

from flask_private_key_jwt.client.code_flow import token_store
from flask_private_key_jwt.client.code_flow.token_store import FileTokenStore, MappingTokenStore
from flask_private_key_jwt.client.code_flow.tokens import PersonTokens
from flask_private_key_jwt.client.token import Token
from flask_private_key_jwt.errors import ConfigurationError
from tests.checkout import CHECKOUT
from tests.conftest import ISSUER, START


def tokens(number=1, **changes):
    token = Token(f"at-{number}", "DPoP", obtained_at=START, expires_at=START + 600, scope="read", raw={})
    known = {"refresh_token": f"rt-{number}", "id_token": "id-1", "claims": {"sub": "alice"}, "jkt": "j"}
    return PersonTokens(ISSUER, "webapp", token, resources=("https://api.example",), **{**known, **changes})


@pytest.fixture
def file_store(tmp_path):
    return FileTokenStore(tmp_path / "tokens.json")


@pytest.fixture(params=["file", "mapping"])
def token_store_(request, file_store):
    return file_store if request.param == "file" else MappingTokenStore({})


def test_what_was_saved_is_loaded(token_store_):
    assert token_store_.load() is None
    token_store_.delete()

    for number in (1, 2):
        token_store_.save(tokens(number))
        assert token_store_.load() == tokens(number)

    token_store_.delete()
    assert token_store_.load() is None


def test_mapping_holds_several_people():
    shared = {}
    alice, bob = MappingTokenStore(shared, "alice"), MappingTokenStore(shared, "bob")
    alice.save(tokens(1))

    assert bob.load() is None
    assert json.dumps(shared)


@pytest.mark.parametrize("mask", [0o000, 0o077, 0o177])
def test_file_is_for_its_owner(mask, file_store):
    before = os.umask(mask)
    try:
        for number in (1, 2):
            file_store.save(tokens(number))
            assert stat.S_IMODE(file_store.path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_file_that_others_can_read_is_not_used(mode, file_store):
    file_store.save(tokens())
    file_store.path.chmod(mode)

    with pytest.raises(ConfigurationError, match="can be read by others"):
        file_store.load()


def test_file_of_another_user_is_not_used(file_store, monkeypatch):
    file_store.save(tokens())
    monkeypatch.setattr(token_store.os, "geteuid", lambda: file_store.path.stat().st_uid + 1)
    owner = file_store.path.stat().st_uid
    if owner == 0:  # what root owns is nobody else's
        os.chown(file_store.path, 12345, -1)

    with pytest.raises(ConfigurationError, match="belongs to another user"):
        file_store.load()


def test_lock_follows_no_link(file_store, tmp_path):
    (tmp_path / "tokens.json.lock").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigurationError, match="cannot be locked"), file_store.exclusive():
        pass
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b"not json", b'{"access_token": "secret"}', b'{"a": 1, "a": 2}', b"\xff", b"[" * 100_000],
)
def test_other_content_is_refused_and_not_shown(content, file_store):
    file_store.path.write_bytes(content)
    file_store.path.chmod(0o600)

    with pytest.raises(ConfigurationError, match="holds something else than tokens") as caught:
        file_store.load()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"access_token": ""},
        {"access_token": None},
        {"token_type": "mac"},
        {"expires_at": "soon"},
        {"refresh_token": 5},
        {"claims": []},
        {"resources": "x"},
        {"issuer": None},
    ],
)
def test_changed_content_is_refused(change):
    with pytest.raises(ConfigurationError, match=r"not what PersonTokens.to_json made"):
        PersonTokens.from_json({**tokens().to_json(), **change})


def test_disk_that_is_full_leaves_the_old_tokens(file_store, monkeypatch):
    file_store.save(tokens(1))

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(token_store.os, "fsync", full)
    with pytest.raises(ConfigurationError, match="cannot be written: No space left"):
        file_store.save(tokens(2))

    assert file_store.load() == tokens(1)
    assert os.listdir(file_store.path.parent) == ["tokens.json"]


def test_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be written: No such file"):
        FileTokenStore(tmp_path / "nowhere" / "tokens.json").save(tokens())


def test_reader_never_sees_half_a_file(file_store):
    file_store.save(tokens(1))
    done = threading.Event()

    def write():
        for number in range(50):
            file_store.save(tokens(number))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert FileTokenStore(file_store.path).load() is not None
    writer.join()


def test_one_process_renews_at_a_time(file_store):
    program = (
        "import sys; from flask_private_key_jwt.client.code_flow.token_store import FileTokenStore\n"
        "with FileTokenStore(sys.argv[1]).exclusive(): print('in', flush=True); sys.stdin.readline()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, file_store.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=CHECKOUT
    )
    try:
        assert other.stdout.readline() == b"in\n"
        entered = threading.Event()

        def enter():
            with file_store.exclusive():
                entered.set()

        waiting = threading.Thread(target=enter)
        waiting.start()
        assert not entered.wait(0.05)

        other.stdin.write(b"\n")
        other.stdin.flush()
        assert entered.wait(60)
        waiting.join()
    finally:
        other.stdin.close()
        other.wait(60)
        other.stdout.close()


def test_no_token_is_in_what_is_shown(file_store):
    shown = f"{tokens()!r} {tokens()} {file_store!r} {MappingTokenStore({'person_tokens': tokens().to_json()})!r}"

    assert not any(secret in shown for secret in ("at-1", "rt-1", "id-1"))
