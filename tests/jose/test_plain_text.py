"""jose/plain_text.py: what text files of other tools look like, and which paths may be shown."""

import base64
import secrets

import pytest

from flask_private_key_jwt.jose.jose import JoseProblem, load_json_object
from flask_private_key_jwt.jose.plain_text import show_path, tidy

PEM = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_text_is_the_same_in_every_encoding_that_names_itself(encoding):
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")

    assert tidy(mark + '{"a": "é"}'.encode(encoding)) == '{"a": "é"}'.encode()


@pytest.mark.parametrize("data", [b"", b"\x30\x82\x01\x00\xff", b'{"a":"\\\\n"}', b"\xff\xfe\x00", PEM])
def test_anything_else_stays_as_it_is(data):
    assert tidy(data) == data


@pytest.mark.parametrize("written_out", [b"\\n", b"\\r\\n"])
def test_line_breaks_that_are_written_out_in_pem_become_line_breaks(written_out):
    assert tidy(PEM.replace(b"\n", written_out)) == PEM


# --- JSON (RFC 8259 §8.1) -----------------------------------------------------------------------------------
@pytest.mark.parametrize("text", [b"\xef\xbb\xbf{}", "\ufeff{}", b"{}", "{}"])
def test_a_byte_order_mark_before_json_is_ignored(text):
    assert load_json_object(text, "document") == {}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_json_in_utf_16_is_named_for_what_it_is(encoding):
    with pytest.raises(JoseProblem, match="the document is UTF-16 text; save it as UTF-8"):
        load_json_object("{}".encode(encoding), "document")


@pytest.mark.parametrize("text", [b"{}\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf{}", b"\xef\xbb\xbf", b"\xef\xbb{}"])
def test_a_byte_order_mark_elsewhere_is_not_json(text):
    with pytest.raises(JoseProblem, match="the document is not JSON"):
        load_json_object(text, "document")


# --- paths --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "path",
    ["missing.pem", "keys/client.json", "/run/secrets/client_key", "C:\\Keys\\Client 1.pfx", "./key.p12", ".", ".."],
)
def test_a_path_is_shown(path):
    assert show_path(path) == repr(path)


def test_a_path_in_a_folder_that_exists_is_shown(tmp_path):
    path = tmp_path / "ClientKey"

    assert show_path(path) == repr(str(path))


@pytest.mark.parametrize(
    "text",
    [
        "hunter2",
        "a" * 64,
        "Ab/Cd" * 20,
        '"{\\"kty\\": \\"EC\\"}"',
        "{'d': 'AAAA'}.pem",
        "nul\x00.pem",
        "a" * 5000 + ".pem",
    ],
)
def test_what_looks_like_no_path_is_not_shown(text):
    assert text[:8] not in show_path(text)


def test_no_secret_in_base64_or_hex_is_ever_shown():
    for size in range(16, 400, 3):
        secret = secrets.token_bytes(size)
        for text in (base64.b64encode(secret), base64.urlsafe_b64encode(secret), secret.hex().encode()):
            assert show_path(text.decode()) == "(not shown: it may be a secret)"
