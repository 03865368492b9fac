"""The server's keys over their whole life: announced, signing, verifying, gone; nobody who verifies notices."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from flask_private_key_jwt.authorization_server.keys.rotation import (
    Schedule,
    find_end,
    find_next_start,
    find_published,
    find_signer,
    load_schedule,
)
from flask_private_key_jwt.authorization_server.stores.contracts import StoredKey
from flask_private_key_jwt.errors import ConfigurationError, InvalidToken
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.settings.server import ServerSettings
from flask_private_key_jwt.tokens.verification import TokenVerifier
from tests.conftest import API, ISSUER, SECRET, close, make_app

DAY = 86400
SCHEDULE = Schedule(announce=14 * DAY, sign=90 * DAY, retire=14 * DAY)


def make_key(slot, signs_from, **changes):
    values = {"alg": "ES256", "created_at": max(0, signs_from - 14 * DAY), "retired_at": None, **changes}
    return StoredKey(slot, f"k{slot}", values["alg"], "{}", "x", values["created_at"], signs_from, values["retired_at"])


# --- the rules --------------------------------------------------------------------------------------------
def test_without_a_key_one_is_due_at_once():
    assert find_next_start([], SCHEDULE, alg="ES256", now=1000) == 1000


@pytest.mark.parametrize(("day", "start"), [(75, None), (76, 90), (80, 94), (200, 214)])
def test_next_key_is_made_its_announcement_before_it_signs(day, start):
    due = find_next_start([make_key(1, 0)], SCHEDULE, alg="ES256", now=day * DAY)

    assert due == (None if start is None else start * DAY)


@pytest.mark.parametrize("name", ["ACCESS_TOKEN_LIFETIME_SECONDS", "ID_TOKEN_LIFETIME_SECONDS"])
def test_key_outlives_every_token_it_signed(name):
    settings = ServerSettings(ISSUER=ISSUER, KEY_RETIRE_SECONDS=900, **{name: 3600})

    assert load_schedule(settings).retire == 3600 + settings.CLOCK_SKEW_SECONDS + settings.KEY_CACHE_SECONDS


def test_announced_key_makes_no_further_one_due():
    keys = [make_key(1, 0), make_key(2, 90 * DAY)]

    assert find_next_start(keys, SCHEDULE, alg="PS256", now=80 * DAY) is None


def test_another_algorithm_is_announced_as_any_key():
    assert find_next_start([make_key(1, 0)], SCHEDULE, alg="PS256", now=DAY) == 15 * DAY


def test_algorithm_that_the_profile_forbids_is_replaced_at_once():
    strict = replace(SCHEDULE, algs=("ES256", "PS256"))
    keys = [make_key(1, 0, alg="RS256"), make_key(2, 90 * DAY)]

    assert find_next_start(keys, strict, alg="ES256", now=DAY) == DAY
    assert find_next_start(keys, SCHEDULE, alg="ES256", now=DAY) is None


@pytest.mark.parametrize(("day", "slot"), [(0, 1), (89, 1), (90, 2), (500, 2)])
def test_newest_key_whose_time_has_come_signs(day, slot):
    assert find_signer([make_key(1, 0), make_key(2, 90 * DAY)], now=day * DAY).slot == slot


def test_worker_whose_clock_is_behind_signs_with_the_first_key_and_makes_none():
    keys = [make_key(1, 1000)]

    assert find_signer(keys, now=998).slot == 1
    assert find_next_start(keys, SCHEDULE, alg="ES256", now=998) is None


@pytest.mark.parametrize(("day", "slots"), [(76, [1, 2]), (103, [1, 2]), (104, [2])])
def test_key_stays_published_while_its_tokens_may_be_around(day, slots):
    keys = [make_key(1, 0), make_key(2, 90 * DAY)]

    assert [key.slot for key in find_published(keys, SCHEDULE, now=day * DAY)] == slots


def test_retired_key_neither_signs_nor_is_published():
    keys = [make_key(1, 0), make_key(2, 0, retired_at=DAY)]

    assert find_signer(keys, now=2 * DAY).slot == 1
    assert [key.slot for key in find_published(keys, SCHEDULE, now=2 * DAY)] == [1]


def test_key_retired_before_it_signed_ends_no_other():
    keys = [make_key(1, 0), make_key(2, 90 * DAY, retired_at=80 * DAY)]

    assert find_end(keys[0], keys, SCHEDULE) is None


# --- the settings -----------------------------------------------------------------------------------------
def test_announcement_longer_than_the_signing_is_refused():
    with pytest.raises(ConfigurationError, match="must be less than OAUTH2_KEY_SIGN_SECONDS"):
        ServerSettings(ISSUER=ISSUER, KEY_ANNOUNCE_SECONDS=5000, KEY_SIGN_SECONDS=5000)


# --- over HTTP --------------------------------------------------------------------------------------------
class CachingAPI:
    """A resource server that reads the JWKS every *seconds*, and checks tokens by its copy in between."""

    def __init__(self, app, clock, seconds):
        self._app, self._clock, self._seconds = app, clock, seconds
        self._read_at = -seconds
        self._verifier = TokenVerifier(issuer=ISSUER, resource=API, algs=("ES256",), max_bytes=8192, clock_skew=10)

    def check(self, token):
        if self._clock.now - self._read_at >= self._seconds:
            self._keys = [jose.import_public_jwk(key) for key in fetch_jwks(self._app)]
            self._read_at = self._clock.now
        kid = jose.parse(token, max_bytes=8192).kid
        key = next((key for key in self._keys if key.kid == kid), None)
        if key is None or not jose.verify(jose.parse(token, max_bytes=8192), key):
            raise InvalidToken("the cached JWKS does not verify the token")


def fetch_jwks(app):
    return app.test_client().get("/oauth2/jwks").json["keys"]


def test_two_whole_cycles_pass_without_one_failed_verification(app, clock, client, ask_token):
    api = CachingAPI(app, clock, seconds=DAY)  # a cache a thousand times older than ours allows
    issued, signers = [], []

    for _ in range(4 * 200):  # a token every six hours, for two hundred days
        token = ask_token().json["access_token"]
        issued.append((clock.now, token))
        signers.append(jose.parse(token, max_bytes=8192).kid)
        for _, earlier in [entry for entry in issued if clock.now - entry[0] <= 600]:
            api.check(earlier)
        clock.move(600)
        api.check(token)  # and once more at the end of its life
        clock.move(6 * 3600 - 600)

    assert len(dict.fromkeys(signers)) == 3
    assert signers == sorted(signers, key=list(dict.fromkeys(signers)).index)  # no key comes back


def test_announced_key_is_in_the_jwks_before_it_signs(app, clock, ask_token):
    first = jose.parse(ask_token().json["access_token"], max_bytes=8192).kid
    clock.move(76 * DAY)

    assert fetch_jwks(app)[0]["kid"] == first
    assert len(fetch_jwks(app)) == 2
    assert jose.parse(ask_token().json["access_token"], max_bytes=8192).kid == first


def test_announced_key_signs_from_its_very_second(app, clock, ask_token):
    ask_token()
    clock.move(76 * DAY)
    following = fetch_jwks(app)[1]["kid"]
    clock.move(14 * DAY - 1)
    assert jose.parse(ask_token().json["access_token"], max_bytes=8192).kid != following
    clock.move(1)

    assert jose.parse(ask_token().json["access_token"], max_bytes=8192).kid == following


def test_old_key_leaves_the_jwks_after_its_time(app, clock, ask_token):
    first = jose.parse(ask_token().json["access_token"], max_bytes=8192).kid
    clock.move(76 * DAY)
    fetch_jwks(app)
    clock.move(28 * DAY - 1)
    assert first in [key["kid"] for key in fetch_jwks(app)]
    clock.move(1 + 60)

    assert first not in [key["kid"] for key in fetch_jwks(app)]


def test_workers_that_reach_the_moment_together_make_one_key(tmp_path, clock):
    url = f"sqlite:///{tmp_path}/as.sqlite"
    workers = [make_app(url, OAUTH2_REPLAY_STORE="sql") for _ in range(6)]
    for app, _, _ in workers:
        fetch_jwks(app)
    clock.move(80 * DAY)

    with ThreadPoolExecutor(6) as threads:
        sets = list(threads.map(fetch_jwks, [app for app, _, _ in workers]))
    for app, _, db in workers:
        close(app, db)

    assert len({json.dumps(keys) for keys in sets}) == 1
    assert len(sets[0]) == 2


# --- the commands -----------------------------------------------------------------------------------------
@pytest.fixture
def command(app):
    def run(*words):
        return app.test_cli_runner().invoke(args=["oauth2", *words])

    return run


def test_key_list_shows_what_each_key_is_for(app, clock, ask_token, command):
    ask_token()
    clock.move(76 * DAY)

    shown = json.loads(command("key", "list", "--json").output)

    assert [row["state"] for row in shown] == ["signs", "announced"]
    assert shown[0]["published_until"] == shown[1]["signs_from"] + 14 * DAY
    assert "SIGNS FROM" in command("key", "list").output


def test_rotate_announces_the_next_key(app, ask_token, command, clock):
    first = jose.parse(ask_token().json["access_token"], max_bytes=8192).kid

    assert command("key", "rotate").exit_code == 0
    assert len(fetch_jwks(app)) == 2
    assert jose.parse(ask_token().json["access_token"], max_bytes=8192).kid == first
    clock.move(14 * DAY)
    assert jose.parse(ask_token().json["access_token"], max_bytes=8192).kid != first


def test_rotate_now_signs_with_another_key_at_once(app, ask_token, command):
    first = jose.parse(ask_token().json["access_token"], max_bytes=8192).kid

    assert command("key", "rotate", "--now").exit_code == 0
    assert jose.parse(ask_token().json["access_token"], max_bytes=8192).kid != first
    assert first in [key["kid"] for key in fetch_jwks(app)]


def test_rotate_now_prefers_the_key_that_is_announced_already(app, ask_token, command):
    ask_token()
    command("key", "rotate")
    announced = fetch_jwks(app)[1]["kid"]
    command("key", "rotate", "--now")

    assert jose.parse(ask_token().json["access_token"], max_bytes=8192).kid == announced
    assert len(fetch_jwks(app)) == 2


@pytest.mark.parametrize("words", [("--dry-run",), ("--now", "--dry-run")])
def test_dry_run_changes_nothing(words, app, ask_token, command):
    ask_token()
    before = fetch_jwks(app)

    answer = command("key", "rotate", *words)

    assert "Nothing was changed" in answer.output
    assert fetch_jwks(app) == before


def test_retired_key_is_gone_and_another_signs(app, ask_token, command):
    first = jose.parse(ask_token().json["access_token"], max_bytes=8192).kid

    assert command("key", "retire", first, "--yes").exit_code == 0
    assert first not in [key["kid"] for key in fetch_jwks(app)]
    assert jose.parse(ask_token().json["access_token"], max_bytes=8192).kid != first


def test_kid_that_begins_with_a_dash_is_no_option(command):
    assert "No key '-nope' is in use" in command("key", "retire", "-nope", "--yes").output


def test_unknown_key_cannot_be_retired(command):
    answer = command("key", "retire", "nope", "--yes")

    assert answer.exit_code == 2
    assert "No key 'nope' is in use" in answer.output


def test_reencrypted_keys_need_the_old_secret_no_longer(tmp_path, clock):
    url, new = f"sqlite:///{tmp_path}/as.sqlite", "another secret for tests, long enough"
    first = make_app(url)
    kid = fetch_jwks(first[0])[0]["kid"]
    both = make_app(url, SECRET_KEY=new, SECRET_KEY_FALLBACKS=[SECRET])
    assert "1 key is encrypted" in both[0].test_cli_runner().invoke(args=["oauth2", "key", "reencrypt"]).output

    alone = make_app(url, SECRET_KEY=new)

    assert fetch_jwks(alone[0])[0]["kid"] == kid
    for app, _, db in (first, both, alone):
        close(app, db)


def test_purge_deletes_private_keys_that_are_no_longer_published(app, clock, ask_token, command, tmp_path):
    ask_token()
    clock.move(76 * DAY)
    fetch_jwks(app)
    clock.move(30 * DAY)

    assert command("purge").exit_code == 0
    with sqlite3.connect(tmp_path / "as.sqlite") as database:
        slots = [row[0] for row in database.execute("SELECT slot FROM oauth2_server_key ORDER BY slot")]
    database.close()
    assert slots == [2]


def test_key_that_takes_long_to_make_is_dated_by_one_look_at_the_clock(app, clock, monkeypatch):
    def make_slowly(alg):
        clock.move(2)
        return generate(alg)

    generate = jose.generate_private_key
    monkeypatch.setattr(jose, "generate_private_key", make_slowly)

    assert len(fetch_jwks(app)) == 1
