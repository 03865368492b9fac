"""client/key.py, client/certificate.py: what a client's key may be kept in; what is none is an error at once."""

import base64
import contextlib
import json
import traceback
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from flask_private_key_jwt.client import load_key
from flask_private_key_jwt.client.certificate import load_client_certificate
from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.jose.certificates import build_self_signed, load_certificate

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


@pytest.mark.parametrize("path", ["missing.pem", ".", "nul\x00.pem", "no such file"])
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


# --- what people pass as a key ---------------------------------------------------------------------------
def native_of(key):
    return key.native.private_key


FORMS = {
    "PEM with \\n written out": lambda key: key.as_pem().decode().replace("\n", "\\n"),
    "PEM with \\r\\n written out": lambda key: key.as_pem().decode().replace("\n", "\\r\\n"),
    "PEM in one line": lambda key: key.as_pem().decode().replace("\n", " "),
    "PEM with a byte order mark": lambda key: b"\xef\xbb\xbf" + key.as_pem(),
    "PEM in UTF-16": lambda key: key.as_pem().decode().encode("utf-16"),
    "PEM without its first and last line": lambda key: "".join(key.as_pem().decode().splitlines()[1:-1]),
    "the same in lines": lambda key: "\n".join(key.as_pem().decode().splitlines()[1:-1]),
    "DER": lambda key: native_of(key).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
    "SEC 1 in DER": lambda key: native_of(key).private_bytes(
        Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    ),
    "OpenSSH": lambda key: native_of(key).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
    "PFX": lambda key: serialize_key_and_certificates(b"k", native_of(key), None, None, NoEncryption()),
    "JWK with a byte order mark": lambda key: "\ufeff" + json.dumps(key.as_jwk()),
    "JWK in UTF-16": lambda key: json.dumps(key.as_jwk()).encode("utf-16"),
    "JWK with unset members": lambda key: {**key.as_jwk(), "oth": [], "p": None, "x5c": []},
    "JWK Set of one": lambda key: {"keys": [key.as_jwk()]},
    "JWK Set as text": lambda key: json.dumps({"keys": [key.as_jwk()]}),
    "JWK Set with its public half": lambda key: {"keys": [key.public_jwk(), key.as_jwk()]},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_key_is_read_in_every_form_people_have_it(form, key):
    assert load_key(form(key)).public.thumbprint == key.public.thumbprint


@pytest.mark.parametrize("name", list(FORMS))
def test_a_key_is_read_from_a_file_in_every_form(name, key, tmp_path):
    content = FORMS[name](key)
    content = json.dumps(content) if isinstance(content, dict) else content
    (tmp_path / "key").write_bytes(content if isinstance(content, bytes) else content.encode())

    assert load_key(str(tmp_path / "key")).public.thumbprint == key.public.thumbprint


@pytest.mark.parametrize("alg", ["RS256", "EdDSA", "ES512"])
def test_bare_base64_of_every_kind_of_key_is_read(alg, keys):
    text = "".join(keys(alg).as_pem().decode().splitlines()[1:-1])

    assert load_key(text, alg=alg).public.thumbprint == keys(alg).public.thumbprint


@pytest.mark.parametrize("name", [name for name in FORMS if "without" not in name and "lines" not in name])
def test_a_whole_file_in_base64_is_read(name, key):
    """As ``base64 -w0 key.pem`` puts it into an environment variable."""
    content = FORMS[name](key)
    content = json.dumps(content) if isinstance(content, dict) else content
    text = base64.b64encode(content if isinstance(content, bytes) else content.encode()).decode()

    assert load_key(text).public.thumbprint == key.public.thumbprint
    with pytest.raises(ConfigurationError):
        load_key(text[:-80])


def test_what_is_no_private_key_is_named_in_base64_too(key):
    text = base64.b64encode(key.native.as_pem(private=False)).decode()

    with pytest.raises(ConfigurationError, match="it is a public key: give the private key"):
        load_key(text)


def test_a_pfx_opens_with_its_password_only(key):
    pfx = serialize_key_and_certificates(b"k", native_of(key), None, None, BestAvailableEncryption(b"wonderland"))

    assert load_key(pfx, password="wonderland").public.thumbprint == key.public.thumbprint
    for password, reason in ((None, "give its password"), ("wrong", "the wrong password, or it is damaged")):
        with pytest.raises(ConfigurationError, match=rf"the PKCS #12 file \(PFX\) cannot be opened: {reason}"):
            load_key(pfx, password=password)


def public_der(key):
    return native_of(key).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def certificate_of(key):
    return build_self_signed(key, common_name="billing", days=1, now=0)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (lambda key: None, "The key is None: give its path"),
        (lambda key: "", "The key is empty: give its path"),
        (lambda key: " \n", "The key is empty: give its path"),
        (lambda key: b"", "it is empty"),
        (lambda key: 5, "The key is a int"),
        (lambda key: key.native.as_pem(private=False), "it is a public key: give the private key"),
        (public_der, "it is a public key: give the private key"),
        (lambda key: base64.b64encode(public_der(key)).decode(), "it is a public key: give the private key"),
        (lambda key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@there", "it is a public key: give the private key"),
        (certificate_of, "it is a certificate: give the private key here, and the certificate as certificate="),
        (lambda key: load_certificate(certificate_of(key)).der, "it is a certificate: give the private key here"),
        (lambda key: b"PuTTY-User-Key-File-3: ssh-ed25519", "it is a PuTTY key: export it as an OpenSSH key"),
        (lambda key: {"keys": []}, "a JWK Set with 0 private keys"),
        (lambda key: {"keys": [key.as_jwk(), key.as_jwk()]}, "a JWK Set with 2 private keys"),
        (lambda key: {"keys": [key.public_jwk()]}, "a JWK Set with 0 private keys"),
    ],
)
def test_what_is_no_private_key_is_named_for_what_it_is(source, name, key):
    with pytest.raises(ConfigurationError) as caught:
        load_key(source(key))
    assert name in str(caught.value)


# --- a secret in a message ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: "".join(key.as_pem().decode().splitlines()[1:-1])[:-1],
        lambda key: "".join(key.as_pem().decode().splitlines()[1:-1]).lower(),
        lambda key: "".join(key.as_pem().decode().splitlines()[2:-1]),
        lambda key: key.as_pem().decode().replace("\n", " ").replace("-----", ""),
        lambda key: key.as_pem().decode().replace("PRIVATE", "PRIVAT"),
        lambda key: native_of(key).private_numbers().private_value.to_bytes(32).hex(),
        lambda key: key.as_jwk()["d"],
        lambda key: json.dumps(key.as_jwk())[:-1],
        lambda key: json.dumps(json.dumps(key.as_jwk())),
        lambda key: "'" + json.dumps(key.as_jwk()) + "'",
        lambda key: json.dumps({**key.as_jwk(), "kty": key.as_jwk()["d"]}),
        lambda key: Path(key.as_jwk()["d"]),
        lambda key: key.as_jwk()["d"] + "\x00",
    ],
)
@pytest.mark.parametrize("argument", ["key", "certificate"])
def test_a_secret_given_as_a_path_is_in_no_message(argument, spoil, key, caplog):
    text = spoil(key)

    with pytest.raises(ConfigurationError) as caught:
        load_key(text) if argument == "key" else load_client_certificate(text, key)

    shown = str(caught.value) + "".join(traceback.format_exception(caught.value, chain=True)[-1:]) + caplog.text
    secret = str(text)
    longest = max(len(secret) - 8, 1)
    assert not [
        secret[at : at + 24] for at in range(0, longest, 8) if secret[at : at + 24] in shown and len(secret) > 24
    ]
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_the_key_of_an_api_is_in_no_message(key):
    text = "".join(key.as_pem().decode().splitlines()[1:-1])[:-1]

    with pytest.raises(ConfigurationError, match=r"The key file \(not shown: it may be a secret\) cannot be read"):
        load_key(text)


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


@pytest.mark.parametrize("source", ["", " "])
def test_an_empty_certificate_is_named(source, key):
    with pytest.raises(ConfigurationError, match="The certificate is empty"):
        load_client_certificate(source, key)


def test_a_certificate_is_read_with_what_windows_and_the_environment_do_to_it(key, pem):
    for text in (pem.decode().replace("\n", "\\n"), b"\xef\xbb\xbf" + pem, pem.decode().encode("utf-16")):
        assert load_client_certificate(text, key) == load_certificate(pem)


def test_a_private_key_in_the_place_of_a_certificate_is_named(key):
    with pytest.raises(ConfigurationError, match="not a certificate, but PEM of a PRIVATE KEY"):
        load_client_certificate(key.as_pem(), key)
