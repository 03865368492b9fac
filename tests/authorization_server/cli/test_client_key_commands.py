"""``flask oauth2 client keys``, ``add-key`` and ``retire-key``: a client changes over without a failed request."""

import json

import pytest

from flask_private_key_jwt.authorization_server.keys.client_keys import ClientKeys
from flask_private_key_jwt.authorization_server.keys.remote_documents import DocumentUnavailable
from flask_private_key_jwt.errors import InvalidClientMetadata
from flask_private_key_jwt.fetching.safe_fetch import FetchedDocument, SafeFetcher
from flask_private_key_jwt.jose.certificates import build_self_signed, jwk_of, load_certificate
from tests.conftest import CLIENT_ID, INVALID_CLIENT, START

HOUR = 3600
DAY = 86400


@pytest.fixture
def run(app):
    """Run ``flask oauth2 client …`` and give its outcome; ``text`` is standard input."""

    def run(*words, text=None):
        return app.test_cli_runner().invoke(args=["oauth2", "client", *map(str, words)], input=text)

    return run


@pytest.fixture
def run_well(run):
    """Run a command that must succeed without a word on standard error; gives its output."""

    def run_well(*words, text=None):
        outcome = run(*words, text=text)
        assert (outcome.exit_code, outcome.stderr) == (0, "")
        return outcome.stdout

    return run_well


@pytest.fixture
def write(tmp_path):
    """Write a file for a command to read."""

    def write(content, name="next.json"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


@pytest.fixture
def next_key(keys):
    return keys("ES256", "next")


@pytest.fixture
def next_file(write, next_key):
    return write(next_key.public_jwk())


@pytest.fixture
def build_certificate():
    def build_certificate(key, days=30):
        return build_self_signed(key, common_name="console", days=days, now=START)

    return build_certificate


@pytest.fixture
def kids(app, oauth, client):
    """The ``kid`` of every registered key, in order."""

    def kids():
        with app.app_context():
            return [entry.get("kid") for entry in oauth.clients.get(CLIENT_ID).jwks["keys"]]

    return kids


@pytest.fixture
def sign_in(ask_token, build_assertion):
    """The status of a token request signed by *key*."""
    return lambda key: ask_token(assertion=build_assertion(key=key)).status_code


def assert_refused(outcome, sentence):
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    assert outcome.stderr == f"Error: {sentence}\n"


# --- the whole change -------------------------------------------------------------------------------------
def test_client_changes_over_without_a_refused_request(
    run, run_well, sign_in, client_key, next_key, next_file, clock, kids, ask_token, build_assertion
):
    old, new = client_key.public.kid or client_key.public.thumbprint, next_key.public.thumbprint
    assert sign_in(client_key) == 200

    run_well("add-key", CLIENT_ID, next_file)
    assert (sign_in(client_key), sign_in(next_key)) == (200, 200)

    clock.move(DAY)
    assert sign_in(next_key) == 200
    listed = json.loads(run_well("keys", CLIENT_ID, "--json"))
    assert {entry["kid"]: entry["last_signed_at"] for entry in listed} == {old: START, new: START + DAY}

    run_well("retire-key", CLIENT_ID, old, "--yes")
    assert kids() == [new]
    assert sign_in(next_key) == 200
    refused = ask_token(assertion=build_assertion(key=client_key))
    assert (refused.status_code, refused.json) == (400, INVALID_CLIENT)


# --- keys -------------------------------------------------------------------------------------------------
def test_keys_are_shown_for_people(run_well, client, sign_in, client_key, next_key, next_file, clock):
    sign_in(client_key)
    clock.move(2 * DAY)
    run_well("add-key", CLIENT_ID, next_file)
    clock.move(HOUR)

    assert run_well("keys", CLIENT_ID) == (
        f"kid         {client_key.public.thumbprint}\n"
        "algorithms  ES256 (EC)\n"
        "added       2027-01-15 08:00 UTC, 2 days ago\n"
        "last signed 2027-01-15 08:00 UTC, 2 days ago\n"
        "\n"
        f"kid         {next_key.public.thumbprint}\n"
        "algorithms  ES256 (EC)\n"
        "added       2027-01-17 08:00 UTC, 1 hour ago\n"
        "last signed never\n"
    )


def test_keys_are_shown_for_scripts(run_well, client, sign_in, client_key, clock):
    clock.move(90)
    sign_in(client_key)

    assert json.loads(run_well("keys", CLIENT_ID, "--json")) == [
        {
            "kid": client_key.public.thumbprint,
            "thumbprint": client_key.public.thumbprint,
            "kty": "EC",
            "algs": ["ES256"],
            "is_current": True,
            "added_at": START,
            "last_signed_at": START + 90,
            "certificate_sha1": None,
            "certificate_not_before": None,
            "certificate_not_after": None,
        }
    ]


@pytest.mark.parametrize(("moved", "remark"), [(-1, "not yet"), (0, "valid"), (30 * DAY + 1, "expired")])
def test_certificate_of_a_key_is_shown(run, register, keys, build_certificate, clock, moved, remark):
    certificate = load_certificate(build_certificate(keys("RS256", "certified")))
    register(client_id="net", jwks={"keys": [jwk_of(certificate)]})
    clock.move(moved)

    lines = run("keys", "net").stdout.splitlines()

    assert lines[0] == f"kid         {certificate.sha1_hex}"
    assert lines[1] == "algorithms  PS256, PS384, PS512, RS256, RS384, RS512 (RSA)"
    assert lines[-1] == (
        f"certificate {remark}, from 2027-01-15 08:00 UTC to 2027-02-14 08:00 UTC, SHA-1 {certificate.sha1_hex}"
    )


def test_certificate_that_ends_soon_is_noted(run, register, client_key, build_certificate):
    certificate = load_certificate(build_certificate(client_key))
    register(client_id="net", jwks={"keys": [jwk_of(certificate)]})

    outcome = run("keys", "net", "--json")

    assert json.loads(outcome.stdout)[0]["certificate_not_after"] == START + 30 * DAY
    assert outcome.stderr == (
        f"Note: the certificate of key '{certificate.sha1_hex}' expires in 30 days, on 2027-02-14.\n"
    )


def test_new_key_that_signs_nothing_is_noted(run, run_well, client, sign_in, client_key, next_key, next_file, clock):
    clock.move(60)
    run_well("add-key", CLIENT_ID, next_file)
    clock.move(2 * HOUR)
    sign_in(client_key)
    clock.move(DAY)

    assert run("keys", CLIENT_ID).stderr == (
        f"Note: key '{next_key.public.thumbprint}', added 1 day ago, has signed nothing yet, "
        f"while '{client_key.public.thumbprint}' goes on signing.\n"
    )


def test_key_without_kid_is_shown_by_its_thumbprint(run_well, register, client_key):
    register(client_id="bare", jwks={"keys": [client_key.public.jwk]})

    assert run_well("keys", "bare").startswith(f"thumbprint  {client_key.public.thumbprint}\n")
    assert json.loads(run_well("keys", "bare", "--json"))[0]["kid"] is None


def test_kid_cannot_write_to_the_terminal(run_well, register, client_key):
    register(client_id="evil", jwks={"keys": [client_key.public_jwk(kid="\x1b[2J\r\nadded never")]})

    shown = run_well("keys", "evil")

    assert "\x1b" not in shown
    assert "\r" not in shown
    assert shown.startswith("kid         \\x1b[2J\\r\\nadded never\n")


def test_keys_of_an_unknown_client_are_refused(run):
    assert_refused(run("keys", "nobody"), "No client 'nobody' is registered.")


@pytest.mark.parametrize(
    "settings", [{"OAUTH2_CLIENT_ID_METADATA_DOCUMENTS": True, "OAUTH2_CLIENT_ID_HOSTS": ["client.example"]}]
)
def test_keys_of_a_client_that_is_a_document_are_shown(settings, run_well, client_key, monkeypatch):
    document = {
        "client_id": "https://client.example/client.json",
        "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": ["client_credentials"],
        "jwks": {"keys": [client_key.public_jwk()]},
    }
    fetched = FetchedDocument(document, json.dumps(document), fresh_for=60)
    monkeypatch.setattr(SafeFetcher, "fetch", lambda _self, _url: fetched)

    shown = run_well("keys", document["client_id"])

    assert shown.startswith(f"kid         {client_key.public.thumbprint}\n")
    assert "added       unknown\nlast signed never\n" in shown


def test_keys_that_cannot_be_fetched_are_refused(run, register, monkeypatch):
    def away(_self, _client):
        raise DocumentUnavailable("'https://client.example/jwks.json' cannot be had")

    monkeypatch.setattr(ClientKeys, "all", away)
    register(client_id="remote", jwks_uri="https://client.example/jwks.json")

    assert_refused(
        run("keys", "remote"), "The client's keys cannot be had: 'https://client.example/jwks.json' cannot be had."
    )


# --- add-key ----------------------------------------------------------------------------------------------
def test_key_is_added_beside_the_old_one(run_well, kids, next_file, client_key, next_key):
    said = run_well("add-key", CLIENT_ID, next_file)

    assert said == "Client console may sign with the new key, too.\n"
    assert kids() == [client_key.public.thumbprint, next_key.public.thumbprint]


def public_pem(key):
    return key.native.as_pem(private=False)


@pytest.mark.parametrize(
    "build",
    [
        lambda key: key.public_jwk(),
        lambda key: {"keys": [key.public_jwk()]},
        lambda key: {"jwks": {"keys": [key.public_jwk()]}},
        public_pem,
        lambda key: b"\xef\xbb\xbf" + json.dumps(key.public_jwk()).encode(),
    ],
    ids=["a JWK", "a JWK Set", "a registration", "a PEM", "with a byte order mark"],
)
def test_key_is_read_in_every_form_it_comes_in(build, run_well, kids, write, next_key, sign_in):
    run_well("add-key", CLIENT_ID, write(build(next_key)))

    assert kids()[1] == next_key.public.thumbprint
    assert sign_in(next_key) == 200


def test_key_is_read_from_standard_input(run_well, kids, next_key):
    run_well("add-key", CLIENT_ID, "-", text=json.dumps(next_key.public_jwk()))

    assert kids()[1] == next_key.public.thumbprint


def test_several_keys_are_added_at_once(run_well, kids, write, next_key, keys):
    run_well("add-key", CLIENT_ID, write({"keys": [next_key.public_jwk(), keys("EdDSA").public_jwk()]}))

    assert kids()[1:] == [next_key.public.thumbprint, keys("EdDSA").public.thumbprint]


def test_key_is_added_with_its_certificate(run_well, kids, write, next_key, build_certificate, sign_in):
    pem = build_certificate(next_key)

    run_well("add-key", CLIENT_ID, "--certificate", write(pem, "next.pem"))

    assert kids()[1] == load_certificate(pem).sha1_hex


def test_new_certificate_of_the_same_key_is_added_beside_the_old_one(
    run_well, run, kids, write, client_key, build_certificate
):
    old, new = build_certificate(client_key), build_certificate(client_key, days=400)
    run_well("add-key", CLIENT_ID, "--certificate", write(old, "old.pem"))
    run_well("add-key", CLIENT_ID, "--certificate", write(new, "new.pem"))
    assert kids()[1:] == [load_certificate(pem).sha1_hex for pem in (old, new)]

    assert run("retire-key", CLIENT_ID, load_certificate(old).sha1_hex, "--yes").exit_code == 0
    assert kids()[1:] == [load_certificate(new).sha1_hex]


def test_registration_is_printed_after_adding(run_well, client, next_file, next_key):
    printed = json.loads(run_well("add-key", CLIENT_ID, next_file, "--json"))

    assert printed["jwks"]["keys"][1] == next_key.public_jwk()


def test_other_members_stay_as_they_are(run_well, client, next_file, app, oauth):
    run_well("add-key", CLIENT_ID, next_file)

    with app.app_context():
        after = oauth.clients.get(CLIENT_ID)
    assert (after.scope, after.default_scope) == (client.scope, client.default_scope)


def refusals_of_add_key(client_key, next_key, keys):
    next_jwk = next_key.public_jwk()
    return {
        "registered already": (client_key.public_jwk(), f"key '{client_key.public.thumbprint}' is registered already"),
        "twice": ({"keys": [next_jwk, next_jwk]}, f"key '{next_key.public.thumbprint}' is registered already"),
        "kid taken": (
            next_key.public_jwk(kid=client_key.public.thumbprint),
            f"another key of the client has the kid '{client_key.public.thumbprint}'",
        ),
        "private": (next_key.as_jwk(), "nothing to add: the set holds private or symmetric key material"),
        "for encryption": ({**next_jwk, "use": "enc"}, "nothing to add: the key's use is 'enc', not sig"),
        "one unusable": (
            {"keys": [next_jwk, {"kty": "oct"}]},
            "nothing to add: kty 'oct' is not EC, OKP or RSA",
        ),
        "none": ({"keys": []}, "nothing to add: the set is empty"),
        "no list": ({"keys": "abc"}, "nothing to add: not a JWK Set: no list of keys"),
        "no key": ({"favourite": "blue"}, "nothing to add: kty None is not EC, OKP or RSA"),
        "odd jwks": ({"jwks": [1]}, "nothing to add: the key is not a JSON object"),
        "too many": (
            {"keys": [{**next_jwk, "kid": str(number)} for number in range(20)]},
            "jwks: more than 20 keys",
        ),
    }


@pytest.mark.parametrize(
    "case",
    [
        "registered already",
        "twice",
        "kid taken",
        "private",
        "for encryption",
        "one unusable",
        "none",
        "no list",
        "no key",
        "odd jwks",
        "too many",
    ],
)
def test_key_that_cannot_be_added_is_refused(case, run, kids, write, client_key, next_key, keys):
    content, sentence = refusals_of_add_key(client_key, next_key, keys)[case]

    assert_refused(run("add-key", CLIENT_ID, write(content)), f"{sentence}.")
    assert kids() == [client_key.public.thumbprint]


def test_key_of_another_algorithm_than_the_registered_one_is_refused(run, register, keys, client_key, write):
    register(client_id="es", jwks={"keys": [client_key.public_jwk()]}, token_endpoint_auth_signing_alg="ES256")
    other = keys("EdDSA")

    outcome = run("add-key", "es", write(other.public_jwk()))

    assert_refused(outcome, f"key '{other.public.thumbprint}' cannot be used with ES256.")


def test_expired_certificate_is_refused(run, kids, write, next_key, build_certificate, clock):
    pem = build_certificate(next_key)
    clock.move(31 * DAY)

    outcome = run("add-key", CLIENT_ID, "--certificate", write(pem, "next.pem"))

    assert outcome.exit_code == 2
    assert outcome.stderr.endswith(f"Error: the certificate of key '{load_certificate(pem).sha1_hex}' is expired.\n")
    assert len(kids()) == 1


def test_certificate_whose_time_has_not_come_is_added(run, kids, write, next_key, build_certificate, clock, sign_in):
    clock.move(-DAY)
    outcome = run("add-key", CLIENT_ID, "--certificate", write(build_certificate(next_key), "next.pem"))

    assert outcome.exit_code == 0
    assert len(kids()) == 2


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_file_without_a_key_is_refused(content, run, kids, write):
    path = write(content)

    outcome = run("add-key", CLIENT_ID, path)

    assert outcome.exit_code == 2
    assert outcome.stderr.startswith(f"Error: {path}: ")
    assert outcome.stderr.endswith(
        " It must hold public keys: a JWK, a JWK Set, what `keygen` wrote for the registration, or one PEM.\n"
    )


def test_private_pem_is_refused_and_not_quoted(run, kids, write, next_key):
    outcome = run("add-key", CLIENT_ID, write(next_key.as_pem()))

    assert outcome.exit_code == 2
    assert "not a public key in PEM" in outcome.stderr
    assert next_key.as_jwk()["d"][:10] not in outcome.output


@pytest.mark.parametrize("words", [[], ["FILE", "--certificate", "FILE"]])
def test_add_key_needs_a_file_or_a_certificate(words, run, client, next_file):
    outcome = run("add-key", CLIENT_ID, *(next_file if word == "FILE" else word for word in words))

    assert_refused(outcome, "Give a FILE with the client's next public key, or its --certificate.")


def test_key_of_an_unknown_client_is_not_added(run, next_file):
    assert_refused(run("add-key", "nobody", next_file), "No client 'nobody' is registered.")


# --- retire-key -------------------------------------------------------------------------------------------
@pytest.fixture
def both(run_well, client, next_file):
    """The usual client with its next key added."""
    run_well("add-key", CLIENT_ID, next_file)


def test_key_is_retired(run_well, both, kids, client_key, next_key, sign_in):
    assert sign_in(next_key) == 200

    said = run_well("retire-key", CLIENT_ID, client_key.public.thumbprint, "--yes")

    assert said == f"Client console no longer has the key {client_key.public.thumbprint}.\n"
    assert kids() == [next_key.public.thumbprint]


def test_key_is_retired_by_its_thumbprint(run, register, app, oauth, client_key, next_key):
    register(client_id="bare", jwks={"keys": [client_key.public.jwk, next_key.public_jwk(kid="next")]})

    assert run("retire-key", "bare", client_key.public.thumbprint, "--yes").exit_code == 0
    with app.app_context():
        assert [entry["kid"] for entry in oauth.clients.get("bare").jwks["keys"]] == ["next"]


@pytest.mark.parametrize("fold", [str.upper, str.lower])
def test_key_is_retired_by_its_certificates_thumbprint(
    fold, run, both, write, kids, client_key, next_key, build_certificate
):
    pem = build_certificate(next_key)
    run("add-key", CLIENT_ID, "--certificate", write(pem, "next.pem"))

    assert run("retire-key", CLIENT_ID, fold(load_certificate(pem).sha1_hex), "--yes").exit_code == 0
    assert kids() == [client_key.public.thumbprint, next_key.public.thumbprint]


def test_retired_key_is_refused_at_once(run, both, client_key, sign_in, next_key):
    assert sign_in(client_key) == 200
    run("retire-key", CLIENT_ID, client_key.public.thumbprint, "--yes")

    assert (sign_in(client_key), sign_in(next_key)) == (400, 200)


def test_retiring_is_noted_when_no_other_key_has_signed(run, both, client_key, sign_in):
    sign_in(client_key)

    outcome = run("retire-key", CLIENT_ID, client_key.public.thumbprint, "--yes")

    assert outcome.exit_code == 0
    assert outcome.stderr == "Note: none of its other keys has signed anything yet.\n"


def test_last_key_is_not_retired(run, kids, client_key, sign_in):
    kid = client_key.public.thumbprint

    outcome = run("retire-key", CLIENT_ID, kid, "--yes")

    assert_refused(outcome, f"key '{kid}' is the last one that client 'console' can sign with; add the next one first.")
    assert kids() == [kid]
    assert sign_in(client_key) == 200


def last_ones(client_key, next_key, keys, build_certificate):
    """Further keys of a client none of which it can sign with now."""
    certificate = load_certificate(build_certificate(next_key, days=1))
    return {
        "expired": {**jwk_of(certificate), "kid": "other"},
        "of another algorithm": keys("EdDSA").public_jwk(kid="other"),
        "for encryption": next_key.public_jwk(kid="other", use="enc"),
        "unknown": {"kty": "AKP", "kid": "other"},
    }


@pytest.mark.parametrize("case", ["expired", "of another algorithm", "for encryption", "unknown"])
def test_last_key_that_works_is_not_retired(
    case, run, register, client_key, next_key, keys, build_certificate, clock, app, oauth
):
    other = last_ones(client_key, next_key, keys, build_certificate)[case]
    jwks = {"keys": [client_key.public_jwk(), other]}
    register(client_id="es", jwks=jwks, token_endpoint_auth_signing_alg="ES256")
    clock.move(2 * DAY)

    outcome = run("retire-key", "es", client_key.public.thumbprint, "--yes")
    assert outcome.exit_code == 2
    assert "is the last one that client 'es' can sign with" in outcome.stderr

    assert run("retire-key", "es", "other", "--yes").exit_code == 0
    with app.app_context():
        assert oauth.clients.get("es").jwks == {"keys": [client_key.public_jwk()]}


@pytest.mark.parametrize("kid", ["unknown", "", "x" * 500, "\x1b[2J"])
def test_unknown_key_is_not_retired(kid, run, both, kids):
    assert_refused(run("retire-key", CLIENT_ID, kid, "--yes"), f"the client has no key {kid[:100]!r}.")
    assert len(kids()) == 2


def test_kid_of_several_keys_names_none(run, register, client_key, next_key, keys):
    same = [key.public_jwk(kid="same") for key in (client_key, next_key)]
    register(client_id="twins", jwks={"keys": [*same, keys("EdDSA").public_jwk()]})

    outcome = run("retire-key", "twins", "same", "--yes")
    assert_refused(outcome, "'same' names several keys; give its thumbprint, or its certificate's.")

    assert run("retire-key", "twins", next_key.public.thumbprint, "--yes").exit_code == 0


def test_kid_may_begin_with_a_dash(run, register, client_key, keys):
    jwks = {"keys": [client_key.public_jwk(kid="-Yes-"), keys("EdDSA").public_jwk()]}
    register(client_id="dashing", jwks=jwks)

    assert run("retire-key", "dashing", "-Yes-", "--yes").exit_code == 0


def test_key_of_an_unknown_client_is_not_retired(run):
    assert_refused(run("retire-key", "nobody", "k", "--yes"), "No client 'nobody' is registered.")


@pytest.mark.parametrize("command", ["add-key", "retire-key"])
def test_keys_at_a_url_are_changed_there(command, run, register, next_file, client_key):
    url = "https://client.example/jwks.json"
    register(client_id="remote", jwks_uri=url)

    words = [next_file] if command == "add-key" else [client_key.public.thumbprint, "--yes"]
    outcome = run(command, "remote", *words)

    assert_refused(outcome, f"client 'remote' publishes its keys at {url!r}, and adds and retires them there.")


# --- two operators at once --------------------------------------------------------------------------------
def test_of_two_keys_added_at_once_none_is_lost(app, oauth, client, kids, client_key, next_key, keys, monkeypatch):
    """The second operator's change comes between the first one's look and write."""
    third, build = keys("EdDSA"), registry(app).build

    def build_late(metadata, **options):
        monkeypatch.setattr(registry(app), "build", build)
        oauth.clients.add_keys(CLIENT_ID, {"keys": [third.public_jwk()]})
        return build(metadata, **options)

    monkeypatch.setattr(registry(app), "build", build_late)
    with app.app_context():
        oauth.clients.add_keys(CLIENT_ID, {"keys": [next_key.public_jwk()]})

    assert sorted(kids()) == sorted(key.public.thumbprint for key in (client_key, next_key, third))


def test_of_two_operators_who_retire_one_key_each_the_second_is_refused(app, oauth, both, kids, monkeypatch):
    """Otherwise the client would be left without any."""
    old, new = kids()
    build = registry(app).build

    def build_late(metadata, **options):
        monkeypatch.setattr(registry(app), "build", build)
        oauth.clients.retire_key(CLIENT_ID, old)
        return build(metadata, **options)

    monkeypatch.setattr(registry(app), "build", build_late)
    with app.app_context(), pytest.raises(InvalidClientMetadata):
        oauth.clients.retire_key(CLIENT_ID, new)

    assert kids() == [new]


def registry(app):
    return app.extensions["private_key_jwt"].clients


def test_next_certificate_may_bring_a_name_and_goes_by_its_thumbprints_too(
    run, run_well, write, kids, next_key, build_certificate
):
    path = write(build_certificate(next_key), "next.pem")
    run_well("add-key", CLIENT_ID, "--certificate", path, "--kid", "2027")

    assert kids()[-1] == "2027"
    assert run("retire-key", CLIENT_ID, load_certificate(path.read_bytes()).x5t_s256, "--yes").exit_code == 0
    assert "2027" not in kids()


def test_name_without_a_certificate_is_refused(run, next_file, client):
    assert_refused(
        run("add-key", CLIENT_ID, next_file, "--kid", "2027"),
        "--kid names the key of a --certificate; a key in a FILE has its own kid.",
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_next_key_that_windows_tools_saved_is_read(encoding, run_well, write, kids, next_key):
    run_well("add-key", CLIENT_ID, write(json.dumps(next_key.public_jwk()).encode(encoding)))

    assert kids()[-1] == next_key.public.thumbprint
