"""``flask oauth2 client …``: good use, output for people and for scripts, and a sentence for everything else."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.serialization import NoEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from flask_private_key_jwt.jose.certificates import build_self_signed, load_certificate
from tests.conftest import CLIENT_ID, INVALID_CLIENT, START

DAY = 86400


@pytest.fixture
def run(app):
    """Run ``flask oauth2 client …`` and give its outcome; ``text`` is standard input."""

    def run(*words, text=None):
        return app.test_cli_runner().invoke(args=["oauth2", "client", *map(str, words)], input=text)

    return run


@pytest.fixture
def write(tmp_path):
    """Write a file for a command to read."""

    def write(content, name="client.json"):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


@pytest.fixture
def metadata(client_key):
    return {
        "client_id": "mobile",
        "jwks": {"keys": [client_key.public_jwk()]},
        "scope": "read",
        "default_scope": "read",
    }


@pytest.fixture
def metadata_file(write, metadata):
    return write(metadata)


def assert_refused(outcome, sentence):
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    assert outcome.stderr == f"Error: {sentence}\n"


def clients_of(app, oauth):
    with app.app_context():
        return {client.client_id: client for client in oauth.clients.all()}


# --- add --------------------------------------------------------------------------------------------------
def test_client_is_registered_from_a_file_and_gets_a_token(run, metadata_file, ask_token, build_assertion):
    outcome = run("add", metadata_file)

    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, "Client mobile is registered.\n", "")
    assert ask_token(assertion=build_assertion(iss="mobile", sub="mobile")).status_code == 200


def test_client_is_registered_from_standard_input(run, metadata, app, oauth):
    assert run("add", "-", text=json.dumps(metadata)).exit_code == 0

    assert list(clients_of(app, oauth)) == ["mobile"]


def test_file_with_a_byte_order_mark_is_read(run, write, metadata):
    assert run("add", write(b"\xef\xbb\xbf" + json.dumps(metadata).encode())).exit_code == 0


def test_registration_is_printed_for_scripts(run, metadata_file, metadata):
    outcome = run("add", metadata_file, "--json")

    printed = json.loads(outcome.stdout)
    assert {name: printed[name] for name in metadata} == metadata
    assert printed["token_endpoint_auth_method"] == "private_key_jwt"


def test_client_id_is_made_when_the_file_has_none(run, write, metadata, app, oauth):
    del metadata["client_id"]

    outcome = run("add", write(metadata))

    (made,) = clients_of(app, oauth)
    assert outcome.stdout == f"Client {made} is registered.\n"


def test_options_go_before_the_file(run, metadata_file, app, oauth):
    options = (
        "--client-id other --name Other --default-scope write --dpop --assertion-audience compatibility --owner five"
    )

    assert run("add", metadata_file, *options.split(), "--scope", "read write").exit_code == 0

    client = clients_of(app, oauth)["other"]
    assert (client.client_name, client.owner, client.assertion_audience) == ("Other", "five", "compatibility")
    assert (client.scope, client.default_scope) == ({"read", "write"}, ("write",))
    assert client.dpop_bound_access_tokens is True


def test_unknown_member_is_ignored_with_a_note(run, write, metadata):
    outcome = run("add", write({**metadata, "favourite_colour": "blue"}), "--json")

    assert outcome.exit_code == 0
    assert outcome.stderr == "Note: favourite_colour is not a member this server knows; it is ignored.\n"


def test_secret_in_the_file_is_refused_and_not_shown(run, write, metadata):
    outcome = run("add", write({**metadata, "client_secret": "s3cret"}))

    assert_refused(
        outcome,
        "client_secret is there, but only the operator gives a client a secret: flask oauth2 client secret give.",
    )
    assert "s3cret" not in outcome.output + outcome.stderr


def test_add_needs_a_file_or_a_certificate(run):
    assert_refused(
        run("add"), "Give a FILE with the client's metadata, or its --certificate; --public if it has no keys."
    )


def test_taken_client_id_is_refused(run, metadata_file):
    run("add", metadata_file)

    assert_refused(run("add", metadata_file), "client_id 'mobile' is registered already.")


def test_missing_file_is_refused(run, tmp_path):
    outcome = run("add", tmp_path / "absent.json")

    assert outcome.exit_code == 2
    assert "absent.json': No such file or directory" in outcome.stderr


def test_folder_is_no_file(run, tmp_path):
    outcome = run("add", tmp_path)

    assert outcome.exit_code == 2
    assert "Is a directory" in outcome.stderr


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "the file is not JSON"),
        ("client_id: mobile", "the file is not JSON"),
        ("{", "the file is not JSON"),
        ("[]", "the file is not a JSON object"),
        ('[{"client_id": "mobile"}]', "the file is not a JSON object"),
        ('"mobile"', "the file is not a JSON object"),
        ('{"client_id": "a", "client_id": "b"}', "the file is not acceptable: a JSON member stands twice"),
        ('{"scope": NaN}', "the file is not acceptable: NaN is not JSON"),
        ('{"a": ' + "[" * 20 + "]" * 20 + "}", "the file is nested deeper than 16"),
    ],
)
def test_file_that_is_no_json_object_is_refused(content, problem, run, write):
    path = write(content)

    sentence = f"{path}: {problem}. It must hold one client's RFC 7591 metadata as a JSON object."
    assert_refused(run("add", path), sentence)


def test_file_that_is_no_text_is_refused(run, write):
    outcome = run("add", write(b"{\xff\xfe\x00"))

    assert outcome.exit_code == 2
    assert "client.json cannot be read as text: " in outcome.stderr


def test_huge_file_is_refused(run, write):
    path = write(" " * (1 << 20) + "{}")

    assert_refused(run("add", path), f"{path} is larger than 1048576 bytes.")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"jwks": None}, "jwks is missing: a private_key_jwt client needs its public keys, as a JWK Set."),
        ({"jwks": {"keys": "none"}}, "jwks: not a JWK Set: no list of keys."),
        ({"scope": ["read"]}, "scope is not a string of scopes with spaces between."),
        ({"grant_types": "client_credentials"}, "grant_types is not a list of grant types."),
        ({"grant_types": ["password"]}, "grant type 'password' is not supported; it may be client_credentials."),
        ({"client_name": 5}, "client_name is not a string of 1 to 255 characters, or holds control characters."),
        ({"dpop_bound_access_tokens": "yes"}, "dpop_bound_access_tokens is not true or false."),
        (
            {"token_endpoint_auth_method": "client_secret_basic"},
            "token_endpoint_auth_method 'client_secret_basic' is not supported; it may be private_key_jwt.",
        ),
        ({"client_id": "mobil\u00e9"}, "client_id is not a string of 1 to 255 printable ASCII characters."),
    ],
)
def test_metadata_that_is_not_acceptable_is_refused(changes, sentence, run, write, metadata, app, oauth):
    assert_refused(run("add", write({**metadata, **changes})), sentence)
    assert clients_of(app, oauth) == {}


def test_algorithm_the_server_does_not_know_is_refused(run, write, metadata):
    outcome = run("add", write({**metadata, "token_endpoint_auth_signing_alg": "HS256"}))

    assert outcome.exit_code == 2
    assert "token_endpoint_auth_signing_alg 'HS256' is not accepted here; it may be ES256, " in outcome.stderr


def test_private_key_in_the_file_is_refused_and_not_shown(run, write, metadata, client_key):
    outcome = run("add", write({**metadata, "jwks": {"keys": [client_key.as_jwk()]}}))

    assert_refused(outcome, "jwks: the set holds private or symmetric key material.")


# --- certificates -----------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def pem(client_key):
    return build_self_signed(client_key, common_name="mobile", days=30, now=START)


CERTIFICATE_FORMS = {
    "PEM": lambda pem: pem,
    "base64 DER": lambda pem: load_certificate(pem).der.encode(),
    "base64 DER in lines": lambda pem: base64.encodebytes(base64.b64decode(load_certificate(pem).der)),
    "DER": lambda pem: base64.b64decode(load_certificate(pem).der),
}


@pytest.mark.parametrize("form", CERTIFICATE_FORMS.values(), ids=CERTIFICATE_FORMS.keys())
def test_client_is_registered_by_its_certificate(form, run, write, pem, ask_token, build_assertion):
    path = write(form(pem), "mobile.cer")

    outcome = run("add", "--certificate", path, "--client-id", "mobile", "--scope", "read", "--default-scope", "read")

    assert (outcome.exit_code, outcome.stderr) == (0, "")
    header = {"kid": load_certificate(pem).sha1_hex}
    assert ask_token(assertion=build_assertion(iss="mobile", sub="mobile", header=header)).status_code == 200


def test_certificate_takes_the_place_of_the_files_keys(run, write, metadata, keys, pem, app, oauth):
    metadata["jwks"] = {"keys": [keys("ES256", "other").public_jwk()]}

    assert run("add", write(metadata), "--certificate", write(pem, "mobile.pem")).exit_code == 0

    (jwk,) = clients_of(app, oauth)["mobile"].jwks["keys"]
    assert jwk["x5c"] == [load_certificate(pem).der]


@pytest.mark.parametrize("days", [-1, 31])
def test_certificate_out_of_its_lifetime_is_registered_with_a_note(days, clock, run, write, pem):
    clock.move(days * DAY)
    path = write(pem, "mobile.pem")

    outcome = run("add", "--certificate", path, "--client-id", "mobile", "--scope", "read")

    assert outcome.exit_code == 0
    assert outcome.stderr.splitlines() == [
        f"Note: {path} is expired or not valid yet; it authenticates nobody now.",
        "Note: none of its keys is valid now.",
    ]


@pytest.mark.parametrize(
    "content", [b"", b"no certificate", b"{}", b"-----BEGIN CERTIFICATE-----\nAAAA\n", b"\x30\x03"]
)
def test_file_that_is_no_certificate_is_refused(content, run, write):
    path = write(content, "mobile.pem")

    outcome = run("add", "--certificate", path)

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith(f"Error: {path}: not a certificate in PEM, base64 or DER: ")
    assert outcome.stderr.endswith(" It must be one certificate, as PEM or base64 DER.\n")


def test_private_key_is_no_certificate(run, write, client_key):
    path = write(client_key.as_pem(), "mobile.pem")

    assert run("add", "--certificate", path).exit_code == 2


def test_key_of_a_certificate_may_have_a_name_of_its_own(
    run, write, client_key, ask_token, build_assertion, app, oauth
):
    path = write(build_self_signed(client_key, common_name="mobile", days=30, now=START), "mobile.pem")

    outcome = run("add", "--certificate", path, "--kid", "partner-2027", "--client-id", "mobile", "--scope", "read")

    assert outcome.exit_code == 0, outcome.stderr
    assert clients_of(app, oauth)["mobile"].jwks["keys"][0]["kid"] == "partner-2027"
    sha1 = load_certificate(path.read_bytes()).sha1_hex
    for kid in ("partner-2027", sha1, client_key.public.thumbprint):
        assertion = build_assertion(iss="mobile", sub="mobile", header={"kid": kid})
        assert ask_token(assertion=assertion).status_code == 200
    renamed = run("update", "mobile", "--certificate", path, "--kid", "other", "--json")
    assert json.loads(renamed.stdout)["jwks"]["keys"][0]["kid"] == "other"


def test_name_goes_with_a_certificate(run, metadata_file, write, client_key):
    path = write(build_self_signed(client_key, common_name="mobile", days=30, now=START), "mobile.pem")

    assert_refused(
        run("add", metadata_file, "--kid", "x"),
        "--kid names the key of a --certificate; a key in a FILE has its own kid.",
    )
    for kid in ("", " x", "é", "x" * 256, "a\nb"):
        refused = run("add", "--certificate", path, "--kid", kid)
        assert_refused(refused, "--kid must be 1 to 255 printable ASCII characters.")


# --- files of other tools -------------------------------------------------------------------------------------
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_registration_that_windows_tools_saved_is_read(encoding, run, write, metadata):
    assert run("add", write(json.dumps(metadata).encode(encoding))).exit_code == 0


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_certificate_that_windows_tools_saved_is_read(encoding, run, write, client_key):
    pem = build_self_signed(client_key, common_name="mobile", days=30, now=START)
    certificate = load_certificate(pem)

    for text in (pem.decode(), certificate.der):
        assert run("add", "--certificate", write(text.encode(encoding), "mobile.pem")).exit_code == 0


@pytest.mark.parametrize("words", [["add"], ["update", "mobile"], ["add", "--certificate"]])
def test_key_in_the_place_of_a_path_is_not_shown(words, run, client_key):
    pem = client_key.as_pem().decode()
    for text in ("".join(pem.splitlines()[1:-1]), " " + pem, client_key.as_jwk()["d"], json.dumps(client_key.as_jwk())):
        outcome = run(*words, text)

        assert outcome.exit_code == 2
        assert "(not shown: it may be a secret)" in outcome.stderr
        assert text[8:24] not in outcome.stderr
        assert text[8:24] not in repr(outcome.exception)


def test_pfx_is_no_certificate_and_named_for_what_it_is(run, write, client_key):
    native = client_key.native.private_key
    path = write(serialize_key_and_certificates(b"mobile", native, None, None, NoEncryption()), "mobile.pfx")

    outcome = run("add", "--certificate", path)

    assert "not a certificate, but a PKCS #12 file (PFX): export the certificate" in outcome.stderr


def test_missing_certificate_is_refused(run, tmp_path):
    path = tmp_path / "absent.pem"

    assert_refused(run("add", "--certificate", path), f"'{path}' cannot be read: No such file or directory.")


def test_certificate_of_another_key_in_the_file_is_refused(run, write, metadata, keys, app, oauth):
    other = load_certificate(build_self_signed(keys("ES256", "other"), common_name="other", days=30, now=START))
    metadata["jwks"]["keys"][0]["x5c"] = [other.der]

    assert_refused(run("add", write(metadata)), "jwks: the first x5c certificate holds another key than the JWK.")
    assert clients_of(app, oauth) == {}


# --- list and show ----------------------------------------------------------------------------------------
def test_list_has_a_line_for_each_client(run, metadata_file, client):
    run("add", metadata_file, "--dpop")
    run("disable", CLIENT_ID)

    outcome = run("list", "--lines")

    assert (outcome.exit_code, outcome.stderr) == (0, "")
    assert outcome.stdout == "console  [Bearer or DPoP]  read write  disabled\nmobile  [DPoP]  read\n"


def test_list_of_none_is_empty(run):
    assert (run("list").stdout, json.loads(run("list", "--json").stdout)) == ("", [])


def test_list_is_printed_for_scripts(run, metadata_file, client):
    run("add", metadata_file)

    assert [entry["client_id"] for entry in json.loads(run("list", "--json").stdout)] == ["console", "mobile"]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_what_show_prints_can_be_added_again(options, run, write, client):
    shown = run("show", CLIENT_ID, *options)
    run("remove", CLIENT_ID, "--yes")

    assert run("add", write(shown.stdout)).exit_code == 0
    assert run("show", CLIENT_ID).stdout == shown.stdout


# --- update -----------------------------------------------------------------------------------------------
def test_update_merges_and_null_removes(run, write, client, app, oauth):
    run("update", CLIENT_ID, write({"client_name": "Console", "contacts": ["a@console.example"]}))

    outcome = run("update", CLIENT_ID, write({"scope": "read admin", "client_name": None}))

    assert (outcome.exit_code, outcome.stdout) == (0, "Client console is updated, from its next request on.\n")
    changed = clients_of(app, oauth)[CLIENT_ID]
    assert (changed.scope, changed.client_name) == ({"read", "admin"}, None)
    assert changed.metadata == {"contacts": ["a@console.example"]}


def test_update_takes_options_without_a_file(run, client, app, oauth):
    assert run("update", CLIENT_ID, "--dpop", "--owner", "team 5").exit_code == 0
    assert run("update", CLIENT_ID, "--name", "Console", "--json").exit_code == 0

    changed = clients_of(app, oauth)[CLIENT_ID]
    assert (changed.dpop_bound_access_tokens, changed.owner, changed.client_name) == (True, "team 5", "Console")
    run("update", CLIENT_ID, "--no-dpop")
    assert clients_of(app, oauth)[CLIENT_ID].dpop_bound_access_tokens is False


def test_update_gives_a_client_a_new_certificate(run, write, client, keys, ask_token, build_assertion):
    new = keys("ES256", "new")
    path = write(build_self_signed(new, common_name="console", days=30, now=START), "new.pem")

    assert run("update", CLIENT_ID, "--certificate", path).exit_code == 0

    assert ask_token().json == INVALID_CLIENT
    assert ask_token(assertion=build_assertion(key=new, header={"kid": None})).status_code == 200


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"client_id": "other"}, "client_id cannot be changed."),
        ({"jwks": None}, "jwks is missing: a private_key_jwt client needs its public keys, as a JWK Set."),
        ({"scope": "admin"}, "default_scope holds 'read', which is not in scope."),
    ],
)
def test_refused_update_changes_nothing(changes, sentence, run, write, client, app, oauth):
    assert_refused(run("update", CLIENT_ID, write(changes)), sentence)

    assert clients_of(app, oauth)[CLIENT_ID].version == client.version


# --- disable, enable, remove ------------------------------------------------------------------------------
def test_disabled_client_is_out_until_it_is_enabled(run, client, ask_token):
    assert ask_token().status_code == 200

    assert run("disable", CLIENT_ID).stdout == "Client console is disabled.\n"
    assert ask_token().json == INVALID_CLIENT

    assert run("update", CLIENT_ID, "--enable").exit_code == 0
    assert ask_token().status_code == 200


def test_removed_client_is_gone(run, client, ask_token, app, oauth):
    assert run("remove", CLIENT_ID, "--yes").stdout == "Client console is removed.\n"

    assert ask_token().json == INVALID_CLIENT
    assert clients_of(app, oauth) == {}


def test_disable_and_remove_print_for_scripts(run, client):
    assert json.loads(run("disable", CLIENT_ID, "--json").stdout)["enabled"] is False
    assert json.loads(run("remove", CLIENT_ID, "--json", "--yes").stdout)["client_id"] == CLIENT_ID


@pytest.mark.parametrize("command", ["update", "show", "disable", "remove"])
def test_unknown_client_is_a_sentence(command, run, client):
    assert_refused(run(command, "nobody"), "No client 'nobody' is registered.")


@pytest.mark.parametrize("command", ["update", "show", "disable", "remove"])
def test_command_without_a_client_id_says_so(command, run):
    outcome = run(command)

    assert outcome.exit_code == 2
    assert "Missing argument 'CLIENT_ID'." in outcome.stderr


@pytest.mark.parametrize("words", ["list", "show console", "disable console", "remove console", "update console"])
def test_database_without_tables_is_a_sentence(words, run, server):
    app, _, db = server
    with app.app_context():
        db.drop_all()

    assert_refused(
        run(*words.split()),
        "The database did not answer: database: OperationalError 'no such table: oauth2_client'; "
        "tables or columns are missing: run `flask db upgrade`.",
    )


def test_add_to_a_database_without_tables_is_a_sentence(run, server, metadata_file):
    app, _, db = server
    with app.app_context():
        db.drop_all()

    assert "run `flask db upgrade`." in run("add", metadata_file).stderr


# --- vouch --------------------------------------------------------------------------------------------------
def test_operator_vouches_for_a_client_and_withdraws_it(run, client, app, oauth):
    withdrawn = run("vouch", CLIENT_ID, "--withdraw")
    assert withdrawn.stdout == "Client console is treated as a client that registered itself.\n"
    assert run("list", "--lines").stdout == "console  [Bearer or DPoP]  read write  registered itself\n"

    assert run("vouch", CLIENT_ID).stdout == "Client console is treated as your own.\n"
    assert clients_of(app, oauth)[CLIENT_ID].registered_by == "operator"
    assert run("list", "--lines").stdout == "console  [Bearer or DPoP]  read write\n"


def test_nobody_vouches_for_a_client_that_is_not_there(run):
    assert_refused(run("vouch", "nobody"), "No client 'nobody' is registered.")


# --- the operator's terminal ------------------------------------------------------------------------------
ESCAPE = "\x1b[2J"


def test_list_escapes_what_the_terminal_would_obey(server, run, client):
    """A row that something else wrote: the registry refuses it."""
    app, _, db = server
    with app.app_context(), db.engine.begin() as connection:
        written = json.dumps({"grant_types": ["client_credentials"], "scope": f"read{ESCAPE}"})
        connection.exec_driver_sql("UPDATE oauth2_client SET client_metadata = ?", (written,))

    listed = run("list", "--lines").output

    assert ESCAPE not in listed
    assert listed == "console  [Bearer or DPoP]  read\\x1b[2J\n"


def test_names_of_unknown_members_are_escaped(run, write, metadata):
    outcome = run("add", write({**metadata, f"padding{ESCAPE}": 1}))

    assert outcome.exit_code == 0
    assert outcome.stderr == "Note: padding\\x1b[2J is not a member this server knows; it is ignored.\n"


def test_refusals_are_escaped(run):
    outcome = run("show", f"nobody\u202e{ESCAPE}")

    assert outcome.exit_code == 2
    assert ESCAPE not in outcome.stderr
    assert "\u202e" not in outcome.stderr


def test_json_is_escaped(server, run, client):
    app, _, db = server
    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE oauth2_client SET owner = char(27) || '[2J' || char(127)")

    shown = run("show", CLIENT_ID).output

    assert json.loads(shown)["owner"] == "\x1b[2J\x7f"
    assert "\x1b" not in shown
