"""A proof checker without an app around it, and valid proofs for it to change one thing of."""

from collections.abc import Callable
from typing import Any

import pytest

from flask_private_key_jwt.dpop.nonce import Nonces
from flask_private_key_jwt.dpop.proof import ProofChecker
from flask_private_key_jwt.jose.derived import Secrets
from flask_private_key_jwt.settings.shared import SharedSettings
from tests.conftest import ISSUER, SECRET, TOKEN_URL


@pytest.fixture
def nonces() -> Nonces:
    return Nonces(Secrets((SECRET,)), purpose="as", lifetime=300)


@pytest.fixture
def make_checker() -> Callable[..., ProofChecker]:
    """``make_checker(nonces, DPOP_PROOF_LIFETIME_SECONDS=…)``."""
    return lambda nonces=None, **settings: ProofChecker(
        SharedSettings(ISSUER=ISSUER, **settings), nonces, server=ISSUER
    )


@pytest.fixture
def check(make_checker: Callable[..., ProofChecker]) -> Callable[..., Any]:
    """Check a proof as the token endpoint does; ``url`` and the rest may be changed."""
    checker = make_checker()

    def check(proof: str, **options: Any) -> Any:
        return checker.check(proof, **{"method": "POST", "url": TOKEN_URL, **options})

    return check
