"""The key that a token is bound to: its ``cnf`` claim (RFC 9449 §6.1, RFC 7800 §3)."""

from typing import Any

from ..jose.jose import Claims, JoseProblem
from .proof import DPoPProof


def build_confirmation(proof: DPoPProof | None) -> dict[str, Any]:
    """The ``cnf`` claim of a token; empty for a Bearer token (RFC 9449 §6.1)."""
    return {"cnf": {"jkt": proof.thumbprint}} if proof else {}


def load_jkt(claims: Claims) -> str | None:
    """The thumbprint that a token is bound to; ``None`` for a token that is not bound (RFC 7800 §3.1).

    :raises JoseProblem: ``cnf`` is malformed, or has only confirmation methods that are not supported here.
    """
    if "cnf" not in claims:
        return None
    confirmation = claims["cnf"]
    jkt = confirmation.get("jkt") if isinstance(confirmation, dict) else None
    if not isinstance(jkt, str) or not jkt:
        raise JoseProblem("cnf holds no jkt that can be checked", cause="cnf")
    return jkt
