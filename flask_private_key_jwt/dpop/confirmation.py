"""Which key a token is bound to: what cnf says (RFC 9449 section 6.1, RFC 7800 section 3)."""

from typing import Any

from ..jose.jose import Claims, JoseProblem
from .proof import DPoPProof


def build_confirmation(proof: DPoPProof | None) -> dict[str, Any]:
    """The ``cnf`` member of a token, or nothing for a Bearer token (RFC 9449 §6.1)."""
    return {"cnf": {"jkt": proof.thumbprint}} if proof else {}


def load_jkt(claims: Claims) -> str | None:
    """The thumbprint a token is bound to; ``None`` for a token that is not bound (RFC 7800 §3.1).

    :raises JoseProblem: ``cnf`` is malformed or names only confirmation methods we cannot check.
    """
    if "cnf" not in claims:
        return None
    confirmation = claims["cnf"]
    jkt = confirmation.get("jkt") if isinstance(confirmation, dict) else None
    if not isinstance(jkt, str) or not jkt:
        raise JoseProblem("cnf holds no jkt that can be checked", cause="cnf")
    return jkt
