"""client/key.py, client/certificate.py: what a client's key may be kept in; what is none is an error at once."""

import base64
import contextlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from flask_private_key_jwt.client import load_key
from flask_private_key_jwt.client.certificate import load_client_certificate
from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.keys.certificates import build_self_signed, load_certificate

DAY = 86400


# --- keys -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", ["path", "path text", "pem text", "pem", "jwk", "jwk text", "jwk file", "loaded"])
def test_a_key_is_loaded_from_wherever_it_is_kept(shape, key, tmp_path):
    (tmp_path / "key.pem").write_bytes(key.as_pem())
    (tmp_path / "key.json").write_text(json.dumps(key.as_jwk()))
    source = {
        "path": tmp_path / "key.pem",
        "path text": str(tmp_path / "key.pem"),
        "pem text": key.as_pem().decode(),
        "pem": key.as_pem(),
        "jwk": key.as_jwk(),
        "jwk text": json.dumps(key.as_jwk()),
        "jwk file": tmp_path / "key.json",
        "loaded": key,
    }[shape]

    assert load_key(source).public.thumbprint == key.public.thumbprint


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "PS256", "EdDSA"])
def test_the_algorithm_is_the_usual_one_of_the_key(alg, keys):
    assert load_key(keys(alg).as_pem()).alg == alg


@pytest.mark.parametrize("alg", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_the_algorithm_may_be_given(alg, rsa_key):
    assert load_key(rsa_key.as_pem(), alg=alg).alg == alg
    assert load_key(rsa_key, alg=alg).alg == alg


def test_a_jwk_keeps_its_kid_and_algorithm(rsa_key):
    loaded = load_key(rsa_key.as_jwk() | {"kid": "mine", "alg": "RS384"})

    assert (loaded.alg, loaded.public.kid) == ("RS384", "mine")


@pytest.mark.parametrize("alg", ["RS256", "ES384", "EdDSA", "HS256", "none"])
@pytest.mark.parametrize("shape", ["pem", "loaded"])
def test_an_algorithm_that_does_not_fit_is_refused(alg, shape, key):
    with pytest.raises(ConfigurationError, match="does not fit the key; it can do ES256"):
        load_key(key.as_pem() if shape == "pem" else key, alg=alg)


def test_an_encrypted_key_opens_with_its_password(key):
    assert load_key(key.as_pem("wonderland"), password="wonderland").public.thumbprint == key.public.thumbprint


@pytest.mark.parametrize(
    ("password", "reason"), [(None, "the PEM is encrypted: give its password"), ("wrong", "or the wrong password")]
)
def test_an_encrypted_key_stays_shut_without_it(password, reason, key):
    with pytest.raises(ConfigurationError, match=reason):
        load_key(key.as_pem("wonderland"), password=password)


def test_a_password_for_a_key_that_has_none_is_refused(key):
    with pytest.raises(ConfigurationError, match="the PEM is not encrypted, but a password was given"):
        load_key(key.as_pem(), password="wonderland")


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"garbage",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "{}",
        "{",
        {},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "oct", "d": "c2VjcmV0"},
        {"kty": ["EC"], "d": "AAAA"},
        {"kty": "EC", "crv": "P-256", "d": "AAAA"},
    ],
)
def test_what_is_no_private_key_is_refused(source):
    with pytest.raises(ConfigurationError, match="The private key is not usable"):
        load_key(source)


@pytest.mark.parametrize(
    "native",
    [
        ec.generate_private_key(ec.SECP224R1()),
        ec.generate_private_key(ec.SECP256K1()),
        x25519.X25519PrivateKey.generate(),
    ],
    ids=["P-224", "secp256k1", "X25519"],
)
def test_a_key_no_algorithm_of_ours_can_use_is_refused(native):
    with pytest.raises(ConfigurationError, match=r"The private key is not usable: .* is not"):
        load_key(native.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def test_a_changed_byte_anywhere_is_read_or_refused_but_nothing_else(key):
    der = key.native.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    for index in range(len(der)):
        changed = der[:index] + bytes([der[index] ^ 0x81]) + der[index + 1 :]
        text = base64.encodebytes(changed).decode()
        with contextlib.suppress(ConfigurationError):
            load_key(f"-----BEGIN PRIVATE KEY-----\n{text}-----END PRIVATE KEY-----\n")


def test_a_public_key_is_refused(key):
    with pytest.raises(ConfigurationError, match="the JWK is not a private key"):
        load_key(key.public_jwk())


@pytest.mark.parametrize("path", ["", "missing.pem", ".", "nul\x00.pem"])
def test_a_path_that_cannot_be_read_is_a_sentence(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigurationError, match=r"The key file .* cannot be read"):
        load_key(path)


def test_the_text_of_a_key_that_is_taken_for_a_path_is_not_shown_whole(key):
    text = key.as_pem().decode().replace("-----BEGIN", "BEGIN")

    with pytest.raises(ConfigurationError) as caught:
        load_key(text)
    assert text[80:120] not in str(caught.value)


def test_a_wrong_key_is_an_error_when_the_client_is_made(make_client, make_auth):
    with pytest.raises(ConfigurationError):
        make_client(key="missing.pem")
    with pytest.raises(ConfigurationError):
        make_auth(key="missing.pem")
    with pytest.raises(ConfigurationError):
        make_auth(dpop_key="missing.pem")


def test_a_wrong_algorithm_is_an_error_when_the_client_is_made(make_client, make_auth):
    with pytest.raises(ConfigurationError, match="does not fit"):
        make_client(alg="RS256")
    with pytest.raises(ConfigurationError, match="does not fit"):
        make_auth(alg="RS256")


def test_a_dpop_key_that_would_not_be_used_is_an_error(make_auth, key):
    with pytest.raises(ConfigurationError, match="say which is meant"):
        make_auth(dpop=False, dpop_key=key)


# --- certificates ---------------------------------------------------------------------------------------
@pytest.fixture
def pem(key, clock):
    return build_self_signed(key, common_name="billing", days=1, now=clock.now)


@pytest.mark.parametrize("shape", ["path", "path text", "pem", "pem text", "base64", "loaded"])
def test_a_certificate_is_loaded_from_wherever_it_is_kept(shape, key, pem, tmp_path):
    (tmp_path / "cert.pem").write_bytes(pem)
    source = {
        "path": tmp_path / "cert.pem",
        "path text": str(tmp_path / "cert.pem"),
        "pem": pem,
        "pem text": pem.decode(),
        "base64": load_certificate(pem).der,
        "loaded": load_certificate(pem),
    }[shape]

    assert load_client_certificate(source, key) == load_certificate(pem)


def test_another_keys_certificate_is_refused(pem, keys):
    with pytest.raises(ConfigurationError, match="another key's"):
        load_client_certificate(pem, keys("ES256", "other"))


@pytest.mark.parametrize("seconds", [-1, DAY + 1])
def test_a_certificate_outside_its_lifetime_is_refused(seconds, pem, key, clock):
    clock.move(seconds)

    with pytest.raises(ConfigurationError, match="not in its lifetime"):
        load_client_certificate(pem, key)


@pytest.mark.parametrize("source", [b"", b"garbage", "MIIgarbage", "-----BEGIN CERTIFICATE-----"])
def test_what_is_no_certificate_is_refused(source, key):
    with pytest.raises(ConfigurationError, match="The certificate is not usable"):
        load_client_certificate(source, key)


def test_a_certificate_file_that_is_missing_is_a_sentence(key):
    with pytest.raises(ConfigurationError, match=r"The certificate file 'missing\.pem' cannot be read: No such file"):
        load_client_certificate("missing.pem", key)


def test_a_wrong_certificate_is_an_error_when_the_client_is_made(make_client, make_auth, pem, keys):
    with pytest.raises(ConfigurationError, match="another key's"):
        make_client(certificate=pem, key=keys("ES256", "other"))
    with pytest.raises(ConfigurationError, match="another key's"):
        make_auth(certificate=pem, key=keys("ES256", "other"))
