"""Every setting: its default, what it takes, and the sentence that refuses the rest. docs/settings.md is held to it."""

import dataclasses
import json
import logging
import re
from pathlib import Path

import flask
import pytest

from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.settings.reading import READ_BY_AUTHLIB, read
from flask_private_key_jwt.settings.resource import ResourceSettings
from flask_private_key_jwt.settings.server import ServerSettings
from flask_private_key_jwt.settings.shared import SharedSettings
from flask_private_key_jwt.settings.values import ASYMMETRIC_ALGS
from tests.checkout import CHECKOUT

ISSUER = "https://as.example"
API = "https://api.example"
SECRET = "a secret for tests only, long enough"
REQUIRED = {"OAUTH2_ISSUER": ISSUER, "OAUTH2_RESOURCE": API}
SHARED, SERVER, RESOURCE = (
    {field.name for field in dataclasses.fields(kind)} for kind in (SharedSettings, ServerSettings, ResourceSettings)
)


# Where one setting bounds another, the other one's widest value.
BESIDE = {
    "KEY_ANNOUNCE_SECONDS": {"OAUTH2_KEY_SIGN_SECONDS": 63072000},
    "KEY_SIGN_SECONDS": {"OAUTH2_KEY_ANNOUNCE_SECONDS": 900},
    "CLIENT_ID_METADATA_DOCUMENTS": {"OAUTH2_CLIENT_ID_HOSTS": ["client.example"]},
    "LOCALHOST_CLIENT_IDS": {"OAUTH2_PROFILE": "atproto"},
    "PROFILE": {"OAUTH2_CLIENT_ID_SCOPES": ["atproto"]},
}


def read_one(kind, name, value):
    return getattr(read({**REQUIRED, **BESIDE.get(name, {}), f"OAUTH2_{name}": value}, kind), name)


def refusal_of(kind, name, value):
    with pytest.raises(ConfigurationError) as caught:
        read_one(kind, name, value)
    return str(caught.value)


# --- docs/settings.md: the table is the literal the code is compared with --------------------------------
@dataclasses.dataclass(frozen=True)
class Row:
    """A line of docs/settings.md."""

    section: str
    name: str
    type: str
    default: str
    limits: str

    @property
    def kind(self):
        return ResourceSettings if self.section == "API" else ServerSettings


def read_rows():
    text = (CHECKOUT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = []
    section = ""
    for line in text.splitlines():
        if line.startswith("## "):
            section = line[3:]
        cells = [cell.replace("`", "").strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 5 and cells[0].startswith("OAUTH2_"):
            rows.append(Row(section, cells[0].removeprefix("OAUTH2_"), *cells[1:4]))
    return rows


ROWS = read_rows()
NUMBERS = [row for row in ROWS if row.type == "number"]
FLAGS = [row for row in ROWS if row.type == "true or false"]
CHOICES = [row for row in ROWS if row.type == "one of"]
LISTS = [row for row in ROWS if row.type == "list"]


def row_id(row):
    return f"{row.section.split()[0]}-{row.name}"


def test_documentation_names_every_setting_once_in_its_section():
    documented = sorted((row.section, row.name) for row in ROWS)

    assert documented == sorted(
        [("Authorization server", name) for name in SERVER - SHARED]
        + [("API", name) for name in RESOURCE - SHARED]
        + [("Both", name) for name in SHARED]
    )


@pytest.mark.parametrize("row", ROWS, ids=row_id)
def test_default_is_the_documented_one(row):
    default = next(field.default for field in dataclasses.fields(row.kind) if field.name == row.name)

    names = {
        dataclasses.MISSING: "must be set",
        (): "empty",
        ASYMMETRIC_ALGS: "all",
        True: "true",
        False: "false",
        None: "the origin of OAUTH2_RESOURCE" if row.name == "EXTERNAL_URL" else "not set",
    }
    shown = str(default) if type(default) is int else names.get(default, str(default))  # 0 is False, as a key
    assert row.default == shown


@pytest.mark.parametrize("row", NUMBERS, ids=row_id)
def test_number_is_accepted_at_its_documented_limits_and_refused_beyond(row):
    low, high = (int(number) for number in row.limits.split(" to "))

    assert read_one(row.kind, row.name, low) == low
    assert read_one(row.kind, row.name, high) == high
    for beyond in (low - 1, high + 1):
        sentence = f"OAUTH2_{row.name} = {beyond} is not accepted: it must lie between {low} and {high}."
        assert refusal_of(row.kind, row.name, beyond) == sentence


@pytest.mark.parametrize("row", NUMBERS, ids=row_id)
@pytest.mark.parametrize("value", ["60", 60.0, True, [60], {}])
def test_number_of_another_type_is_refused(row, value):
    assert refusal_of(row.kind, row.name, value).endswith("is not accepted: it must be a whole number.")


@pytest.mark.parametrize("row", FLAGS, ids=row_id)
@pytest.mark.parametrize(
    ("value", "meaning"), [(True, True), (False, False), ("true", True), ("TRUE", True), ("False", False)]
)
def test_flag_is_accepted_in_any_case(row, value, meaning):
    assert read_one(row.kind, row.name, value) is meaning


@pytest.mark.parametrize("row", FLAGS, ids=row_id)
@pytest.mark.parametrize("value", [1, 0, "yes", "", "1", []])
def test_flag_of_another_form_is_refused(row, value):
    assert refusal_of(row.kind, row.name, value).endswith("is not accepted: it must be true or false.")


@pytest.mark.parametrize("row", CHOICES, ids=row_id)
def test_every_documented_choice_is_accepted_and_another_is_refused(row):
    choices = [choice.strip() for choice in row.limits.split(",")]

    assert [read_one(row.kind, row.name, choice) for choice in choices] == choices
    for other in ("HS256", "", 1, ["off"], "OFF"):
        assert f"OAUTH2_{row.name} = {other!r} is not accepted: it must be one of " in refusal_of(
            row.kind, row.name, other
        )


@pytest.mark.parametrize("row", [row for row in LISTS if row.default == "all"], ids=row_id)
def test_algorithms_may_be_narrowed_but_not_widened(row):
    assert read_one(row.kind, row.name, ["ES256", "EdDSA"]) == ("ES256", "EdDSA")
    assert read_one(row.kind, row.name, "ES256") == ("ES256",)
    for other in ("HS256", "none", "es256"):
        sentence = refusal_of(row.kind, row.name, ["ES256", other])
        assert f"it does not know [{other!r}]; it knows ES256, " in sentence
    assert refusal_of(row.kind, row.name, []).endswith("it must name at least one.")


@pytest.mark.parametrize("row", LISTS, ids=row_id)
@pytest.mark.parametrize("value", [5, {"a": 1}, ["a", 5], [""], "", True])
def test_list_of_another_form_is_refused(row, value):
    assert refusal_of(row.kind, row.name, value).endswith(
        "is not accepted: it must be a list of strings, or one string."
    )


# --- texts ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["ISSUER", "EXTERNAL_URL"])
@pytest.mark.parametrize(
    "url",
    [
        ISSUER,
        "https://as.example:8443/tenant/1",
        "https://as.example/",
        "http://127.0.0.1:5001",
        "http://localhost",
        "http://[::1]:5001/mount",
    ],
)
def test_https_url_is_accepted_as_it_is(name, url):
    assert read_one(ResourceSettings, name, url) == url


@pytest.mark.parametrize("name", ["ISSUER", "EXTERNAL_URL"])
@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://as.example", "must use https; http is accepted on 127.0.0.1, [::1] and localhost only"),
        ("http://127.0.0.1.as.example", "must use https; http is accepted on 127.0.0.1, [::1] and localhost only"),
        ("http://localhost@as.example", "holds a user name"),
        ("as.example", "must be an absolute URL"),
        ("ftp://as.example", "must be an absolute https URL"),
        ("https://", "must be an absolute https URL"),
        ("https://as.example:port", "has a port that is not a number up to 65535"),
        ("https://[::1", "has a host that is neither a name nor an IP address"),
        ("https://as%2eexample", "has a host that is neither a name nor an IP address"),
        ("https://as.example?tenant=1", "must have no query and no fragment"),
        ("https://as.example#top", "must have no query and no fragment"),
        ("https://user@as.example", "holds a user name"),
        ("https://äs.example", "holds a character that no URL has"),
        ('https://as.example/"', "holds a character that no URL has"),
        ("https://as.example/a b", "holds a character that no URL has"),
        ("https://as.example/{tenant}", "holds a character that no URL has"),
        ("https://as.example/100%", "holds a character that no URL has"),
        ("https://as.example\n", "holds a character that no URL has"),
        (5, "must be text"),
        ("", "must be text"),
        (["https://as.example"], "must be text"),
    ],
)
def test_other_url_is_refused(name, url, sentence):
    assert refusal_of(ResourceSettings, name, url) == f"OAUTH2_{name} = {url!r} is not accepted: it {sentence}."


REFUSED_RESOURCES = (
    "api",
    "/api",
    "https://api.example#v1",
    "https://[",
    "https://api.example/é",
    "urn:",
    "https://user@api.example",
    "https://api.example:99999",
    "https://api.example/100%",
)


@pytest.mark.parametrize("uri", [API, "https://api.example/v1?x=1", "urn:example:api", "http://127.0.0.1:5005"])
def test_resource_may_be_any_absolute_uri(uri):
    assert read_one(ResourceSettings, "RESOURCE", uri) == uri
    assert read_one(ServerSettings, "RESOURCES", [API, uri]) == (API, uri)
    assert read_one(ServerSettings, "RESOURCES", uri) == (uri,)


@pytest.mark.parametrize("uri", REFUSED_RESOURCES)
def test_relative_resource_or_one_with_a_fragment_is_refused(uri):
    assert f"OAUTH2_RESOURCE = {uri!r} is not accepted: it " in refusal_of(ResourceSettings, "RESOURCE", uri)
    assert "OAUTH2_RESOURCES = " in refusal_of(ServerSettings, "RESOURCES", [API, uri])


def test_default_resource_is_the_issuer():
    assert read(REQUIRED, ServerSettings).resources == (ISSUER,)
    assert read({**REQUIRED, "OAUTH2_RESOURCES": [API]}, ServerSettings).resources == (API,)


@pytest.mark.parametrize("scope", ["read", "api:read/all", "!", "https://api.example/read"])
def test_scope_token_is_accepted(scope):
    assert read_one(ServerSettings, "SCOPES", [scope]) == (scope,)


@pytest.mark.parametrize("scope", ["read write", 'a"b', "a\\b", "é", "a\n"])
def test_text_that_is_no_scope_token_is_refused(scope):
    assert f"it holds {scope!r}, which is not a scope token." in refusal_of(ServerSettings, "SCOPES", [scope])


def test_set_of_scopes_is_read_in_a_stable_order():
    assert read_one(ServerSettings, "SCOPES", {"b", "a", "c"}) == ("a", "b", "c")


@pytest.mark.parametrize("path", ["/oauth2", "/auth/v1", "/x"])
def test_url_prefix_is_a_path(path):
    assert read_one(ServerSettings, "URL_PREFIX", path) == path


@pytest.mark.parametrize("path", ["oauth2", "/oauth2/", "/", "/a b", "/a?b", "/<int:id>", "/%2e", "/é", "/a\\b"])
def test_other_url_prefix_is_refused(path):
    sentence = f"OAUTH2_URL_PREFIX = {path!r} is not accepted: it must be a path such as /oauth2, without a slash "
    assert refusal_of(ServerSettings, "URL_PREFIX", path).startswith(sentence)


@pytest.mark.parametrize("kind", [ServerSettings, ResourceSettings])
@pytest.mark.parametrize("store", ["sql", "redis://127.0.0.1:6379/0", "my_app.stores:make_store", object()])
def test_replay_store_is_a_string_or_a_store(kind, store):
    assert read_one(kind, "REPLAY_STORE", store) is store


@pytest.mark.parametrize("kind", [ServerSettings, ResourceSettings])
@pytest.mark.parametrize("store", ["", 5, True, [], b"sql", {"kind": "sql"}])
def test_what_can_be_no_replay_store_is_refused(kind, store):
    sentence = "it must be sql, memory, a URL, an import path such as my_app.stores:make_store, or a store."
    assert refusal_of(kind, "REPLAY_STORE", store).endswith(sentence)


def test_next_key_must_be_announced_while_the_current_one_signs():
    times = {"OAUTH2_KEY_ANNOUNCE_SECONDS": 3599, "OAUTH2_KEY_SIGN_SECONDS": 3600}

    assert read({**REQUIRED, **times}, ServerSettings).KEY_ANNOUNCE_SECONDS == 3599
    with pytest.raises(
        ConfigurationError, match="OAUTH2_KEY_ANNOUNCE_SECONDS must be less than OAUTH2_KEY_SIGN_SECONDS"
    ):
        read({**REQUIRED, **times, "OAUTH2_KEY_ANNOUNCE_SECONDS": 3600}, ServerSettings)


@pytest.mark.parametrize("host", ["keys.example", "xn--bcher-kva.example", "93.184.215.14", "localhost"])
def test_host_name_is_accepted(host):
    assert read_one(ServerSettings, "JWKS_HOSTS", host) == (host,)


@pytest.mark.parametrize(
    "host", ["Keys.example", "bücher.example", "keys.example.", ".example", "*.example", "a:443", "https://a", "a b"]
)
def test_other_host_name_is_refused(host):
    assert f"it holds {host!r}, which is not a lower-case host name." in refusal_of(
        ServerSettings, "JWKS_HOSTS", ["keys.example", host]
    )


def test_port_number_is_accepted_as_text():
    assert read_one(ServerSettings, "FETCH_PORTS", ["1", "65535"]) == ("1", "65535")


@pytest.mark.parametrize("port", ["0", "65536", "-1", "https", "8443 ", "٨٤", "9" * 5000])
def test_other_port_number_is_refused(port):
    assert "which is not a port number." in refusal_of(ServerSettings, "FETCH_PORTS", ["443", port])


def test_keys_are_not_kept_for_longer_than_at_most():
    times = {"OAUTH2_JWKS_MIN_CACHE_SECONDS": 300, "OAUTH2_JWKS_MAX_CACHE_SECONDS": 300}

    assert read({**REQUIRED, **times}, ServerSettings).JWKS_MIN_CACHE_SECONDS == 300
    with pytest.raises(ConfigurationError, match="OAUTH2_JWKS_MIN_CACHE_SECONDS must not be more than"):
        read({**REQUIRED, **times, "OAUTH2_JWKS_MAX_CACHE_SECONDS": 299}, ServerSettings)


# --- names ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("kind", "name"), [(ServerSettings, "ISSUER"), (ResourceSettings, "RESOURCE")])
def test_required_setting_that_is_missing_is_named_with_an_example(kind, name):
    config = {key: value for key, value in REQUIRED.items() if key != f"OAUTH2_{name}"}

    with pytest.raises(ConfigurationError, match=rf"^OAUTH2_{name} is not set\. .*, e\.g\. https://"):
        read(config, kind)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("OAUTH2_ISSUR", "OAUTH2_ISSUER"),
        ("OAUTH2_ISUER", "OAUTH2_ISSUER"),
        ("OAUTH2_SCOPE", "OAUTH2_SCOPES"),
        ("OAUTH2_DPOP_NONCES", "OAUTH2_DPOP_NONCE"),
        ("OAUTH2_ACCESS_TOKEN_LIFETIME", "OAUTH2_ACCESS_TOKEN_LIFETIME_SECONDS"),
        ("OAUTH2_ASSERTION_SIGNING_ALG", "OAUTH2_ASSERTION_SIGNING_ALGS"),
        ("OAUTH2_SECRET", "OAUTH2_SECRETS"),
        ("OAUTH2_CLIENT_IDS", "OAUTH2_CLIENT_ID"),
        ("OAUTH2_CLIENT_ID_HOST", "OAUTH2_CLIENT_ID_HOSTS"),
        ("OAUTH2_CLIENT_ID_SCOPE", "OAUTH2_CLIENT_ID_SCOPES"),
        ("OAUTH2_CLIENT_KEY_FILE", "OAUTH2_CLIENT_KEY"),
        ("OAUTH2_INTROSPECTION_CACHE", "OAUTH2_INTROSPECTION_CACHE_SECONDS"),
    ],
)
def test_near_miss_is_refused_with_what_was_meant(written, meant):
    with pytest.raises(ConfigurationError) as caught:
        read({**REQUIRED, written: "x"}, ServerSettings)

    assert str(caught.value) == f"{written} is not a setting. Did you mean {meant}?"


@pytest.mark.parametrize("name", ["OAUTH2_PROVIDERS", "OAUTH2_CLIENT_SECRET", "OAUTH2_REDIRECT_URI", "OAUTH2_"])
def test_name_of_somebody_else_is_a_warning_only(name, caplog):
    with caplog.at_level(logging.WARNING):
        read({**REQUIRED, name: {"google": {}}}, ServerSettings)

    assert caplog.messages == [f"{name} is not a setting of flask_private_key_jwt; it is ignored"]


@pytest.mark.parametrize("name", ["DEBUG", "oauth2_issur", "OAUTH_ISSUR", "XOAUTH2_ISSUR"])
def test_name_without_our_prefix_is_left_alone(name, caplog):
    read({**REQUIRED, name: 1}, ServerSettings)

    assert caplog.messages == []


def test_names_of_the_other_side_are_known_to_both(caplog):
    config = {
        **REQUIRED,
        "OAUTH2_JWKS_CACHE_SECONDS": 60,
        "OAUTH2_CLIENT_ID": "the-api",
        "OAUTH2_CLIENT_ID_HOSTS": ["client.example"],
        "OAUTH2_SCOPES": ["read"],
    }

    read(config, ServerSettings)
    read(config, ResourceSettings)

    assert caplog.messages == []


@pytest.mark.parametrize("name", READ_BY_AUTHLIB)
def test_name_that_authlib_reads_is_refused_with_a_pointer(name):
    with pytest.raises(ConfigurationError) as caught:
        read({**REQUIRED, name: "x"}, ServerSettings)

    assert str(caught.value) == f"{name} is a setting of Authlib's own server. Use {READ_BY_AUTHLIB[name]}."


def test_every_name_authlib_reads_is_refused():
    import authlib.integrations.flask_oauth2.authorization_server as authlib_server

    source = Path(authlib_server.__file__).read_text(encoding="utf-8")
    assert set(re.findall(r"\bOAUTH2_[A-Z_]+", source)) == READ_BY_AUTHLIB.keys()


# --- the environment --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("ISSUER", "https://other.example", "https://other.example"),
        ("SCOPES", '["read", "write"]', ("read", "write")),
        ("SCOPES", "read", ("read",)),
        ("RESOURCES", API, (API,)),
        ("DPOP_REQUIRED", "true", True),
        ("DPOP_REQUIRED", "True", True),
        ("DPOP_REQUIRED", "FALSE", False),
        ("DPOP_NONCE", "required", "required"),
        ("ACCESS_TOKEN_LIFETIME_SECONDS", "300", 300),
        ("ACCESS_TOKEN_LIFETIME_SECONDS", "null", 600),
        ("SIGNING_ALG", "PS256", "PS256"),
        ("SECRETS", json.dumps([SECRET, SECRET + "2"]), (SECRET, SECRET + "2")),
        ("SECRETS", SECRET, (SECRET,)),
    ],
)
def test_setting_is_read_from_the_environment(name, text, value, monkeypatch):
    monkeypatch.setenv("FLASK_OAUTH2_ISSUER", ISSUER)
    monkeypatch.setenv(f"FLASK_OAUTH2_{name}", text)
    app = flask.Flask(__name__)
    app.config.from_prefixed_env()

    assert getattr(read(app.config, ServerSettings), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SCOPES", '["read", 5]'),
        ("DPOP_REQUIRED", "yes"),
        ("ACCESS_TOKEN_LIFETIME_SECONDS", "ten"),
        ("ACCESS_TOKEN_LIFETIME_SECONDS", "1e2"),
        ("SIGNING_ALG", "HS256"),
    ],
)
def test_wrong_text_in_the_environment_is_refused(name, text, monkeypatch):
    monkeypatch.setenv("FLASK_OAUTH2_ISSUER", ISSUER)
    monkeypatch.setenv(f"FLASK_OAUTH2_{name}", text)
    app = flask.Flask(__name__)
    app.config.from_prefixed_env()

    with pytest.raises(ConfigurationError, match=f"^OAUTH2_{name} = .* is not accepted: it must "):
        read(app.config, ServerSettings)


# --- frozen, and nothing private in sight -----------------------------------------------------------------
@pytest.mark.parametrize("kind", [ServerSettings, ResourceSettings])
def test_settings_are_frozen(kind):
    settings = read(REQUIRED, kind)

    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.ISSUER = "https://evil.example"


@pytest.mark.parametrize("kind", [ServerSettings, ResourceSettings])
def test_repr_shows_no_secret_and_no_store_password(kind):
    store = "redis://:hunter2@127.0.0.1/0"
    settings = read({**REQUIRED, "OAUTH2_SECRETS": [SECRET], "OAUTH2_REPLAY_STORE": store}, kind)

    assert SECRET not in repr(settings)
    assert "hunter2" not in repr(settings)


def test_repr_shows_neither_the_key_of_an_api_nor_its_password():
    key = {
        "OAUTH2_CLIENT_ID": "api",
        "OAUTH2_CLIENT_KEY": '{"kty":"EC","d":"hunter2"}',
        "OAUTH2_CLIENT_KEY_PASSWORD": "hunter2",
    }

    assert "hunter2" not in repr(read({**REQUIRED, **key}, ResourceSettings))


@pytest.mark.parametrize("name", ["CLIENT_KEY", "CLIENT_KEY_PASSWORD"])
def test_refusal_of_an_api_s_key_does_not_quote_it(name):
    sentence = refusal_of(ResourceSettings, name, [{"kty": "EC", "d": "hunter2"}])

    assert sentence.startswith(f"OAUTH2_{name} is not accepted: it must be ")
    assert "hunter2" not in sentence


@pytest.mark.parametrize(("name", "value"), [("SECRETS", [SECRET, 5]), ("SECRETS", ""), ("REPLAY_STORE", [SECRET])])
def test_refusal_of_a_private_setting_does_not_quote_it(name, value):
    sentence = refusal_of(ServerSettings, name, value)

    assert sentence.startswith(f"OAUTH2_{name} is not accepted: it must be ")
    assert "hunter2" not in sentence
    assert SECRET not in sentence


# --- dates --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-03-31", 1806451200),
        ("20270331", 1806451200),
        ("2027-03-31T00:00", 1806451200),
        ("2027-03-31 00:00:00", 1806451200),
        ("2027-03-31T18:00:00Z", 1806516000),
        ("2027-03-31T18:00:00+00:00", 1806516000),
        ("1970-01-01", 0),
    ],
)
def test_date_is_a_moment_in_utc(text, moment):
    config = {"OAUTH2_ISSUER": "https://as.example", "OAUTH2_CLIENT_SECRETS_UNTIL": text}

    assert read(config, ServerSettings).client_secrets_until == moment


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "2027",
        "31.03.2027",
        "2027-02-30",
        "2027-03-31T25:00",
        "2027-03-31T18:00+01:00",
        1806451200,
        True,
        [],
    ],
)
def test_other_date_is_refused(value):
    assert refusal_of(ServerSettings, "CLIENT_SECRETS_UNTIL", value).startswith(
        f"OAUTH2_CLIENT_SECRETS_UNTIL = {value!r} is not accepted: it must be "
    )


def test_date_before_the_epoch_is_refused():
    assert "must be a time after 1970" in refusal_of(ServerSettings, "CLIENT_SECRETS_UNTIL", "1969-12-31")


def test_no_date_means_never():
    assert read({"OAUTH2_ISSUER": "https://as.example"}, ServerSettings).client_secrets_until is None


# --- words for people -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "value",
    [
        {"read": "Read it"},
        {"read": {"de": "Es lesen", "pt-BR": "Ler"}, "https://api.example": "The API"},
        {},
    ],
)
def test_descriptions_are_words_or_words_in_several_languages(value):
    assert read_one(ServerSettings, "SCOPE_DESCRIPTIONS", value) == value


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("read", "must be a mapping of scopes or resources to words"),
        (["read"], "must be a mapping of scopes or resources to words"),
        ({5: "x"}, "holds 5, which is not a scope token"),
        ({"a b": "x"}, "holds 'a b', which is not a scope token"),
        ({"read": " "}, "has no words for 'read'"),
        ({"read": {}}, "has no words for 'read'"),
        ({"read": {"de": 5}}, "has no words for 'read'"),
        ({"read": {"de_DE": "Es lesen"}}, "has 'de_DE' for 'read', which is not a language tag such as de"),
    ],
)
def test_descriptions_without_words_are_refused(value, sentence):
    assert refusal_of(ServerSettings, "SCOPE_DESCRIPTIONS", value).endswith(f"is not accepted: it {sentence}.")


@pytest.mark.parametrize("value", [["de_DE"], ["d"], ["en", "../x"]])
def test_languages_are_language_tags(value):
    assert "which is not a language tag such as de" in refusal_of(ServerSettings, "LANGUAGES", value)
