"""Public and private keys: read, make and name them (RFC 7517, RFC 7638)."""

from binascii import a2b_base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from joserfc.jwk import ECKey, OKPKey, RSAKey

from ..settings.values import ASYMMETRIC_ALGS, HMAC_ALGS
from .compact import Claims, JoseProblem, b64url, decode_base64url, encode_json, load_json_object
from .plain_text import tidy
from .private_keys import decode_base64_key, is_key_material, load_native_key
from .unset import without_unset

RSA_MIN_BITS = 2048
RSA_MAX_BITS = 8192
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""Members only a private or symmetric JWK has (RFC 7518 §6)."""
_PUBLIC_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_EC_ALGS = {curve: frozenset({alg}) for curve, alg in _CURVES.items()}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key, imported once and checked (RFC 7517)."""

    native: Any
    kty: Literal["EC", "OKP", "RSA"]
    """Its type (RFC 7518 §6.1)."""
    algs: frozenset[str]
    """The signature algorithms that this key may verify, by its type, its curve and its ``alg`` member."""
    kid: str | None
    """Its name (RFC 7517 §4.5), if it has one."""
    thumbprint: str
    """RFC 7638 SHA-256 thumbprint, base64url: the ``jkt``."""
    jwk: Claims
    """Only the members that RFC 7638 requires, in its order."""

    def fits(self, alg: str) -> bool:
        """Whether this key may verify *alg*."""
        return alg in self.algs


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private key with the algorithm it signs with."""

    native: Any
    alg: str
    """The algorithm it signs with (RFC 7518 §3.1)."""
    public: PublicKey
    """Its public key."""

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
        """The public JWK for a JWKS: ``use`` sig, ``alg``, ``kid`` (the thumbprint unless the key has one).

        :param members: Members to add or to replace.
        """
        kid = self.public.kid or self.public.thumbprint
        return {**self.public.jwk, "use": "sig", "alg": self.alg, "kid": kid, **members}


@dataclass(frozen=True, slots=True)
class SymmetricKey:
    """A secret that a client shares with the server, with the one algorithm it is for.

    It has a class of its own: no function that verifies with a public key takes it, and none that takes it verifies
    with a public key.
    """

    octets: bytes = field(repr=False)
    """The key itself (RFC 7518 §6.4.1)."""
    alg: str
    """The algorithm of the signatures it verifies: HS256, HS384 or HS512."""
    kid: str | None = None
    """Its name (RFC 7517 §4.5), if it has one."""

    def fits(self, alg: str) -> bool:
        """Whether this key may verify *alg*."""
        return alg == self.alg


def import_symmetric_key(source: "str | Mapping[str, Any]", *, alg: str | None = None) -> SymmetricKey:
    """Import a shared secret for HMAC (RFC 7518 §3.2).

    :param source: A JWK with ``kty: oct``, or any other string, whose UTF-8 octets are the key.
    :param alg: The algorithm; default: the JWK's ``alg``, else HS256.
    :raises JoseProblem: The key is shorter than the algorithm's hash, is a public or private key of another kind, or is
        not for signatures; the message quotes nothing of it.
    """
    members = source if isinstance(source, Mapping) else _find_jwk(source)
    if members is None:
        assert isinstance(source, str)
        octets = _encode(source)
    else:
        members = without_unset(members)
        octets = _read_octets(members)
    named = (members or {}).get("alg")
    chosen = alg or named or "HS256"
    if not isinstance(chosen, str) or chosen not in HMAC_ALGS or named not in (None, chosen):
        raise JoseProblem(f"alg {str(named or alg)[:20]!r} is not {alg or ' or '.join(HMAC_ALGS)}", cause="alg")
    if len(octets) < HMAC_ALGS[chosen]:
        raise JoseProblem(
            f"the secret has {len(octets)} octets, and {chosen} needs {HMAC_ALGS[chosen]}", cause="too_short"
        )
    check_not_a_key(octets)
    kid = (members or {}).get("kid")
    return SymmetricKey(octets, chosen, kid if isinstance(kid, str) else None)


def check_not_a_key(secret: bytes) -> None:
    """Refuse a public or private key as a secret: everybody has the public key, and could sign with it.

    :raises JoseProblem: It is a key or a certificate, in PEM, OpenSSH, DER or JWK, or base64 of one.
    """
    text = tidy(secret)
    for data in (text, tidy(decode_base64_key(text) or text)):
        if is_key_material(data) or _is_jwk(data):
            raise JoseProblem("it is a key or a certificate, and no secret", cause="is_a_key")


def _is_jwk(data: bytes) -> bool:
    """Whether *data* is a JWK or a JWK Set. One random secret in 256 begins with a brace."""
    if not data.lstrip().startswith(b"{"):
        return False
    try:
        return not {"kty", "keys"}.isdisjoint(load_json_object(data, "key"))
    except JoseProblem:
        return False


def _find_jwk(text: str) -> Mapping[str, Any] | None:
    """The members of *text* if it is a JSON object: then only the octets in it are the secret."""
    return load_json_object(text, "key") if text.lstrip().startswith("{") else None


def _read_octets(members: Mapping[str, Any]) -> bytes:
    """The octets of a JWK with ``kty: oct``."""
    if members.get("kty") != "oct" or not isinstance(members.get("k"), str):
        raise JoseProblem("the JWK is not a secret: its kty is not oct, or it has no k", cause="kty")
    check_purpose(members)
    return decode_base64url(members["k"], "k of the JWK")


def _encode(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        raise JoseProblem("the secret is not Unicode", cause="not_unicode") from None


def import_public_jwk(jwk: object) -> PublicKey:
    """Import one public signature key from a JWK (RFC 7517 §4).

    :raises JoseProblem: It is not a public key for signatures with a supported algorithm.
    """
    if not isinstance(jwk, Mapping):
        raise JoseProblem("the key is not a JSON object", cause="not_object")
    if found := PRIVATE_MEMBERS & jwk.keys():
        raise JoseProblem(f"the key holds private members {sorted(found)}", cause="private")
    kty = jwk.get("kty")
    if not isinstance(kty, str) or kty not in _PUBLIC_MEMBERS:
        raise JoseProblem(f"kty {kty!r} is not EC, OKP or RSA", cause="kty")
    members = {name: jwk.get(name) for name in _PUBLIC_MEMBERS[kty]}
    for name in (*members, "kid", "alg", "use"):
        if not isinstance(jwk.get(name, "" if name not in members else None), str):
            raise JoseProblem(f"member {name} of the key is missing or not text", cause=f"{name}_missing")
    check_purpose(jwk)
    return _wrap_public(_import(members), kid=jwk.get("kid"), alg=jwk.get("alg"), members=members)


def check_purpose(jwk: Mapping[str, Any]) -> None:
    """Check that ``use`` and ``key_ops`` allow verifying signatures (RFC 7517 §4.2, §4.3).

    :raises JoseProblem: They do not.
    """
    if jwk.get("use", "sig") != "sig":
        raise JoseProblem(f"the key's use is {jwk['use']!r}, not sig", cause="use")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise JoseProblem("the key's key_ops do not hold verify", cause="key_ops")


def import_private_key(
    source: "str | bytes | Mapping[str, Any]", *, alg: str | None = None, password: str | None = None
) -> PrivateKey:
    """Import a private key from a JWK, PEM or another usual format.

    :param source: A JWK, or a JWK Set with one private key, as a mapping or as JSON; or PEM, OpenSSH, DER or PKCS #12,
        as :func:`~.private_keys.load_native_key` reads them; or the base64 of any of these.
    :param alg: The algorithm to sign with; default: the JWK's ``alg``, else the usual algorithm of the key's type
        (ES256, ES384, ES512 by curve, PS256 for RSA, EdDSA for Ed25519).
    :param password: The password of an encrypted key.
    :raises JoseProblem: It is not a private key, the password is wrong, or the algorithm does not fit the key.
    """
    members: Mapping[str, Any] = {}
    if not isinstance(source, Mapping):
        text = tidy(source.encode("utf-8", "replace") if isinstance(source, str) else source)
        text = tidy(decode_base64_key(text) or text)
        if text.lstrip()[:1] == b"{":
            source = load_json_object(text, "key")
    if isinstance(source, Mapping):
        members = _one_private_jwk(source)
        native = _import(members)
    else:
        native = _from_cryptography(load_native_key(text, password))
    kid = members.get("kid")
    public = _wrap_public(_public_half(native), kid=kid if isinstance(kid, str) else None, alg=None, members=None)
    chosen = alg or members.get("alg") or _usual_alg(native)
    if not isinstance(chosen, str) or chosen not in public.algs:
        raise JoseProblem(f"alg {chosen!r} does not fit the key; it can do {', '.join(sorted(public.algs))}")
    return PrivateKey(native, chosen, public)


def _one_private_jwk(source: Mapping[str, Any]) -> dict[str, Any]:
    """*source* if it is a private JWK, or the only private JWK in it if it is a JWK Set."""
    members = without_unset(source)
    if isinstance(given := source.get("keys"), list):
        entries = [without_unset(entry) for entry in given if isinstance(entry, Mapping)]
        private = [entry for entry in entries if "d" in entry]
        if len(private) != 1:
            raise JoseProblem(f"a JWK Set with {len(private)} private keys: give the JWK of the one that is meant")
        members = private[0]
    if not isinstance(members.get("d"), str):
        raise JoseProblem("the JWK is not a private key: it has no d")
    return members


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
        native = load_pem_public_key(tidy(pem))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise JoseProblem("not a public key in PEM") from error
    return public_key_of(native)


_EC_CURVES: dict[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
_NOT_URLSAFE = frozenset("+/=")
_CLASSES: dict[str, Any] = {"EC": ECKey, "OKP": OKPKey, "RSA": RSAKey}


def _import(members: Mapping[str, Any]) -> Any:
    kty = members.get("kty")
    if not isinstance(kty, str) or kty not in _CLASSES:
        raise JoseProblem(f"kty {str(kty)[:20]!r} is not EC, OKP or RSA", cause="kty")
    wanted = (*_PUBLIC_MEMBERS[kty], "d", "p", "q", "dp", "dq", "qi")
    try:
        if kty == "RSA":
            _check_rsa_text(members)
        if kty == "EC" and "d" not in members and (curve := _EC_CURVES.get(members["crv"])):
            return ECKey.import_key(_read_point(curve, members["x"], members["y"]))
        return _CLASSES[kty].import_key({name: members[name] for name in wanted if name in members})
    except JoseProblem:
        raise
    except Exception as error:  # joserfc and cryptography raise many types for a malformed key
        raise JoseProblem(f"the {kty} key cannot be imported: {type(error).__name__}", cause="not_importable") from None


def _read_point(curve: ec.EllipticCurve, *texts: str) -> ec.EllipticCurvePublicKey:
    """A public EC key (RFC 7518 §6.2.1), in a third of joserfc's time: every process does it once for each key.

    :param texts: Its ``x`` and ``y``.
    :raises ValueError: The point is not on the curve, or not base64url.
    """
    if any(not _NOT_URLSAFE.isdisjoint(text) for text in texts):
        raise ValueError("base64, but not base64url without padding")
    plain = (text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4) for text in texts)
    x, y = (int.from_bytes(a2b_base64(text)) for text in plain)
    return ec.EllipticCurvePublicNumbers(x, y, curve).public_key()


def _check_rsa_text(members: Mapping[str, Any]) -> None:
    # Checked before any big-number arithmetic: a huge modulus or exponent makes one verification very slow.
    _check_rsa_bits((len(str(members.get("n"))) * 6) & ~7)
    if len(str(members.get("e"))) > 6:
        raise JoseProblem("the RSA exponent is larger than 32 bits", cause="rsa_exponent")


def _from_cryptography(key: object) -> Any:
    if isinstance(key, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)):
        if key.curve.name not in ("secp256r1", "secp384r1", "secp521r1"):  # joserfc raises KeyError for some others
            raise JoseProblem(f"the curve {key.curve.name} is not P-256, P-384 or P-521", cause="curve")
        return ECKey.import_key(key)
    if isinstance(key, (ed25519.Ed25519PrivateKey, ed25519.Ed25519PublicKey)):
        return OKPKey.import_key(key)
    if isinstance(key, (rsa.RSAPrivateKey, rsa.RSAPublicKey)):
        _check_rsa_bits(key.key_size)
        return RSAKey.import_key(key)
    raise JoseProblem(f"a {type(key).__name__} is not an EC, Ed25519 or RSA key")


def _check_rsa_bits(bits: int) -> None:
    if not RSA_MIN_BITS <= bits <= RSA_MAX_BITS:
        raise JoseProblem(f"the RSA key is not {RSA_MIN_BITS} to {RSA_MAX_BITS} bits long", cause="rsa_size")


def _public_half(native: Any) -> Any:
    return _from_cryptography(native.public_key)


def _usual_alg(native: Any) -> str:
    if native.key_type == "EC":
        return _CURVES.get(native.curve_name, "none")
    return {"OKP": "EdDSA", "RSA": "PS256"}[native.key_type]


def _algs_of(native: Any) -> frozenset[str]:
    if native.key_type == "EC":
        return _EC_ALGS.get(native.curve_name, frozenset())
    if native.key_type == "OKP":
        return frozenset({"EdDSA", "Ed25519"} if native.curve_name == "Ed25519" else ())
    _check_rsa_bits(native.raw_value.key_size)
    return frozenset({"PS256", "PS384", "PS512", "RS256", "RS384", "RS512"})


def _wrap_public(native: Any, *, kid: str | None, alg: str | None, members: Mapping[str, Any] | None) -> PublicKey:
    """Wrap a key of joserfc.

    :param members: Exactly the members that RFC 7638 requires, in its order, if they are known.
    """
    algs = _algs_of(native)
    if alg is not None:
        # RFC 9864 gave EdDSA with the curve Ed25519 the name Ed25519: a key for one of the two may verify the other.
        named = {"EdDSA", "Ed25519"} if alg in ("EdDSA", "Ed25519") else {alg}
        algs &= named
    if not algs:
        raise JoseProblem("no signature algorithm of ours fits the key", cause="no_alg")
    canonical = members
    if canonical is None:
        dictionary = native.as_dict(private=False)
        canonical = {name: dictionary[name] for name in _PUBLIC_MEMBERS[native.key_type]}
    thumbprint = b64url(sha256(encode_json(canonical).encode()).digest())  # RFC 7638 §3: these members, in this order
    return PublicKey(native, native.key_type, algs, kid, thumbprint, canonical)
