"""jose/certificates.py: what is read, what is refused, what is written."""

import base64
import contextlib
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.certificates import (
    MAX_CERTIFICATE_BYTES,
    build_self_signed,
    certificate_of_jwk,
    jwk_of,
    load_certificate,
)
from flask_private_key_jwt.jose.jose import JoseProblem

NOW = 1_800_000_000
DAY = 86400


@pytest.fixture(scope="module")
def key():
    return jose.generate_private_key("ES256")


@pytest.fixture(scope="module")
def other_key():
    return jose.generate_private_key("ES256")


@pytest.fixture(scope="module")
def pem(key):
    return build_self_signed(key, common_name="billing", days=30, now=NOW)


@pytest.fixture(scope="module")
def der(pem):
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


# --- reading --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", ["pem", "pem text", "base64", "base64 in lines", "der"])
def test_a_certificate_is_read_in_every_shape_it_comes_in(shape, pem, der, key):
    text = {
        "pem": pem,
        "pem text": "subject=CN = billing\n" + pem.decode(),
        "base64": base64.b64encode(der).decode(),
        "base64 in lines": base64.encodebytes(der),
        "der": der,
    }[shape]

    certificate = load_certificate(text)

    assert certificate.public_key.thumbprint == key.public.thumbprint
    assert certificate.der == base64.b64encode(der).decode()


def test_the_three_thumbprints_are_those_of_the_der(pem, der):
    certificate = load_certificate(pem)

    assert certificate.sha1_hex == hashlib.sha1(der).hexdigest().upper()
    assert certificate.x5t == jose.b64url(hashlib.sha1(der).digest())
    assert certificate.x5t_s256 == jose.b64url(hashlib.sha256(der).digest())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "MIIB",
        "é",
        "\ud800",
        b"\x30\x00",
        b"\x30\x82\xff\xff",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----",
        "A" * (MAX_CERTIFICATE_BYTES + 1),
    ],
)
def test_what_is_no_certificate_is_refused(text):
    with pytest.raises(JoseProblem, match="certificate"):
        load_certificate(text)


def test_a_private_key_is_no_certificate(key):
    with pytest.raises(JoseProblem, match="not a certificate"):
        load_certificate(key.as_pem())


def test_bytes_after_the_certificate_are_refused(der):
    with pytest.raises(JoseProblem, match="not a certificate"):
        load_certificate(der + b"\x00")


@pytest.mark.parametrize("curve", [ec.SECP224R1(), ec.SECP256K1()], ids=lambda curve: curve.name)
def test_a_certificate_with_a_foreign_curve_is_refused(curve):
    native = ec.generate_private_key(curve)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "billing")])
    begin = datetime.fromtimestamp(NOW, UTC)
    builder = x509.CertificateBuilder(name, name, native.public_key(), 1, begin, begin + timedelta(days=1))

    with pytest.raises(JoseProblem, match=f"the curve {curve.name} is not"):
        load_certificate(builder.sign(native, hashes.SHA256()).public_bytes(Encoding.PEM))


def test_a_changed_byte_anywhere_is_read_or_refused_but_nothing_else(der):
    for index in range(len(der)):
        with contextlib.suppress(JoseProblem):
            load_certificate(der[:index] + bytes([der[index] ^ 0x81]) + der[index + 1 :])


def test_every_shortened_certificate_is_refused(der):
    for length in range(0, len(der), 7):
        with pytest.raises(JoseProblem):
            load_certificate(der[:length])


# --- lifetime -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("now", "current"), [(NOW - 1, False), (NOW, True), (NOW + 30 * DAY, True), (NOW + 30 * DAY + 1, False)]
)
def test_a_certificate_is_current_from_its_first_second_to_its_last(now, current, pem):
    assert load_certificate(pem).is_current(now) is current


def test_skew_moves_the_beginning_but_never_the_end(pem):
    certificate = load_certificate(pem)

    assert certificate.is_current(NOW - 10, skew=10)
    assert not certificate.is_current(NOW - 11, skew=10)
    assert not certificate.is_current(NOW + 30 * DAY + 1, skew=10)


# --- in a JWK -------------------------------------------------------------------------------------------
def test_a_jwk_without_x5c_has_no_certificate(key):
    assert certificate_of_jwk(key.public_jwk()) is None


def test_the_jwk_of_a_certificate_gives_the_certificate_back(pem):
    certificate = load_certificate(pem)

    assert certificate_of_jwk(jwk_of(certificate)) == certificate


def test_the_jwk_of_a_certificate_is_named_as_dotnet_names_it(pem):
    certificate = load_certificate(pem)

    assert jwk_of(certificate)["kid"] == certificate.sha1_hex
    assert jose.import_public_jwk(jwk_of(certificate)).kid == certificate.sha1_hex


def test_a_certificate_of_another_key_is_refused(pem, other_key):
    jwk = other_key.public_jwk(x5c=[load_certificate(pem).der])

    with pytest.raises(JoseProblem, match="another key"):
        certificate_of_jwk(jwk)


@pytest.mark.parametrize("chain", [None, "", "MIIB", [], {}, [None], [5], [["MIIB"]], [""], ["MIIB"], ["----"]])
def test_a_malformed_x5c_is_refused(chain, key):
    with pytest.raises(JoseProblem):
        certificate_of_jwk(key.public_jwk(x5c=chain))


def test_pem_in_x5c_is_refused(key, pem):
    with pytest.raises(JoseProblem, match="base64 DER"):
        certificate_of_jwk(key.public_jwk(x5c=[pem.decode()]))


@pytest.mark.parametrize("member", ["x5t", "x5t#S256"])
@pytest.mark.parametrize("value", ["AAAA", None, 5])
def test_a_label_that_does_not_fit_costs_the_label_and_not_the_key(member, value, pem, caplog):
    certificate = load_certificate(pem)
    caplog.set_level("INFO")

    assert certificate_of_jwk(jwk_of(certificate) | {member: value}) == certificate
    assert f"the {member} of key {certificate.sha1_hex} is not used" in caplog.text


# --- writing --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "Ed25519", "EdDSA"])
def test_a_self_signed_certificate_holds_the_key_and_verifies_with_it(alg):
    check_self_signed(jose.generate_private_key(alg))


@pytest.mark.parametrize("alg", ["RS256", "PS256"])
def test_a_self_signed_rsa_certificate_holds_the_key_and_verifies_with_it(alg, rsa_key):
    check_self_signed(jose.PrivateKey(rsa_key.native, alg, rsa_key.public))


@pytest.fixture(scope="module")
def rsa_key():
    return jose.generate_private_key("RS256")


def check_self_signed(key):
    pem = build_self_signed(key, common_name="billing", days=1, now=NOW)

    certificate = x509.load_pem_x509_certificate(pem)
    certificate.verify_directly_issued_by(certificate)
    assert load_certificate(pem).public_key.thumbprint == key.public.thumbprint
    assert certificate.subject.rfc4514_string() == "CN=billing"


@pytest.mark.parametrize(("common_name", "days"), [("", 1), ("x" * 65, 1), ("billing", -1), ("billing", 10**9)])
def test_a_certificate_that_cannot_be_written_is_refused(common_name, days, key):
    with pytest.raises(JoseProblem, match="no certificate for"):
        build_self_signed(key, common_name=common_name, days=days, now=NOW)
