"""The cache of verified tokens: it makes requests faster, but accepts nothing more."""

import pytest

from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.tokens.verified_tokens import MAX_BYTES, VerifiedTokens

EVERY_FRAMEWORK = True

OLD, NEW = ("old",), ("new",)


def test_a_token_is_found_with_the_keys_it_was_verified_with():
    cache = VerifiedTokens()
    cache.add("token", OLD, "what it says")

    assert cache.find("token", lambda: OLD) == "what it says"
    assert cache.find("other", lambda: OLD) is None


def test_a_token_is_not_found_with_other_keys():
    cache = VerifiedTokens()
    cache.add("token", OLD, "what it says")

    assert cache.find("token", lambda: NEW) is None
    assert cache.find("token", lambda: OLD) is None


def test_the_least_recently_used_token_goes_first():
    cache = VerifiedTokens(capacity=2)
    for token in ("a", "b"):
        cache.add(token, OLD, token)
    cache.find("a", lambda: OLD)
    cache.add("c", OLD, "c")

    assert [cache.find(token, lambda: OLD) for token in ("a", "b", "c")] == ["a", None, "c"]


def test_long_tokens_take_no_more_memory_than_many_short_ones():
    cache = VerifiedTokens()
    for number in range(100):
        cache.add(f"{number}" + "x" * 60_000, OLD, number)

    assert cache.find("99" + "x" * 60_000, lambda: OLD) == 99
    assert cache.find("0" + "x" * 60_000, lambda: OLD) is None
    assert cache.entries.weight <= MAX_BYTES


def test_no_token_is_kept_in_clear():
    cache = VerifiedTokens()
    cache.add("a-secret-token", OLD, "what it says")

    assert "a-secret-token" not in repr(cache.entries._kept)


@pytest.fixture
def verifications(monkeypatch):
    """Counts signature checks."""
    seen, verify = [], jose.verify
    monkeypatch.setattr(jose, "verify", lambda jwt, key: seen.append(jwt) or verify(jwt, key))
    return seen


def test_the_signature_of_a_token_is_checked_once(call, build_token, verifications):
    token = build_token()
    statuses = [call.bearer(token).status_code for _ in range(3)]

    assert (statuses, len(verifications)) == ([200] * 3, 1)


def test_it_is_not_checked_again_while_the_issuer_has_the_same_keys(call, build_token, verifications, issuer, clock):
    token = build_token()
    call.bearer(token)
    clock.move(300)

    assert (call.bearer(token).status_code, len(verifications)) == (200, 1)
    assert issuer.fetches == 2


def test_it_is_checked_again_when_the_issuers_keys_change(
    call, build_token, verifications, issuer, issuer_key, keys, clock
):
    token = build_token()
    call.bearer(token)
    issuer.publish(issuer_key, keys("ES256", "new"))
    clock.move(300)

    assert (call.bearer(token).status_code, len(verifications)) == (200, 2)


def test_a_refused_token_is_checked_every_time(call, build_token, verifications, keys, issuer_key):
    token = build_token(key=keys("ES256", "thief"), header={"kid": issuer_key.public.thumbprint})
    statuses = [call.bearer(token).status_code for _ in range(2)]

    assert (statuses, len(verifications)) == ([401] * 2, 2)


def test_time_is_checked_every_time(call, build_token, clock):
    token = build_token(exp=clock.now + 100)
    assert call.bearer(token).status_code == 200
    clock.move(110)

    assert call.bearer(token).status_code == 401


def test_the_proof_is_checked_every_time(call, build_token, build_proof, proof_key, keys):
    token = build_token(bound_to=proof_key)
    assert call.dpop(token).status_code == 200

    assert call.dpop(token, proof=build_proof(token, key=keys("ES256", "thief"))).status_code == 401


def test_an_altered_copy_of_a_known_token_is_refused(call, build_token):
    token = build_token()
    assert call.bearer(token).status_code == 200

    assert call.bearer(token[:-4] + "AAAA").status_code == 401
