"""Members of a registration for OpenID Connect, signed requests and introspection."""

import dataclasses
import json

import pytest

from flask_private_key_jwt.authorization_server.registered_client import OPERATOR_MEMBERS
from flask_private_key_jwt.authorization_server.registration.client_id_document import read_client
from flask_private_key_jwt.authorization_server.registration.metadata import (
    build_client,
    describe_client,
    unknown_members,
)
from flask_private_key_jwt.errors import InvalidClientMetadata
from flask_private_key_jwt.settings.reading import read
from flask_private_key_jwt.settings.server import ServerSettings
from tests.authorization_server.registration.self_registration.answers import REGISTER, assert_refused

ISSUER = "https://as.example"
APIS = ["https://api.example", "https://other.example"]
GRANT_TYPES = ["client_credentials", "authorization_code", "refresh_token"]
FOR_PEOPLE = {"grant_types": ["authorization_code"], "redirect_uris": ["https://app.example/callback"]}
PUBLIC = {**FOR_PEOPLE, "token_endpoint_auth_method": "none", "jwks": None}


@pytest.fixture
def jwk(client_key):
    return client_key.public_jwk()


@pytest.fixture
def build(jwk):
    """A valid registration, changed: ``build(default_max_age=5)``; ``settings`` are the server's."""

    def build(settings=None, **changes):
        metadata = {"client_id": "app", "jwks": {"keys": [jwk]}, "scope": "openid", **changes}
        server = read({"OAUTH2_ISSUER": ISSUER, "OAUTH2_RESOURCES": APIS, **(settings or {})}, ServerSettings)
        return build_client(metadata, settings=server, grant_types=GRANT_TYPES, version="1")

    return build


@pytest.fixture
def refusal_of(build):
    def refusal_of(settings=None, **changes):
        with pytest.raises(InvalidClientMetadata) as caught:
            build(settings, **changes)
        assert type(caught.value) is InvalidClientMetadata
        return caught.value.reason

    return refusal_of


def values(client):
    return {field.name: getattr(client, field.name) for field in dataclasses.fields(client)}


# --- the whole -------------------------------------------------------------------------------------------------
ALL = {
    "require_signed_request_object": True,
    "request_object_signing_alg": "PS256",
    "post_logout_redirect_uris": ["https://app.example/bye", "https://app.example/bye?a=b"],
    "default_max_age": 3600,
    "require_auth_time": True,
    "id_token_signed_response_alg": "ES256",
    "introspection_resources": [APIS[1], ISSUER],
}


def test_registration_without_any_of_it_has_defaults(build):
    client = build(**FOR_PEOPLE)

    assert client.require_signed_request_object is False
    assert client.request_object_signing_alg is None
    assert client.post_logout_redirect_uris == ()
    assert client.default_max_age is None
    assert client.require_auth_time is False
    assert client.introspection_resources == ()
    assert client.metadata == {}


def test_registration_with_all_of_it_is_kept(build):
    client = build(**FOR_PEOPLE, **ALL)

    assert client.require_signed_request_object is True
    assert client.request_object_signing_alg == "PS256"
    assert client.post_logout_redirect_uris == ("https://app.example/bye", "https://app.example/bye?a=b")
    assert client.default_max_age == 3600
    assert client.require_auth_time is True
    assert client.introspection_resources == (APIS[1], ISSUER)
    assert client.metadata == {"id_token_signed_response_alg": "ES256"}
    assert unknown_members({**ALL, "subject_type": "public"}) == []


@pytest.mark.parametrize(
    "given",
    [
        {},
        ALL,
        FOR_PEOPLE,
        {**FOR_PEOPLE, **ALL},
        {**PUBLIC, "default_max_age": 0, "require_auth_time": True},
        {"require_auth_time": True, "require_signed_request_object": True},
        {"application_type": "native", "post_logout_redirect_uris": ["http://127.0.0.1/bye"]},
        {"application_type": "native", "redirect_uris": ["com.example.app:/callback"]},
        {"require_pushed_authorization_requests": True},
    ],
)
def test_what_is_described_makes_the_same_client(given, build):
    client = build(**given)

    described = json.loads(json.dumps(describe_client(client)))

    assert values(build(**{"jwks": None, **described})) == values(client)


@pytest.mark.parametrize("member", sorted(ALL))
def test_null_counts_as_absent(member, build):
    assert values(build(**FOR_PEOPLE, **{member: None})) == values(build(**FOR_PEOPLE))


def test_client_that_acts_for_people_reads_what_is_not_required_of_it(build):
    described = describe_client(build(**FOR_PEOPLE))

    assert described["require_signed_request_object"] is False
    assert described["require_auth_time"] is False
    assert "require_auth_time" not in describe_client(build())


# --- flags -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["require_signed_request_object", "require_auth_time"])
@pytest.mark.parametrize("value", ["true", 1, 0, [True], {"a": True}])
def test_flag_that_is_no_boolean_is_refused(name, value, refusal_of):
    assert refusal_of(**FOR_PEOPLE, **{name: value}) == f"{name} is not true or false"


# --- signed requests (RFC 9101 §10.5) ----------------------------------------------------------------------------
@pytest.mark.parametrize("alg", ["none", "HS256", "ES257", " ", 5, True, ["ES256"], {"alg": "ES256"}])
def test_algorithm_of_requests_that_is_not_accepted_is_refused(alg, refusal_of):
    assert refusal_of(**FOR_PEOPLE, request_object_signing_alg=alg) == (
        f"request_object_signing_alg {str(alg)!r} is not accepted"
    )


def test_settings_say_which_algorithms_requests_may_have(build, refusal_of):
    narrowed = {"OAUTH2_REQUEST_OBJECT_SIGNING_ALGS": ["ES256"]}

    assert build(narrowed, **FOR_PEOPLE, request_object_signing_alg="ES256").request_object_signing_alg == "ES256"
    assert refusal_of(narrowed, request_object_signing_alg="PS256").endswith("'PS256' is not accepted")


def test_fapi2_narrows_the_algorithms_of_requests(build, refusal_of):
    fapi2 = {"OAUTH2_PROFILE": "fapi2"}

    assert build(fapi2, request_object_signing_alg="PS256")
    assert refusal_of(fapi2, request_object_signing_alg="RS256").endswith("'RS256' is not accepted")


@pytest.mark.parametrize("change", [{"require_signed_request_object": True}, {"request_object_signing_alg": "ES256"}])
def test_client_without_a_key_cannot_be_asked_to_sign(change, build, refusal_of):
    assert build(**{**FOR_PEOPLE, **change})
    assert refusal_of(**{**PUBLIC, **change}) == (
        "signed requests are asked for, but token_endpoint_auth_method is 'none'"
    )


def test_client_without_a_key_may_say_that_it_does_not_sign(build):
    assert build(**PUBLIC, require_signed_request_object=False).is_public


# --- where browsers go after sign-out (OpenID RP-Initiated Logout §3.1) --------------------------------------------
def test_places_are_kept_in_order_and_once(build):
    client = build(post_logout_redirect_uris=["https://b.example", "https://a.example/", "https://b.example"])

    assert client.post_logout_redirect_uris == ("https://b.example", "https://a.example/")


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1/bye", "http://[::1]:8000/bye?a", "http://localhost/bye", "com.example.app:/bye"]
)
def test_places_on_a_device_are_for_native_clients(uri, build, refusal_of):
    assert build(application_type="native", post_logout_redirect_uris=[uri]).post_logout_redirect_uris == (uri,)
    reason = refusal_of(application_type="web", post_logout_redirect_uris=[uri])
    assert reason.startswith(f"post_logout_redirect_uris: {uri!r} is not https")


@pytest.mark.parametrize("application_type", ["web", "native"])
@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/bye",
        "//app.example/bye",
        "https:///bye",
        "https://app.example/#",
        "https://user@app.example/",
        "https://*.example/",
        "https://app.example/ a",
        "https://app.example/\n",
        "https://app.example/\ud800",
        "https://app.example/" + "a" * 2048,
        "http://app.example/",
        "http://localhost.evil.example/",
        "javascript:alert(1)",
        "data:text/html,x",
    ],
)
def test_other_place_is_refused(uri, application_type, refusal_of):
    reason = refusal_of(post_logout_redirect_uris=["https://app.example/", uri], application_type=application_type)

    assert reason.startswith(f"post_logout_redirect_uris: {uri[:200]!r} ")


@pytest.mark.parametrize(
    "given", ["https://app.example/", {"a": 1}, [5], [None], ["https://app.example/"] * 21, True, 0]
)
def test_list_of_places_of_another_form_is_refused(given, refusal_of):
    assert (
        refusal_of(post_logout_redirect_uris=given) == "post_logout_redirect_uris is not a list of at most 20 strings"
    )


def test_longest_list_of_places_is_accepted(build):
    places = [f"https://app.example/{number}" for number in range(20)]

    assert build(post_logout_redirect_uris=places).post_logout_redirect_uris == tuple(places)
    assert build(post_logout_redirect_uris=[]).post_logout_redirect_uris == ()


# --- sign-in (OpenID Registration §2) --------------------------------------------------------------------------------
@pytest.mark.parametrize("seconds", [0, 1, 2**31])
def test_age_is_a_whole_number_of_seconds(seconds, build):
    assert build(default_max_age=seconds).default_max_age == seconds


@pytest.mark.parametrize("value", [-1, 2**31 + 1, 10**400, 1.0, 1.5, "60", " ", True, False, [60]])
def test_other_age_is_refused(value, refusal_of):
    assert refusal_of(default_max_age=value) == "default_max_age is not a whole number of seconds"


def test_id_tokens_are_signed_with_the_servers_algorithm(build, refusal_of):
    assert build(id_token_signed_response_alg="ES256").metadata == {"id_token_signed_response_alg": "ES256"}
    assert build({"OAUTH2_SIGNING_ALG": "PS256"}, id_token_signed_response_alg="PS256")
    for alg in ("RS256", "none", "HS256", " ", 5, ["ES256"]):
        assert refusal_of(id_token_signed_response_alg=alg) == (
            f"id_token_signed_response_alg {str(alg)!r} is not 'ES256', which every token here is signed with: "
            "leave it out, or change OAUTH2_SIGNING_ALG"
        )


def test_everybody_is_named_alike_to_all_clients(build, refusal_of):
    assert build(subject_type="public").metadata == {}
    for kind in ("pairwise", " ", 5, ["public"]):
        assert refusal_of(subject_type=kind) == f"subject_type {str(kind)!r} is not 'public'"


@pytest.mark.parametrize("uri", ["https://app.example/sector.json", "http://169.254.169.254/", " ", 5, [5]])
def test_sector_is_refused_and_never_fetched(uri, refusal_of):
    reason = "sector_identifier_uri is there, but subject identifiers are public"

    assert refusal_of(sector_identifier_uri=uri) == reason
    assert refusal_of(sector_identifier_uri=uri, subject_type="public") == reason


# --- introspection ---------------------------------------------------------------------------------------------------
def test_client_is_a_resource_server_that_tokens_are_issued_for(build):
    assert build(introspection_resources=[APIS[1], APIS[1]]).introspection_resources == (APIS[1],)
    assert build(introspection_resources=[ISSUER]).introspection_resources == (ISSUER,)
    assert build({"OAUTH2_RESOURCES": None}, introspection_resources=[ISSUER]).introspection_resources == (ISSUER,)


@pytest.mark.parametrize("given", [["https://evil.example"], [APIS[0] + "/"], [5], [None], [[]], APIS[0], True])
def test_other_resource_server_is_refused(given, refusal_of):
    reason = refusal_of(introspection_resources=given)

    assert reason.startswith("introspection_resources is not a list of what is in OAUTH2_RESOURCES: ")


# --- who registers ---------------------------------------------------------------------------------------------------
SELF_REGISTRATION = {"OAUTH2_REGISTRATION": "open", "OAUTH2_REGISTRATION_SCOPES": ["openid"], "OAUTH2_RESOURCES": APIS}


class Somebody:
    def get_id(self):
        return "somebody"


@pytest.fixture
def people(oauth):
    oauth.user(lambda: Somebody())


@pytest.fixture
def post(app, people, jwk):
    """Register as a client does it."""

    def post(**changes):
        body = {"jwks": {"keys": [jwk]}, "scope": "openid", **FOR_PEOPLE, **changes}
        return app.test_client().post(REGISTER, json={name: value for name, value in body.items() if value is not None})

    return post


@pytest.mark.parametrize("settings", [SELF_REGISTRATION])
class TestSelfRegistration:
    def test_client_may_choose_all_but_the_resource_servers_it_is(self, post, app, oauth):
        answer = post(**ALL)

        assert answer.status_code == 201
        chosen = {name: value for name, value in ALL.items() if name not in OPERATOR_MEMBERS}
        assert chosen.items() <= answer.json.items()
        assert "introspection_resources" not in answer.json
        with app.app_context():
            assert oauth.clients.get(answer.json["client_id"]).introspection_resources == ()

    @pytest.mark.parametrize(
        ("change", "cause", "says"),
        [
            (
                {"request_object_signing_alg": "none"},
                "request_object_signing_alg_not_accepted",
                "request_object_signing_alg 'none' is not accepted",
            ),
            (
                {"require_signed_request_object": "yes"},
                "require_signed_request_object_not_accepted",
                "require_signed_request_object is not true or false",
            ),
            (
                {"post_logout_redirect_uris": ["http://app.example"]},
                "post_logout_redirect_uris_not_accepted",
                "post_logout_redirect_uris: 'http://app.example' ",
            ),
            ({"default_max_age": -1}, "default_max_age_not_accepted", "default_max_age is not"),
            ({"require_auth_time": 1}, "require_auth_time_not_accepted", "require_auth_time is not true or false"),
            (
                {"id_token_signed_response_alg": "none"},
                "id_token_signed_response_alg_not_accepted",
                "id_token_signed_response_alg 'none' is not",
            ),
            ({"subject_type": "pairwise"}, "subject_type_not_public", "subject_type 'pairwise' is not"),
            ({"sector_identifier_uri": "https://app.example/"}, "sector_identifier_uri", ""),
        ],
    )
    def test_client_is_held_to_the_same_rules(self, change, cause, says, post, refusals):
        assert_refused(post(**change), "invalid_client_metadata", refusals, cause, says=says)

    def test_client_keeps_what_the_operator_gave_and_replaces_its_own(self, post, app, oauth, jwk):
        registered = post(**ALL).json
        with app.app_context():
            oauth.clients.update(registered["client_id"], {"introspection_resources": [APIS[0]]})
        body = {"client_id": registered["client_id"], "jwks": {"keys": [jwk]}, **FOR_PEOPLE}
        body |= {"introspection_resources": APIS}

        answer = app.test_client().put(
            registered["registration_client_uri"].removeprefix(ISSUER),
            json=body,
            headers={"Authorization": f"Bearer {registered['registration_access_token']}"},
        )

        assert answer.status_code == 200
        assert not answer.json.keys() & (ALL.keys() - {"require_signed_request_object", "require_auth_time"})
        with app.app_context():
            client = oauth.clients.get(registered["client_id"])
        assert client.introspection_resources == (APIS[0],)
        assert (client.post_logout_redirect_uris, client.default_max_age, client.require_auth_time) == ((), None, False)


@pytest.mark.parametrize("settings", [{"OAUTH2_RESOURCES": APIS}])
class TestOperator:
    def test_operator_may_choose_everything(self, register, people):
        client = register(**{"jwks_uri": "https://app.example/jwks", **FOR_PEOPLE, **ALL})

        assert ALL.items() <= describe_client(client).items()

    def test_change_of_one_member_leaves_the_others(self, app, oauth, register, people):
        before = register(**{"jwks_uri": "https://app.example/jwks", **FOR_PEOPLE, **ALL})

        with app.app_context():
            after = oauth.clients.update(before.client_id, {"default_max_age": None, "client_name": "App"})
            read_back = oauth.clients.get(before.client_id)

        expected = {**values(before), "default_max_age": None, "client_name": "App", "version": after.version}
        assert values(after) == expected
        assert values(read_back) == {**expected, "version": read_back.version}


class TestDocument:
    URL = "https://app.example/client.json"

    @pytest.fixture
    def read_document(self, jwk):
        def read_document(**changes):
            members = {
                "client_id": self.URL,
                "token_endpoint_auth_method": "private_key_jwt",
                "jwks": {"keys": [jwk]},
                **FOR_PEOPLE,
                **changes,
            }
            config = {"OAUTH2_ISSUER": ISSUER, "OAUTH2_RESOURCES": APIS, "OAUTH2_CLIENT_ID_SCOPES": ["openid"]}
            return read_client(
                self.URL, members, settings=read(config, ServerSettings), grant_types=lambda: GRANT_TYPES
            )

        return read_document

    def test_document_chooses_all_but_the_resource_servers_it_is(self, read_document):
        client = read_document(**ALL)

        assert client.introspection_resources == ()
        assert client.post_logout_redirect_uris == tuple(ALL["post_logout_redirect_uris"])
        assert (client.default_max_age, client.require_auth_time) == (3600, True)
        assert client.request_object_signing_alg == "PS256"

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"post_logout_redirect_uris": ["javascript:x"]}, "post_logout_redirect_uris: 'javascript:x' is not"),
            ({"request_object_signing_alg": "HS256"}, "request_object_signing_alg 'HS256' is not accepted"),
            ({"subject_type": "pairwise"}, "subject_type 'pairwise' is not 'public'"),
            ({"sector_identifier_uri": "https://app.example/"}, "sector_identifier_uri is there"),
        ],
    )
    def test_document_is_held_to_the_same_rules(self, change, reason, read_document):
        with pytest.raises(ValueError, match=reason.replace("(", r"\(")):
            read_document(**change)
