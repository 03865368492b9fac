"""JWTs and keys, for all other modules: they import ``jose`` and no further.

``compact.py`` takes JWTs apart, ``claims.py`` checks what they say, ``keys.py`` reads keys, and ``signatures.py``
verifies and signs. Only the last two call joserfc.
"""

from .claims import (
    check_audience,
    check_begun,
    check_claim,
    check_expiry,
    check_life,
    check_times,
    require_audience,
    require_date,
    require_jti,
    require_text,
    shorten,
)
from .compact import (
    JWT,
    Claims,
    JoseProblem,
    b64url,
    check_header,
    decode_unverified,
    load_json_object,
    parse,
    read,
    read_date,
)
from .keys import (
    PRIVATE_MEMBERS,
    RSA_MAX_BITS,
    RSA_MIN_BITS,
    PrivateKey,
    PublicKey,
    check_purpose,
    generate_private_key,
    import_private_key,
    import_public_jwk,
    import_public_pem,
    public_key_of,
)
from .signatures import encode_head, sign, sign_with_head, verify

__all__ = [
    "JWT",
    "PRIVATE_MEMBERS",
    "RSA_MAX_BITS",
    "RSA_MIN_BITS",
    "Claims",
    "JoseProblem",
    "PrivateKey",
    "PublicKey",
    "b64url",
    "check_audience",
    "check_begun",
    "check_claim",
    "check_expiry",
    "check_header",
    "check_life",
    "check_purpose",
    "check_times",
    "decode_unverified",
    "encode_head",
    "generate_private_key",
    "import_private_key",
    "import_public_jwk",
    "import_public_pem",
    "load_json_object",
    "parse",
    "public_key_of",
    "read",
    "read_date",
    "require_audience",
    "require_date",
    "require_jti",
    "require_text",
    "shorten",
    "sign",
    "sign_with_head",
    "verify",
]
