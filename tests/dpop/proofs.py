"""Take proofs apart, and the one way a proof is refused."""

import base64
import json

import pytest

from flask_private_key_jwt.errors import InvalidDPoPProof


def b64(value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def assert_refused(check, proof, cause, *, says="", **options):
    """The proof is refused for this cause; the reason begins as *says*."""
    with pytest.raises(InvalidDPoPProof) as refused:
        check(proof, **options)
    assert type(refused.value) is InvalidDPoPProof
    assert refused.value.cause == cause, refused.value.reason
    assert refused.value.reason.startswith(says), refused.value.reason
