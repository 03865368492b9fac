"""client/keygen.py and ``python -m flask_private_key_jwt.client``: what is written, for whose eyes, and what is not."""

import json
import os
import stat
import subprocess
import sys

import pytest

from flask_private_key_jwt.client import load_key
from flask_private_key_jwt.client.__main__ import main
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.jose.certificates import certificate_of_jwk, load_certificate


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def public_jwk(folder, prefix="client"):
    [jwk] = json.loads((folder / f"{prefix}.jwks.json").read_text())["keys"]
    return jwk


def test_a_key_pair_is_written(folder, capsys):
    assert main(["keygen"]) == 0

    assert names(folder) == ["client.jwks.json", "client.pem", "client.registration.json"]
    key = load_key(folder / "client.pem")
    assert key.alg == "ES256"
    assert public_jwk(folder) == key.public_jwk()
    assert json.loads((folder / "client.registration.json").read_text()) == {"jwks": {"keys": [key.public_jwk()]}}


def test_what_was_written_and_what_comes_next_is_said(capsys):
    main(["keygen", "--out", "billing"])

    said = capsys.readouterr().out
    assert "billing.pem                the private key: keep it secret" in said
    assert "flask oauth2 client add billing.registration.json --client-id CLIENT_ID --scope SCOPE" in said
    assert "PrivateKeyJWTAuth(ISSUER, CLIENT_ID, key='billing.pem', resource=API)" in said


@pytest.mark.parametrize("alg", ["ES384", "ES512", "PS256", "RS256", "RS512", "EdDSA", "Ed25519"])
def test_every_algorithm_can_be_had(alg, folder, capsys):
    assert main(["keygen", "--alg", alg]) == 0

    key = load_key(folder / "client.pem", alg=alg)
    assert public_jwk(folder)["alg"] == alg
    assert jose.import_public_jwk(public_jwk(folder)).thumbprint == key.public.thumbprint
    needs_telling = alg in ("RS256", "RS512", "Ed25519")
    assert (f"alg='{alg}'" in capsys.readouterr().out) is needs_telling


def test_an_rsa_key_may_be_larger(folder):
    main(["keygen", "--alg", "PS256", "--bits", "3072"])

    assert load_key(folder / "client.pem").public.native.raw_value.key_size == 3072


@pytest.mark.parametrize(("alg", "bits"), [("PS256", "1024"), ("RS256", "9000"), ("RS256", "-1"), ("ES256", "2048")])
def test_a_size_that_cannot_be_is_a_sentence(alg, bits, folder, capsys):
    assert main(["keygen", "--alg", alg, "--bits", bits]) == 2

    assert capsys.readouterr().err.startswith("keygen: error: --bits ")
    assert names(folder) == []


@pytest.mark.parametrize("alg", ["HS256", "none", ""])
def test_a_foreign_algorithm_is_refused(alg, folder, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["keygen", "--alg", alg])
    assert caught.value.code == 2
    assert names(folder) == []


# --- who may read ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_private_key_is_for_its_owner_alone_whatever_the_umask(umask, folder):
    before = os.umask(umask)
    try:
        main(["keygen"])
    finally:
        os.umask(before)

    assert stat.S_IMODE((folder / "client.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "client.jwks.json").stat().st_mode) == 0o644 & ~umask


def test_the_private_key_is_in_no_other_file_and_not_on_the_screen(folder, capsys):
    main(["keygen", "--certificate"])

    secret = load_key(folder / "client.pem").as_jwk()["d"]
    assert secret not in capsys.readouterr().out
    for name in names(folder):
        assert name == "client.pem" or secret not in (folder / name).read_text()


@pytest.mark.parametrize("existing", ["client.pem", "client.jwks.json", "client.registration.json", "client.cert.pem"])
def test_nothing_is_overwritten_and_nothing_half_written(existing, folder, capsys):
    (folder / existing).write_text("precious")

    assert main(["keygen", "--certificate"]) == 2

    assert capsys.readouterr().err == (
        f"keygen: error: {existing} exists already. Nothing was written; choose another --out.\n"
    )
    assert names(folder) == [existing]
    assert (folder / existing).read_text() == "precious"


def test_a_link_is_not_followed(folder):
    (folder / "client.pem").symlink_to(folder / "elsewhere.pem")

    assert main(["keygen"]) == 2
    assert not (folder / "elsewhere.pem").exists()


@pytest.mark.parametrize("out", ["missing/client", "nul\x00"])
def test_a_folder_that_is_missing_is_a_sentence(out, folder, capsys):
    assert main(["keygen", "--out", out]) == 2

    assert "cannot be written" in capsys.readouterr().err
    assert names(folder) == []


# --- passwords ------------------------------------------------------------------------------------------
def test_the_password_may_come_from_the_environment(folder, monkeypatch):
    monkeypatch.setenv("KEY_PASSWORD", "wonderland")

    main(["keygen", "--password-env", "KEY_PASSWORD"])

    assert b"ENCRYPTED" in (folder / "client.pem").read_bytes()
    assert load_key(folder / "client.pem", password="wonderland").alg == "ES256"


def test_the_password_may_be_typed(folder, monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda prompt: "wonderland")

    main(["keygen", "--password"])

    assert load_key(folder / "client.pem", password="wonderland").alg == "ES256"


@pytest.mark.parametrize(("typed", "reason"), [(["a", "b"], "differ"), (["", ""], "is empty")])
def test_a_password_that_is_none_is_refused(typed, reason, folder, monkeypatch, capsys):
    monkeypatch.setattr("getpass.getpass", lambda prompt: typed.pop(0))

    assert main(["keygen", "--password"]) == 2
    assert reason in capsys.readouterr().err
    assert names(folder) == []


def test_a_variable_without_a_password_is_refused(folder, monkeypatch):
    monkeypatch.delenv("KEY_PASSWORD", raising=False)

    assert main(["keygen", "--password-env", "KEY_PASSWORD"]) == 2
    assert names(folder) == []


# --- certificates ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("alg", ["ES256", "RS256", "EdDSA"])
def test_a_certificate_goes_with_the_key(alg, folder, clock):
    main(["keygen", "--alg", alg, "--certificate", "--common-name", "billing", "--days", "7"])

    certificate = load_certificate((folder / "client.cert.pem").read_bytes())
    assert (certificate.not_before, certificate.not_after) == (clock.now, clock.now + 7 * 86400)
    assert certificate_of_jwk(public_jwk(folder)) == certificate
    assert certificate.public_key.thumbprint == load_key(folder / "client.pem").public.thumbprint


def test_the_key_keeps_the_name_the_client_sends(folder):
    main(["keygen", "--certificate"])

    assert public_jwk(folder)["kid"] == load_key(folder / "client.pem").public.thumbprint


@pytest.mark.parametrize("options", [["--days", "-1"], ["--days", "9999999"], ["--common-name", "x" * 65]])
def test_a_certificate_that_cannot_be_made_is_a_sentence(options, folder, capsys):
    assert main(["keygen", "--certificate", *options]) == 2

    assert "The certificate cannot be made" in capsys.readouterr().err
    assert names(folder) == []


# --- the program ----------------------------------------------------------------------------------------
def test_it_runs_as_a_program(folder):
    command = [sys.executable, "-W", "error", "-m", "flask_private_key_jwt.client", "keygen", "--out", "billing"]

    run = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (run.returncode, run.stderr) == (0, "")
    assert "billing.pem" in names(folder)


@pytest.mark.parametrize("arguments", [[], ["keygenn"], ["keygen", "--passwort"]])
def test_a_wrong_call_shows_how(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m flask_private_key_jwt.client" in capsys.readouterr().err
