"""registration.py: what a client may be registered with (RFC 7591 §2), and the sentence that refuses the rest."""

import pytest

from flask_private_key_jwt.authorization_server.grants.scope import MAX_SCOPE_CHARACTERS
from flask_private_key_jwt.authorization_server.keys.client_keys import MAX_KEYS
from flask_private_key_jwt.authorization_server.registration.metadata import (
    build_client,
    describe_client,
    unknown_members,
)
from flask_private_key_jwt.errors import InvalidClientMetadata
from flask_private_key_jwt.jose.certificates import build_self_signed, jwk_of, load_certificate
from flask_private_key_jwt.settings.reading import read
from flask_private_key_jwt.settings.server import ServerSettings
from tests.conftest import START

GRANT_TYPES = ["client_credentials", "urn:example:own"]


@pytest.fixture
def jwk(client_key):
    return client_key.public_jwk()


@pytest.fixture
def build(jwk):
    """A valid registration, changed: ``build(scope=5)``; ``settings`` are the server's, ``options`` build_client's."""

    def build(settings=None, options=None, **changes):
        metadata = {"client_id": "console", "jwks": {"keys": [jwk]}, "scope": "read write", **changes}
        server = read({"OAUTH2_ISSUER": "https://as.example", **(settings or {})}, ServerSettings)
        return build_client(metadata, settings=server, grant_types=GRANT_TYPES, version="1", **(options or {}))

    return build


@pytest.fixture
def refusal_of(build):
    def refusal_of(settings=None, **changes):
        with pytest.raises(InvalidClientMetadata) as caught:
            build(settings, **changes)
        return caught.value.reason

    return refusal_of


# --- the whole --------------------------------------------------------------------------------------------
def test_registration_with_keys_only_has_safe_defaults(jwk, build):
    client = build(client_id=None, scope=None)

    assert len(client.client_id) == 32
    assert client.enabled
    assert client.grant_types == {"client_credentials"}
    assert (client.scope, client.default_scope) == (frozenset(), ())
    assert client.token_endpoint_auth_method == "private_key_jwt"
    assert client.token_endpoint_auth_signing_alg is None
    assert client.dpop_bound_access_tokens is False
    assert client.assertion_audience == "issuer"
    assert (client.client_name, client.owner, client.metadata) == (None, None, {})


def test_full_registration_is_described_as_it_was_given(build, jwk):
    given = {
        "client_id": "console",
        "client_name": "Konsole für Tests",
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "grant_types": ["client_credentials", "urn:example:own"],
        "scope": "read write",
        "default_scope": "write read",
        "dpop_bound_access_tokens": True,
        "jwks": {"keys": [jwk]},
        "client_uri": "https://console.example",
        "contacts": ["ops@console.example"],
        "software_id": "4b9c",
        "assertion_audience": "compatibility",
        "owner": "team 5",
        "enabled": False,
    }

    assert describe_client(build(**given)) == given
    assert describe_client(build(**describe_client(build(**given)))) == given


@pytest.mark.parametrize(
    "member",
    ["client_id", "scope", "grant_types", "token_endpoint_auth_method", "assertion_audience", "enabled", "owner"],
)
def test_null_counts_as_absent(member, build):
    assert build(**{member: None})


def test_registration_that_is_too_large_is_refused(refusal_of, build):
    pages = [f"https://console.example/{number:04}{'x' * 1990}" for number in range(20)]

    assert build(redirect_uris=pages[:8], options={"max_bytes": 20000})
    assert refusal_of(redirect_uris=pages[:10], options={"max_bytes": 20000}).endswith(
        " bytes, and at most 20000 are kept"
    )


def test_size_is_counted_in_bytes(refusal_of, build):
    assert build(contacts=["x" * 2000] * 4, options={"max_bytes": 10000})
    assert refusal_of(contacts=["ü" * 2000] * 4, options={"max_bytes": 10000}).startswith("the registration has 163")


def test_operator_has_room_for_the_most_keys_with_certificates(build, keys):
    key = keys("RS256", rsa_bits=4096)
    jwk = jwk_of(load_certificate(build_self_signed(key, common_name="a", days=9, now=START)))

    assert build(jwks={"keys": [{**jwk, "kid": str(number)} for number in range(MAX_KEYS)]})


def test_unknown_members_are_named_and_not_stored(build):
    client = build(favourite_colour="blue", tos_uri="https://console.example/terms")

    assert client.metadata == {"tos_uri": "https://console.example/terms"}
    assert unknown_members({"scope": "", "favourite_colour": ""}) == ["favourite_colour"]


# --- an application's own grants --------------------------------------------------------------------------
OWN = "urn:example:own"
NAMED = {"OAUTH2_REGISTRATION_GRANT_TYPES": [OWN]}
TRUSTED = {"OAUTH2_REGISTRATION_TRUSTED": True}


@pytest.mark.parametrize(
    ("registered_by", "settings"),
    [("operator", {}), ("client", TRUSTED), ("client", NAMED), ("document", NAMED)],
    ids=["operator", "trusted", "named", "named document"],
)
def test_own_grant_is_for_whom_it_is_made(build, registered_by, settings):
    client = build(settings, {"registered_by": registered_by}, grant_types=[OWN])

    assert (client.grant_types, client.registered_by) == ({OWN}, registered_by)


@pytest.mark.parametrize(
    ("registered_by", "settings"),
    [("client", {}), ("document", {}), ("document", TRUSTED), ("client", {"OAUTH2_REGISTRATION_GRANT_TYPES": ["o"]})],
    ids=["client", "document", "trusted document", "another is named"],
)
def test_own_grant_is_not_for_strangers(refusal_of, registered_by, settings):
    reason = refusal_of(settings, options={"registered_by": registered_by}, grant_types=["client_credentials", OWN])

    assert reason.startswith("grant type 'urn:example:own' is the application's own, for the operator's clients")


# --- client_id --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("client_id", ["a", "console", "https://console.example/#id", "a b", "~" * 255])
def test_client_id_is_kept_as_it_is(client_id, build):
    assert build(client_id=client_id).client_id == client_id


@pytest.mark.parametrize("client_id", [" ", "~" * 256, "cönsole", "a\nb", "a\x00", "\x7f", 5, ["a"], True])
def test_other_client_id_is_refused(client_id, refusal_of):
    assert refusal_of(client_id=client_id) == "client_id is not a string of 1 to 255 printable ASCII characters"


def test_made_client_ids_differ_and_are_no_options(build):
    made = {build(client_id=None).client_id for _ in range(200)}

    assert len(made) == 200
    assert not any(client_id.startswith("-") for client_id in made)


# --- keys -------------------------------------------------------------------------------------------------
def test_of_a_key_only_known_members_are_kept(build, jwk):
    sent = {**jwk, "x5u": "https://console.example", "ext": True, "padding": "x" * 40000, "exp": {"a": [1]}}
    client = build(jwks={"keys": [sent], "padding": "x" * 40000})

    assert client.jwks == {"keys": [jwk]}
    assert describe_client(client)["jwks"] == {"keys": [jwk]}


def test_every_known_member_of_a_key_is_kept(build, client_key):
    certificate = jwk_of(load_certificate(build_self_signed(client_key, common_name="a", days=9, now=START)))
    jwk = {**certificate, "alg": "ES256", "key_ops": ["verify"]}

    assert build(jwks={"keys": [jwk]}).jwks == {"keys": [jwk]}


def test_of_a_certificate_chain_the_first_certificate_is_kept(build, client_key):
    jwk = jwk_of(load_certificate(build_self_signed(client_key, common_name="a", days=9, now=START)))

    client = build(jwks={"keys": [{**jwk, "x5c": [*jwk["x5c"], "M" * 30000, "no certificate"]}]})

    assert client.jwks == {"keys": [jwk]}


@pytest.mark.parametrize(
    "other",
    [
        5,
        "key",
        None,
        ["kty"],
        {"kty": "EC", "use": 5},
        {"kid": {"a": "b"}},
        {"key_ops": "verify"},
        {"key_ops": [[]]},
        {"kid": "\ud800"},
    ],
    ids=ascii,
)
def test_entry_that_is_no_key_is_not_kept(build, jwk, other):
    assert build(jwks={"keys": [jwk, other]}).jwks == {"keys": [jwk]}


def test_member_of_another_type_never_leaves_a_key_that_may_do_more(build, jwk, keys):
    second = keys("ES256", "second").public_jwk(use=["enc"])

    assert build(jwks={"keys": [jwk, second]}).jwks == {"keys": [jwk]}


def test_key_for_another_use_is_kept_as_far_as_it_is_known(build, jwk, keys):
    second = keys("ES256", "second").public_jwk(use="enc")

    assert build(jwks={"keys": [jwk, {**second, "padding": "x"}]}).jwks == {"keys": [jwk, second]}


@pytest.mark.parametrize("jwks", [None, [], "keys", 5, "https://console.example/jwks"])
def test_registration_without_a_key_set_is_refused(jwks, refusal_of):
    sentence = "jwks is missing: a private_key_jwt client needs its public keys, as a JWK Set"
    assert refusal_of(jwks=jwks) == sentence


@pytest.mark.parametrize("url", ["https://keys.console.example/jwks?tenant=1", "https://keys.console.example:443"])
def test_keys_at_a_url_are_accepted_and_described(url, build):
    client = build(jwks=None, jwks_uri=url)

    assert (client.jwks, client.jwks_uri) == (None, url)
    assert describe_client(client)["jwks_uri"] == url
    assert "jwks" not in describe_client(client)
    assert unknown_members({"jwks_uri": url}) == []


def test_keys_in_two_places_are_refused(jwk, refusal_of):
    reason = refusal_of(jwks={"keys": [jwk]}, jwks_uri="https://keys.console.example/jwks")

    assert reason == "jwks and jwks_uri are both there; a client has its keys in one place"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (5, "jwks_uri is not a string"),
        (["https://keys.console.example"], "jwks_uri is not a string"),
        ("http://keys.console.example/jwks", "jwks_uri: the URL is not https"),
        ("ftp://keys.console.example/jwks", "jwks_uri: the URL is not https"),
        ("https://keys.console.example:8443/jwks", "jwks_uri: port 8443 is not one of 443"),
        ("https://user@keys.console.example/jwks", "jwks_uri: the URL holds a user name"),
        ("https://keys.console.example/jwks#a", "jwks_uri: the URL has a fragment"),
        ("https://localhost/jwks", "jwks_uri: the URL names this machine"),
        ("https://0x7f.1/jwks", "jwks_uri: address 127.0.0.1 is not public: loopback"),
        ("https://169.254.169.254/latest", "jwks_uri: address 169.254.169.254 is not public: link-local"),
        ("https://keys.console.example/".ljust(2049, "a"), "jwks_uri: the URL is longer than 2048 characters"),
        ("https://keys.console.example/\ud800", "jwks_uri: the URL holds a character that no URL has"),
    ],
)
def test_url_that_is_never_fetched_cannot_be_registered(url, reason, refusal_of):
    assert refusal_of(jwks=None, jwks_uri=url) == reason


def test_settings_say_which_urls_may_be_registered(build, refusal_of):
    settings = {"OAUTH2_FETCH_PORTS": ["8443"], "OAUTH2_JWKS_HOSTS": ["keys.console.example"]}

    assert build(settings, jwks=None, jwks_uri="https://KEYS.console.example:8443/jwks")
    assert refusal_of(settings, jwks=None, jwks_uri="https://evil.example/jwks") == (
        "jwks_uri: host 'evil.example' is not one that may be named"
    )
    assert build({"OAUTH2_FETCH_FROM_LOOPBACK": True}, jwks=None, jwks_uri="http://127.0.0.1:5003/jwks")


def test_signing_algorithm_beside_a_url_must_be_accepted_here(build, refusal_of):
    url = "https://keys.console.example/jwks"

    assert build(jwks=None, jwks_uri=url, token_endpoint_auth_signing_alg="PS256")
    assert "'HS256' is not accepted here" in refusal_of(
        jwks=None, jwks_uri=url, token_endpoint_auth_signing_alg="HS256"
    )


@pytest.mark.parametrize("value", [None, "abc", {}, 5])
def test_key_set_without_a_list_is_refused(value, refusal_of):
    assert refusal_of(jwks={"keys": value}) == "jwks: not a JWK Set: no list of keys"


def test_empty_key_set_is_refused(refusal_of):
    assert refusal_of(jwks={"keys": []}).startswith("jwks holds no public key that can verify ES256 or ")


def test_too_many_keys_are_refused(jwk, build, refusal_of):
    assert build(jwks={"keys": [jwk] * MAX_KEYS})
    assert refusal_of(jwks={"keys": [jwk] * (MAX_KEYS + 1)}) == f"jwks: more than {MAX_KEYS} keys"


def test_private_key_is_refused(client_key, jwk, refusal_of):
    reason = refusal_of(jwks={"keys": [jwk, client_key.as_jwk()]})

    assert reason == "jwks: the set holds private or symmetric key material"
    assert refusal_of(jwks={"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}) == reason


def test_reason_why_no_key_is_usable_is_told(jwk, refusal_of):
    reason = refusal_of(jwks={"keys": [{**jwk, "use": "enc"}, {**jwk, "kty": "AKP"}]})

    assert reason.endswith(" (the key's use is 'enc', not sig; kty 'AKP' is not EC, OKP or RSA)")


def test_key_for_encryption_beside_a_good_one_is_accepted(jwk, build):
    assert build(jwks={"keys": [{**jwk, "use": "enc"}, jwk]})


def test_certificate_of_the_key_is_accepted_and_that_of_another_refused(client_key, keys, build, refusal_of, jwk):
    mine, other = (
        load_certificate(build_self_signed(key, common_name="console", days=1, now=1_800_000_000))
        for key in (client_key, keys("ES256", "other"))
    )

    assert build(jwks={"keys": [jwk_of(mine)]})
    wrong = "jwks: the first x5c certificate holds another key than the JWK"
    assert refusal_of(jwks={"keys": [{**jwk_of(mine), "x5c": [other.der]}]}) == wrong
    assert refusal_of(jwks={"keys": [jwk, {**jwk, "x5c": [other.der]}]}) == wrong
    assert refusal_of(jwks={"keys": [{**jwk, "x5c": "MIIB"}]}) == "jwks: x5c is not a list of base64 certificates"
    assert build(jwks={"keys": [{**jwk_of(mine), "x5t": other.x5t}]})


# --- algorithms and methods -------------------------------------------------------------------------------
def test_signing_algorithm_must_be_accepted_here_and_fit_a_key(build, refusal_of):
    narrowed = {"OAUTH2_ASSERTION_SIGNING_ALGS": ["ES256", "PS256"]}

    assert build(narrowed, token_endpoint_auth_signing_alg="ES256").token_endpoint_auth_signing_alg == "ES256"
    assert refusal_of(narrowed, token_endpoint_auth_signing_alg="PS256") == (
        "jwks holds no public key that can verify PS256"
    )
    for alg in ("ES384", "none", "HS256"):
        assert refusal_of(narrowed, token_endpoint_auth_signing_alg=alg) == (
            f"token_endpoint_auth_signing_alg {alg!r} is not accepted here; it may be ES256, PS256"
        )


def test_key_that_fits_no_accepted_algorithm_is_refused(refusal_of):
    reason = refusal_of({"OAUTH2_ASSERTION_SIGNING_ALGS": ["PS256", "EdDSA"]})

    assert reason == "jwks holds no public key that can verify EdDSA or PS256"


@pytest.mark.parametrize("method", ["none", "client_secret_basic", "client_secret_jwt", " ", 5, ["private_key_jwt"]])
def test_other_authentication_method_is_refused(method, refusal_of):
    assert refusal_of(token_endpoint_auth_method=method) == (
        f"token_endpoint_auth_method {str(method)!r} is not supported; it may be private_key_jwt"
    )


@pytest.mark.parametrize("audience", ["token_endpoint", " ", True, ["issuer"]])
def test_other_assertion_audience_is_refused(audience, refusal_of):
    assert refusal_of(assertion_audience=audience).endswith("is not supported; it may be issuer, compatibility")


@pytest.mark.parametrize("grant_types", [[None], "client_credentials", [5], {"client_credentials": 1}, True])
def test_grant_types_of_another_form_are_refused(grant_types, refusal_of):
    assert refusal_of(grant_types=grant_types) == "grant_types is not a list of grant types"


@pytest.mark.parametrize("grant_type", ["password", "implicit", "authorization_code", "refresh_token", ""])
def test_grant_type_the_server_does_not_answer_is_refused(grant_type, refusal_of):
    assert refusal_of(grant_types=["client_credentials", grant_type]) == (
        f"grant type {grant_type!r} is not supported; it may be client_credentials, urn:example:own"
    )


# --- scopes -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "scope"), [("", set()), ("read", {"read"}), ("b  a b ", {"a", "b"})])
def test_scope_is_read_as_a_set(text, scope, build):
    assert build(scope=text).scope == scope


@pytest.mark.parametrize("name", ["scope", "default_scope"])
@pytest.mark.parametrize("value", [["read"], 5, True, {"read": 1}])
def test_scope_that_is_not_text_is_refused(name, value, refusal_of):
    assert refusal_of(**{name: value}) == f"{name} is not a string of scopes with spaces between"


@pytest.mark.parametrize("token", ['"read"', "rëad", "a\\b", "a\x00", "a\tb", "a\u00a0b"])
def test_scope_with_other_characters_is_refused(token, refusal_of):
    assert refusal_of(scope=f"write {token}") == f"scope holds {token!r}, which is not a scope token"


def test_scope_may_be_as_long_as_a_request_may_ask_for(build, refusal_of):
    assert build(scope="r" * MAX_SCOPE_CHARACTERS)
    assert refusal_of(scope="r" * (MAX_SCOPE_CHARACTERS + 1)) == "scope is longer than 4096 characters"


def test_scope_must_be_one_of_the_servers_when_it_names_any(build, refusal_of):
    narrowed = {"OAUTH2_SCOPES": ["read", "write"]}

    assert build(narrowed, scope="read write")
    assert refusal_of(narrowed, scope="read admin") == "scope holds 'admin', which is not in OAUTH2_SCOPES"


def test_default_scope_must_be_part_of_the_scope(build, refusal_of):
    assert build(scope="read write", default_scope="write read").default_scope == ("write", "read")
    assert refusal_of(scope="read", default_scope="read write") == "default_scope holds 'write', which is not in scope"


# --- flags and texts --------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["enabled", "dpop_bound_access_tokens"])
@pytest.mark.parametrize("value", ["true", 1, 0, [True]])
def test_flag_that_is_no_boolean_is_refused(name, value, refusal_of):
    assert refusal_of(**{name: value}) == f"{name} is not true or false"


@pytest.mark.parametrize(
    ("name", "longest"), [("client_name", 255), ("owner", 255), ("software_id", 2048), ("software_version", 2048)]
)
def test_text_is_accepted_up_to_its_longest_and_refused_beyond(name, longest, build, refusal_of):
    assert build(**{name: "é" * longest})
    assert refusal_of(**{name: "é" * (longest + 1)}).startswith(f"{name} is not a string of 1 to {longest} characters")


@pytest.mark.parametrize("name", ["client_name", "owner", "policy_uri", "token_endpoint_auth_signing_alg"])
@pytest.mark.parametrize("value", [5, ["a"], {"de": "a"}, True, "a\x00b", "\ud800"])
def test_text_no_database_takes_is_refused(name, value, refusal_of):
    assert refusal_of(**{name: value}).startswith(f"{name} is not a string of 1 to ")


BLANK = [
    "\u3164",
    "\u2800",
    "\u115f\u1160",
    "\uffa0",
    "\u034f",
    "\u17b4\u17b5",
    "\u180b",
    "\U0001d159",
    "\ufe0f",
    "\u0301",
]
HIDDEN = [
    "Bank\u3164",
    "\u2800Bank",
    "Ba\u034fnk",
    "Bank\ufeff",
    "Bank\u00ad",
    "\U000e0041Bank",
    "Bank\x1b[2J",
    "Bank\x9b2J",
]
NAMES = [" ", "\u3000", "Bank\n", "a\tb", "\u202eknab", "a\u2066b", "a\u200bb", "\ue000", *BLANK, *HIDDEN]
CONTROLS = ["a\x1b[2Jb", "a\nb", "a\rb", "a\x7fb", "a\x9bb", "a\u202eb", "a\u2028b", "\ufeffa"]


@pytest.mark.parametrize("name", NAMES)
def test_name_that_could_reshape_a_page_is_refused(name, build, refusal_of):
    for seen in ("בנק 銀行 Bank", "❤\ufe0f Bank", "한국은행", "葛\U000e0100飾", "x"):
        assert build(client_name=seen).client_name == seen
    reasons = (
        "client_name is blank, or holds characters that cannot be seen",
        "client_name is not a string of 1 to 255 ",
    )
    assert refusal_of(client_name=name).startswith(reasons)


@pytest.mark.parametrize("contacts", ["ops@console.example", [5], [""], ["a\x00"], ["a"] * 21, {"a": 1}])
def test_contacts_of_another_form_are_refused(contacts, build, refusal_of):
    assert build(contacts=["a"] * 20)
    assert refusal_of(contacts=contacts).startswith("contacts is not a list of at most 20 strings")


@pytest.mark.parametrize("value", CONTROLS, ids=ascii)
@pytest.mark.parametrize("name", ["software_id", "software_version", "owner", "client_name", "client_uri"])
def test_text_that_a_terminal_would_obey_is_refused(name, value, refusal_of):
    assert refusal_of(**{name: value}).startswith((f"{name} is not a string", f"{name} is blank"))


@pytest.mark.parametrize("value", CONTROLS, ids=ascii)
def test_contact_that_a_terminal_would_obey_is_refused(value, build, refusal_of):
    assert build(contacts=["运维 <ops@console.example>", "+49\u00a030\u00a01234"])
    reason = refusal_of(contacts=["ops@console.example", value])
    assert reason == "contacts is not a list of at most 20 strings, or one holds control characters"
