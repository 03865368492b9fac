"""The only caller of joserfc: parse, verify and sign compact JWTs, import and export keys (RFC 7515, 7517, 7519).

Parsing is strict and cheap, and happens before any cryptography: size, alphabet, depth, duplicate members and
number ranges are checked here, once, for every JWT this package reads.
"""

import base64
import binascii
import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from ..settings import ASYMMETRIC_ALGS

Claims = Mapping[str, Any]

MAX_DEPTH = 16
RSA_MIN_BITS = 2048
RSA_MAX_BITS = 8192
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""Members only a private or symmetric JWK has (RFC 7518 §6)."""

_COMPACT = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_PUBLIC_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_URLSAFE = bytes.maketrans(b"-_", b"+/")
_encode_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # "EdDSA" is deprecated in favour of "Ed25519" (RFC 9864); we take both
    _ALGORITHMS = {alg: JWSRegistry.algorithms["Ed25519" if alg == "EdDSA" else alg] for alg in ASYMMETRIC_ALGS}


class JoseProblem(ValueError):
    """A JWT or key is unusable; the message is a private reason that quotes foreign text with ``!r``."""


# --- JWT ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class JWT:
    """A parsed compact JWS whose signature is **not** verified yet (RFC 7515 §7.1)."""

    header: Claims
    header_segment: bytes
    claims: Claims
    signing_input: bytes
    signature: bytes

    @property
    def alg(self) -> str:
        """The ``alg`` header parameter; checked to be text."""
        return self.header["alg"]  # type: ignore[no-any-return]

    @property
    def kid(self) -> str | None:
        """The ``kid`` header parameter; checked to be text when present."""
        return self.header.get("kid")

    @property
    def typ(self) -> str | None:
        """The media type of ``typ``, lower case, without ``application/`` (RFC 7515 §4.1.9)."""
        typ: str | None = self.header.get("typ")
        return typ if typ is None else typ.lower().removeprefix("application/")


def parse(token: str, *, max_bytes: int) -> JWT:
    """Take a compact JWS apart without trusting any of it.

    :param max_bytes: Longest accepted token, in bytes.
    :raises JoseProblem: Not a single, well-formed compact JWS with a JSON object as payload.
    """
    if len(token) > max_bytes:
        raise JoseProblem(f"longer than {max_bytes} bytes")
    try:
        match = _COMPACT.fullmatch(token.encode("ascii"))
    except UnicodeEncodeError:
        match = None
    if match is None:
        raise JoseProblem("not a compact JWS of three base64url parts")
    head, payload, signature = match.groups()
    header = _load_object(_unb64(head, "header"), "header")
    check_header(header)
    claims = _load_object(_unb64(payload, "payload"), "payload")
    signing_input = token[: match.end(2)].encode("ascii")
    return JWT(header, head, claims, signing_input, _unb64(signature, "signature"))


def check_header(header: Claims) -> None:
    """Check the JOSE header: text where text belongs, no ``crit``, no ``b64`` (RFC 7515 §4.1, RFC 7797 §6).

    :raises JoseProblem: A header parameter is missing or of the wrong type, or must be understood and is not.
    """
    if not isinstance(header.get("alg"), str):
        raise JoseProblem("header has no alg, or it is not text")
    for name in ("kid", "typ", "cty", "x5t", "x5t#S256"):
        if name in header and not isinstance(header[name], str):
            raise JoseProblem(f"header parameter {name} is not text")
    if "crit" in header or "b64" in header:
        raise JoseProblem("header has crit or b64, of which nothing is supported")


def verify(jwt: JWT, key: "PublicKey") -> bool:
    """Whether *key* made the signature. Check :meth:`PublicKey.fits` first; the algorithm is the JWT's.

    :raises KeyError: The algorithm is not one of ours; callers check it against their allow-list first.
    """
    try:
        return _ALGORITHMS[jwt.alg].verify(jwt.signing_input, jwt.signature, key.native)
    except (JoseError, ValueError):  # e.g. a signature whose r is out of range
        return False


def sign(header: Claims, claims: Claims, key: "PrivateKey") -> str:
    """Make a compact JWS with *key* and its algorithm (RFC 7515 §3.1)."""
    head = _b64(_encode_json({"alg": key.alg, **header}).encode())
    signing_input = head + b"." + _b64(_encode_json(claims).encode())
    signature = _ALGORITHMS[key.alg].sign(signing_input, key.native)
    return (signing_input + b"." + _b64(signature)).decode()


def decode_unverified(token: str) -> tuple[Claims, Claims]:
    """Header and payload of a JWT, for display only.

    :raises JoseProblem: As :func:`parse`.
    """
    jwt = parse(token, max_bytes=1 << 20)
    return jwt.header, jwt.claims


def decode_header(segment: bytes) -> Claims:
    """The header of a JWT that :func:`parse` accepted, from its first part.

    :raises JoseProblem: As :func:`parse`.
    """
    return _load_object(_unb64(segment, "header"), "header")


def load_json_object(text: str | bytes, what: str) -> dict[str, Any]:
    """Parse JSON that must be an object, as strictly as a JWT's parts.

    :raises JoseProblem: Not JSON, not an object, too deep, or a member twice.
    """
    return _load_object(text.encode() if isinstance(text, str) else text, what)


# --- keys -----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key, imported once and checked (RFC 7517)."""

    native: Any
    kty: Literal["EC", "OKP", "RSA"]
    algs: frozenset[str]
    """The signature algorithms this key can verify, given its type, curve and its own ``alg`` member."""
    kid: str | None
    thumbprint: str
    """RFC 7638 SHA-256 thumbprint, base64url: the ``jkt``."""
    jwk: Claims
    """The required public members only, in the order of RFC 7638."""

    def fits(self, alg: str) -> bool:
        """Whether this key may verify *alg*."""
        return alg in self.algs


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key with the algorithm it signs with."""

    native: Any
    alg: str
    public: PublicKey

    def __repr__(self) -> str:
        return f"<PrivateKey {self.alg} {self.public.thumbprint}>"

    def as_jwk(self) -> dict[str, Any]:
        """The private JWK (RFC 7517), with ``alg`` and ``kid``. Keep it secret."""
        return {**self.native.as_dict(private=True), "alg": self.alg, "kid": self.public.kid or self.public.thumbprint}

    def as_pem(self, password: str | None = None) -> bytes:
        """PKCS #8 PEM, encrypted when *password* is given."""
        pem: bytes = self.native.as_pem(private=True, password=password)
        return pem

    def public_jwk(self, **members: Any) -> dict[str, Any]:
        """The public JWK for a JWKS: ``use`` sig, ``alg``, ``kid`` (the thumbprint unless the key has one)."""
        kid = self.public.kid or self.public.thumbprint
        return {**self.public.jwk, "use": "sig", "alg": self.alg, "kid": kid, **members}


def import_public_jwk(jwk: object) -> PublicKey:
    """Import one public signature key from a JWK (RFC 7517 §4).

    :raises JoseProblem: Not a public, asymmetric key for signatures that one of our algorithms can use.
    """
    if not isinstance(jwk, Mapping):
        raise JoseProblem("the key is not a JSON object")
    if found := PRIVATE_MEMBERS & jwk.keys():
        raise JoseProblem(f"the key holds private members {sorted(found)}")
    kty = jwk.get("kty")
    if not isinstance(kty, str) or kty not in _PUBLIC_MEMBERS:
        raise JoseProblem(f"kty {kty!r} is not EC, OKP or RSA")
    members = {name: jwk.get(name) for name in _PUBLIC_MEMBERS[kty]}
    for name in (*members, "kid", "alg", "use"):
        if not isinstance(jwk.get(name, "" if name not in members else None), str):
            raise JoseProblem(f"member {name} of the key is missing or not text")
    check_purpose(jwk)
    return _wrap_public(_import(members), kid=jwk.get("kid"), alg=jwk.get("alg"), members=members)


def check_purpose(jwk: Mapping[str, Any]) -> None:
    """Check that ``use`` and ``key_ops`` allow verifying signatures (RFC 7517 §4.2, §4.3).

    :raises JoseProblem: They do not.
    """
    if jwk.get("use", "sig") != "sig":
        raise JoseProblem(f"the key's use is {jwk['use']!r}, not sig")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise JoseProblem("the key's key_ops do not hold verify")


def import_private_key(
    source: "str | bytes | Mapping[str, Any]", *, alg: str | None = None, password: str | None = None
) -> PrivateKey:
    """Import a private key from PEM text or a JWK.

    :param source: PEM (PKCS #8, PKCS #1 or SEC 1; encrypted with *password*), a JWK, or a JWK as JSON text.
    :param alg: The algorithm to sign with; default: the JWK's ``alg``, else the usual one of the key's type
        (ES256, ES384, ES512 by curve, PS256 for RSA, EdDSA for Ed25519).
    :raises JoseProblem: Not a private key, wrong password, or the algorithm does not fit the key.
    """
    members: Mapping[str, Any] = {}
    if not isinstance(source, Mapping):
        text = source.encode() if isinstance(source, str) else source
        if text.lstrip()[:1] == b"{":
            source = load_json_object(text, "key")
    if isinstance(source, Mapping):
        members = source
        if not isinstance(members.get("d"), str):
            raise JoseProblem("the JWK is not a private key")
        native = _import(members)
    else:
        native = _import_pem(text, password)
    kid = members.get("kid")
    public = _wrap_public(_public_half(native), kid=kid if isinstance(kid, str) else None, alg=None, members=None)
    chosen = alg or members.get("alg") or _usual_alg(native)
    if not isinstance(chosen, str) or chosen not in public.algs:
        raise JoseProblem(f"alg {chosen!r} does not fit the key; it can do {', '.join(sorted(public.algs))}")
    return PrivateKey(native, chosen, public)


def generate_private_key(alg: str, *, rsa_bits: int = RSA_MIN_BITS) -> PrivateKey:
    """Make a new key for *alg*; its ``kid`` is its thumbprint.

    :raises JoseProblem: The algorithm is not one of ours.
    """
    native: Any
    if alg in ("EdDSA", "Ed25519"):
        native = OKPKey.generate_key("Ed25519")
    elif alg in _CURVES.values():
        native = ECKey.generate_key(next(curve for curve, name in _CURVES.items() if name == alg))
    elif alg in ASYMMETRIC_ALGS:
        native = RSAKey.generate_key(rsa_bits)
    else:
        raise JoseProblem(f"alg {alg!r} is not one of {', '.join(ASYMMETRIC_ALGS)}")
    return PrivateKey(native, alg, _wrap_public(_public_half(native), kid=None, alg=None, members=None))


def public_key_of(native: Any) -> PublicKey:
    """Wrap a ``cryptography`` public key, e.g. a certificate's.

    :raises JoseProblem: Not an EC P-256/384/521, Ed25519 or RSA key of an accepted size.
    """
    return _wrap_public(_from_cryptography(native), kid=None, alg=None, members=None)


def import_public_pem(pem: bytes) -> PublicKey:
    """Import a public key from PEM.

    :raises JoseProblem: Not a usable public key.
    """
    try:
        native = load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise JoseProblem("not a public key in PEM") from error
    return public_key_of(native)


# --- inside ---------------------------------------------------------------------------------------------
def _b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def b64url(data: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return _b64(data).decode()


def _unb64(data: bytes, what: str) -> bytes:
    try:
        return binascii.a2b_base64(data.translate(_URLSAFE) + b"=" * (-len(data) % 4), strict_mode=True)
    except binascii.Error:
        raise JoseProblem(f"the {what} is not base64url") from None


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JoseProblem("a JSON member stands twice")
    return members


def _no_constant(name: str) -> None:
    raise JoseProblem(f"{name} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)


def _load_object(data: bytes, what: str) -> dict[str, Any]:
    # Counting openers is a cheap upper bound of the depth; only a suspicious text is walked.
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _depth(data) > MAX_DEPTH:
        raise JoseProblem(f"the {what} is nested deeper than {MAX_DEPTH}")
    try:
        value = _decoder.decode(data.decode("utf-8"))
    except JoseProblem as error:
        raise JoseProblem(f"the {what} is not acceptable: {error}") from None
    except (ValueError, RecursionError):
        raise JoseProblem(f"the {what} is not JSON") from None
    if not isinstance(value, dict):
        raise JoseProblem(f"the {what} is not a JSON object")
    return value


def _depth(data: bytes) -> int:
    depth = deepest = 0
    in_text = escaped = False
    for byte in data:
        if escaped:
            escaped = False
        elif in_text:
            escaped = byte == 0x5C
            in_text = byte != 0x22
        elif byte == 0x22:
            in_text = True
        elif byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


_CLASSES: dict[str, Any] = {"EC": ECKey, "OKP": OKPKey, "RSA": RSAKey}


def _import(members: Mapping[str, Any]) -> Any:
    kty = members.get("kty")
    if not isinstance(kty, str) or kty not in _CLASSES:
        raise JoseProblem(f"kty {kty!r} is not EC, OKP or RSA")
    wanted = (*_PUBLIC_MEMBERS[kty], "d", "p", "q", "dp", "dq", "qi")
    try:
        if kty == "RSA":
            _check_rsa_text(members)
        return _CLASSES[kty].import_key({name: members[name] for name in wanted if name in members})
    except JoseProblem:
        raise
    except Exception as error:  # joserfc and cryptography raise many types for a malformed key
        raise JoseProblem(f"the {kty} key cannot be imported: {type(error).__name__}") from None


def _check_rsa_text(members: Mapping[str, Any]) -> None:
    # Bounded before any big-number arithmetic: a huge modulus or exponent makes one verification very slow.
    _check_rsa_bits((len(str(members.get("n"))) * 6) & ~7)
    if len(str(members.get("e"))) > 6:
        raise JoseProblem("the RSA exponent is larger than 32 bits")


def _import_pem(pem: bytes, password: str | None) -> Any:
    try:
        native = load_pem_private_key(pem, password.encode() if password else None)
    except TypeError as error:
        raise JoseProblem(
            "the PEM is encrypted: give its password"
            if password is None
            else "the PEM is not encrypted, but a password was given"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise JoseProblem("not a private key in PEM, or the wrong password") from error
    return _from_cryptography(native)


def _from_cryptography(key: object) -> Any:
    if isinstance(key, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)):
        if key.curve.name not in ("secp256r1", "secp384r1", "secp521r1"):  # joserfc raises KeyError for some others
            raise JoseProblem(f"the curve {key.curve.name} is not P-256, P-384 or P-521")
        return ECKey.import_key(key)
    if isinstance(key, (ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey)):
        return OKPKey.import_key(key)
    if isinstance(key, (rsa.RSAPrivateKey, rsa.RSAPublicKey)):
        _check_rsa_bits(key.key_size)
        return RSAKey.import_key(key)
    raise JoseProblem(f"a {type(key).__name__} is not an EC, Ed25519 or RSA key")


def _check_rsa_bits(bits: int) -> None:
    if not RSA_MIN_BITS <= bits <= RSA_MAX_BITS:
        raise JoseProblem(f"the RSA key is not {RSA_MIN_BITS} to {RSA_MAX_BITS} bits long")


def _public_half(native: Any) -> Any:
    return _from_cryptography(native.public_key)


def _usual_alg(native: Any) -> str:
    if native.key_type == "EC":
        return _CURVES.get(native.curve_name, "none")
    return {"OKP": "EdDSA", "RSA": "PS256"}[native.key_type]


def _algs_of(native: Any) -> frozenset[str]:
    if native.key_type == "EC":
        return frozenset({_CURVES[native.curve_name]} if native.curve_name in _CURVES else ())
    if native.key_type == "OKP":
        return frozenset({"EdDSA", "Ed25519"} if native.curve_name == "Ed25519" else ())
    _check_rsa_bits(native.raw_value.key_size)
    return frozenset({"PS256", "PS384", "PS512", "RS256", "RS384", "RS512"})


def _wrap_public(native: Any, *, kid: str | None, alg: str | None, members: Mapping[str, Any] | None) -> PublicKey:
    algs = _algs_of(native)
    if alg is not None:
        # RFC 9864 renamed EdDSA with Ed25519 to Ed25519: a key that names one may verify the other.
        named = {"EdDSA", "Ed25519"} if alg in ("EdDSA", "Ed25519") else {alg}
        algs &= named
    if not algs:
        raise JoseProblem("no signature algorithm of ours fits the key")
    dictionary = native.as_dict(private=False) if members is None else members
    canonical = {name: dictionary[name] for name in _PUBLIC_MEMBERS[native.key_type]}
    return PublicKey(native, native.key_type, algs, kid, native.thumbprint(), canonical)
