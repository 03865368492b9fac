"""The key of a proof is imported once, and who makes up keys takes no memory."""

import pytest

from flask_private_key_jwt.dpop import proof
from flask_private_key_jwt.dpop.proof import LONGEST_CACHED_HEADER
from flask_private_key_jwt.errors import InvalidDPoPProof
from flask_private_key_jwt.jose import jose
from tests.conftest import TOKEN_URL
from tests.dpop.proofs import assert_refused


@pytest.fixture
def imported(monkeypatch):
    """The keys that were imported."""
    imported = []
    real = jose.import_public_jwk

    def note(jwk):
        imported.append(jwk)
        return real(jwk)

    monkeypatch.setattr(jose, "import_public_jwk", note)
    return imported


def test_key_is_imported_once_for_all_of_its_proofs(check, build_dpop, imported, proof_key):
    thumbprints = {check(build_dpop(jti=f"jti-{number}")).thumbprint for number in range(3)}

    assert thumbprints == {proof_key.public.thumbprint}
    assert len(imported) == 1


def test_key_of_another_algorithm_or_header_is_imported_anew(check, build_dpop, keys, imported):
    check(build_dpop())
    check(build_dpop(header={"x": 1}))
    check(build_dpop(key=keys("ES384", "proof")))

    assert len(imported) == 3


def test_known_key_does_not_spare_the_signature(check, build_dpop, keys):
    check(build_dpop())
    head, _, rest = build_dpop().partition(".")
    _, _, rest_of_another = build_dpop(key=keys("ES256", "another")).partition(".")

    assert_refused(check, f"{head}.{rest_of_another}", "proof_signature")
    check(f"{head}.{rest}")


def test_key_whose_signature_does_not_verify_is_not_kept(check, build_dpop, imported):
    text = build_dpop()
    for _ in range(2):
        with pytest.raises(InvalidDPoPProof):
            check(text[:-8] + "AAAAAAAA")
    check(text)
    check(build_dpop())

    assert len(imported) == 3


def test_key_that_is_not_the_token_s_is_not_kept(check, build_dpop, imported, proof_key, keys):
    for _ in range(2):
        check(build_dpop(key=keys("ES256", "another")), jkt=proof_key.public.thumbprint)
    for _ in range(2):
        check(build_dpop(), jkt=proof_key.public.thumbprint)

    assert len(imported) == 3


def test_header_that_is_longer_than_a_key_needs_is_not_kept(check, build_dpop, imported):
    for _ in range(2):
        check(build_dpop(header={"x": "x" * LONGEST_CACHED_HEADER}))

    assert len(imported) == 2


def test_memory_for_keys_is_bounded(make_checker, build_dpop, monkeypatch):
    monkeypatch.setattr(proof, "KEY_CACHE_BYTES", 1 << 18)
    checker = make_checker()
    for number in range(100):
        checker.check(build_dpop(header={"x": number}), method="POST", url=TOKEN_URL)

    assert checker._known.weight <= 1 << 18
    assert 10 < len(checker._known) < 100
