"""A grant of the application, written as Authlib's documentation teaches, works here."""

import logging

import pytest
from authlib.consts import default_json_headers
from authlib.integrations.flask_oauth2 import client_authenticated
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import TokenEndpoint
from authlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidRequestError, UnauthorizedClientError
from authlib.oauth2.rfc6749.grants import (
    BaseGrant,
    ClientCredentialsGrant,
    ImplicitGrant,
    ResourceOwnerPasswordCredentialsGrant,
    TokenEndpointMixin,
)
from authlib.oauth2.rfc7523 import JWTBearerGrant
from authlib.oauth2.rfc8628.errors import AuthorizationPendingError

from flask_private_key_jwt.authorization_server.grants.authlib_request import AuthenticatedClient, TokenRequest
from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.jose import jose
from tests.conftest import (
    API,
    ASSERTION_TYPE,
    CLIENT_ID,
    INVALID_CLIENT,
    INVALID_PROOF,
    INVALID_REQUEST,
    ISSUER,
    START,
    close,
    make_app,
)
from tests.refusals import causes

BADGE = "urn:example:badge"


class Person:
    """A user as Authlib wants one."""

    def __init__(self, number):
        self.number = number

    def get_user_id(self):
        return self.number


class BadgeGrant(BaseGrant, TokenEndpointMixin):
    """A person shows a badge to a terminal; the terminal asks for a token."""

    GRANT_TYPE = BADGE
    TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt"]

    def validate_token_request(self):
        client = self.authenticate_token_endpoint_client()
        if not client.check_grant_type(self.GRANT_TYPE):
            raise UnauthorizedClientError("This client has no badge reader.")
        badge = self.request.form.get("badge")
        if badge is None:
            raise InvalidRequestError("Missing 'badge' in request.")
        if badge == "later":
            raise AuthorizationPendingError("Somebody has to let the person in.")
        if badge != "4711":
            raise InvalidGrantError(f"Badge {badge} is nobody's.")
        self.request.client = client
        self.request.user = Person(4711)
        self.validate_requested_scope()

    def create_token_response(self):
        token = self.generate_token(
            user=self.request.user, scope=self.request.payload.scope, include_refresh_token=False
        )
        self.save_token(token)
        return 200, token, self.TOKEN_RESPONSE_HEADER


class Forgetful(BadgeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = BaseGrant.TOKEN_ENDPOINT_AUTH_METHODS


REGISTRARS = {
    "on the extension": lambda app, oauth, *what: oauth.register_grant(*what),
    "on the app's server": lambda app, oauth, *what: app.extensions["private_key_jwt"].server.register_grant(*what),
}


@pytest.fixture(params=REGISTRARS.values(), ids=REGISTRARS.keys())
def register_grant(request, app, oauth):
    """Registers a grant in each of the two places."""
    return lambda *what: request.param(app, oauth, *what)


@pytest.fixture
def with_badges(oauth, app, client):
    """The usual client may use badges."""
    oauth.register_grant(BadgeGrant)
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"grant_types": ["client_credentials", BADGE]})


@pytest.fixture
def ask_badge(with_badges, ask_token):
    """A valid request with a badge, changed."""
    return lambda **changes: ask_token(**{"grant_type": BADGE, "badge": "4711", **changes})


def claims_of(answer):
    return jose.decode_unverified(answer.json["access_token"])[1]


# --- it works ---------------------------------------------------------------------------------------------
def test_own_grant_issues_a_token_for_its_user(register_grant, app, oauth, client, ask_token):
    register_grant(BadgeGrant)
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"grant_types": [BADGE]})

    answer = ask_token(grant_type=BADGE, badge="4711", scope="write")

    assert answer.status_code == 200
    claims = dict(claims_of(answer))
    for made in ("jti", "grant_id"):
        assert len(claims.pop(made)) >= 22
    assert claims == {
        "iss": ISSUER,
        "sub": "4711",
        "aud": API,
        "client_id": CLIENT_ID,
        "iat": START,
        "exp": START + 600,
        "scope": "write",
    }


def test_own_grant_is_advertised_and_can_be_registered_for(register_grant, app, client):
    register_grant(BadgeGrant)

    metadata = app.test_client().get("/.well-known/oauth-authorization-server").json
    assert sorted(metadata["grant_types_supported"]) == ["client_credentials", BADGE]


def test_own_grant_of_a_name_of_ours_goes_first(register_grant, ask_token):
    class OwnClientCredentials(BadgeGrant):
        GRANT_TYPE = "client_credentials"

    register_grant(OwnClientCredentials)

    assert claims_of(ask_token(badge="4711"))["sub"] == "4711"


def test_extensions_of_the_grant_are_called_as_in_authlib(register_grant, app, oauth, client, ask_token):
    seen = []
    register_grant(BadgeGrant, [seen.append])
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"grant_types": [BADGE]})

    ask_token(grant_type=BADGE, badge="4711")

    assert [type(grant) for grant in seen] == [BadgeGrant]


def test_members_the_grant_adds_are_sent(oauth, app, client, ask_token):
    class Talkative(BadgeGrant):
        def create_token_response(self):
            status, token, headers = super().create_token_response()
            return status, {**token, "door": 5}, headers

    oauth.register_grant(Talkative)
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"grant_types": [BADGE]})

    assert ask_token(grant_type=BADGE, badge="4711").json["door"] == 5


def test_grant_registered_on_one_apps_server_is_not_anothers(app, oauth, client, ask_token, tmp_path):
    other, _, db = make_app(f"sqlite:///{tmp_path}/other.sqlite")
    other.extensions["private_key_jwt"].server.register_grant(BadgeGrant)
    close(other, db)

    assert ask_token(grant_type=BADGE, badge="4711").json["error"] == "unsupported_grant_type"


def test_authlibs_signal_tells_of_clients_of_every_grant(with_badges, app, ask_token):
    heard = []

    def note(sender, *, client, grant):
        heard.append((sender, client.get_client_id(), grant.GRANT_TYPE if isinstance(grant, BadgeGrant) else None))

    with client_authenticated.connected_to(note):
        ask_token()
        ask_token(grant_type=BADGE, badge="4711")
        ask_token(grant_type="urn:example:nobodys")

    server = app.extensions["private_key_jwt"].server
    assert heard == [(server, CLIENT_ID, None), (server, CLIENT_ID, BADGE)]


def test_objects_of_authlibs_are_made_for_own_grants_only(oauth, app, client, ask_token, monkeypatch):
    made = []
    for kind in (TokenRequest, AuthenticatedClient, BaseGrant):
        monkeypatch.setattr(kind, "__init__", note_made(made, kind.__init__))

    assert ask_token().status_code == 200
    assert made == []

    oauth.register_grant(BadgeGrant)
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"grant_types": [BADGE]})
    assert ask_token(grant_type=BADGE, badge="4711").status_code == 200
    assert made == [AuthenticatedClient, TokenRequest, BadgeGrant]


def note_made(made, really_init):
    def init(self, *arguments, **options):
        made.append(type(self))
        really_init(self, *arguments, **options)

    return init


# --- the rules of the house hold for it -------------------------------------------------------------------
def test_token_of_an_own_grant_is_bound_to_the_proofs_key(ask_badge, build_dpop, proof_key):
    answer = ask_badge(proof=build_dpop())

    assert answer.json["token_type"] == "DPoP"
    assert claims_of(answer)["cnf"] == {"jkt": proof_key.public.thumbprint}


@pytest.mark.parametrize("settings", [{"OAUTH2_DPOP_REQUIRED": True}])
def test_own_grant_cannot_do_without_a_required_proof(ask_badge, build_dpop):
    assert ask_badge().json == INVALID_REQUEST
    assert ask_badge(proof=build_dpop()).status_code == 200


def test_replayed_assertion_and_proof_are_refused(ask_badge, build_assertion, build_dpop, refusals):
    assertion, proof = build_assertion(), build_dpop()
    assert ask_badge(assertion=assertion, proof=proof).status_code == 200

    assert ask_badge(assertion=assertion).json["error"] == "invalid_client"
    assert ask_badge(proof=proof).json == INVALID_PROOF
    assert causes(refusals) == ["assertion_replayed", "proof_replayed"]


@pytest.mark.parametrize("settings", [{"OAUTH2_DPOP_NONCE": "required"}])
def test_demand_for_a_nonce_spends_nothing(ask_badge, build_assertion, build_dpop):
    assertion = build_assertion()

    answer = ask_badge(assertion=assertion, proof=build_dpop())
    assert answer.json["error"] == "use_dpop_nonce"

    proof = build_dpop(nonce=answer.headers["DPoP-Nonce"])
    assert ask_badge(assertion=assertion, proof=proof).status_code == 200


def test_scope_and_resource_follow_the_same_rules(ask_badge):
    assert ask_badge(scope="admin").json["error"] == "invalid_scope"
    assert ask_badge(resource="https://evil.example").json["error"] == "invalid_target"
    assert ask_badge().json["scope"] == "read"


def test_client_that_is_not_registered_for_it_is_refused(oauth, client, ask_token, refusals):
    oauth.register_grant(BadgeGrant)

    answer = ask_token(grant_type=BADGE, badge="4711")

    assert answer.json == {
        "error": "unauthorized_client",
        "error_description": "The client is not authorized to make this request.",
    }
    assert refusals == [f"not registered for {BADGE!r}"]
    assert causes(refusals) == ["grant_type_not_registered"]


def test_token_policy_sees_it_too(ask_badge, oauth):
    oauth.token_policy(lambda client, request, grant: {"badge": request.get("badge"), "way": grant.grant_type})

    claims = claims_of(ask_badge())
    assert (claims["badge"], claims["way"]) == ("4711", BADGE)


# --- its errors -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("badge", "code", "sentence", "cause", "says"),
    [
        (
            None,
            "invalid_request",
            "The request is malformed.",
            "invalid_request",
            "InvalidRequestError: Missing 'badge' in request.",
        ),
        (
            "12",
            "invalid_grant",
            "The grant is invalid, expired or revoked.",
            "invalid_grant",
            "InvalidGrantError: Badge 12 is nobody's.",
        ),
        (
            "later",
            "authorization_pending",
            "The request was refused.",
            "foreign_error",
            "AuthorizationPendingError: Somebody has to let the person in.",
        ),
    ],
)
def test_own_error_keeps_its_code_and_gets_a_sentence_of_ours(badge, code, sentence, cause, says, ask_badge, refusals):
    answer = ask_badge(badge=badge)

    assert (answer.status_code, answer.json) == (400, {"error": code, "error_description": sentence})
    assert answer.headers["Cache-Control"] == "no-store"
    assert refusals == [says]
    assert causes(refusals) == [cause]


def test_error_without_a_code_is_an_invalid_request(oauth, app, client, ask_token, refusals):
    class Vague(BadgeGrant):
        def validate_token_request(self):
            raise OAuth2Error("Something is wrong.")

    oauth.register_grant(Vague)
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"grant_types": [BADGE]})

    assert ask_token(grant_type=BADGE).json["error"] == "invalid_request"
    assert refusals == ["OAuth2Error: Something is wrong."]
    assert causes(refusals) == ["foreign_error"]


# --- what is wrong is told at registration ----------------------------------------------------------------
def test_grant_that_forgets_the_authentication_method_is_told_what_to_add(register_grant):
    with pytest.raises(ConfigurationError) as caught:
        register_grant(Forgetful)

    assert str(caught.value) == (
        "Forgetful does not accept private_key_jwt, the way clients authenticate here. Add\n"
        '    TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt"]\n'
        "to the class. It has ['client_secret_basic']."
    )


def test_refused_grant_is_not_registered(register_grant, ask_token):
    with pytest.raises(ConfigurationError):
        register_grant(Forgetful)

    assert ask_token(grant_type=BADGE, badge="4711").json["error"] == "unsupported_grant_type"


def test_password_grant_is_never_served(register_grant, ask_token):
    class PasswordGrant(ResourceOwnerPasswordCredentialsGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt"]

    with pytest.raises(ConfigurationError, match="PasswordGrant is for grant_type password, which is never served"):
        register_grant(PasswordGrant)

    assert ask_token(grant_type="password").json["error"] == "unsupported_grant_type"


def test_grant_without_a_token_endpoint_is_refused(register_grant):
    with pytest.raises(ConfigurationError, match="ImplicitGrant does not answer token requests"):
        register_grant(ImplicitGrant)


def test_other_ways_to_authenticate_cannot_be_added(app):
    with pytest.raises(ConfigurationError, match="clients authenticate with private_key_jwt only"):
        app.extensions["private_key_jwt"].server.register_client_auth_method("api_key", lambda *_: None)


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        (object(), "object has neither get_user_id() nor get_id(): a token needs its sub."),
        (Person(None), "get_user_id() of Person gives no id: a token needs its sub."),
    ],
)
def test_user_without_an_id_is_told_what_is_missing(user, reason, oauth, app, client, ask_token, refusals):
    class Anonymous(BadgeGrant):
        def validate_token_request(self):
            super().validate_token_request()
            self.request.user = user

    oauth.register_grant(Anonymous)
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"grant_types": [BADGE]})

    assert ask_token(grant_type=BADGE, badge="4711").status_code == 503
    assert len(refusals) == 1
    assert refusals[0].startswith(f"set up wrongly: {reason}")
    assert causes(refusals) == ["setup_wrong"]


# --- Authlib's debug log ----------------------------------------------------------------------------------
class Talking(ClientCredentialsGrant):
    """Authlib's grant as it comes, which logs the token it issues."""

    TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt"]


@pytest.mark.parametrize("own", [None, Talking, BadgeGrant])
def test_debug_log_never_shows_a_token_an_assertion_or_a_proof(
    own, oauth, with_badges, ask_token, build_assertion, build_dpop, caplog
):
    if own:
        oauth.register_grant(own)
    grant_type = own.GRANT_TYPE if own else "client_credentials"
    assertion, proof = build_assertion(), build_dpop()
    with caplog.at_level(logging.DEBUG):
        answer = ask_token(grant_type=grant_type, badge="4711", assertion=assertion, proof=proof)

    assert answer.status_code == 200
    for secret in (answer.json["access_token"], assertion, proof):
        for part in secret.split("."):
            assert part not in caplog.text
    if own is Talking:
        assert "Issue token <TokenMembers access_token, token_type, expires_in, scope>" in caplog.text


# --- an endpoint of the application's own ------------------------------------------------------------------
class EchoEndpoint(TokenEndpoint):
    """Answers with the caller's name."""

    ENDPOINT_NAME = "echo"
    CLIENT_AUTH_METHODS = ["private_key_jwt"]

    def create_endpoint_response(self, request):
        client = self.authenticate_endpoint_client(request)
        return 200, {"hello": client.client_id, "word": request.form.get("word")}, default_json_headers


@pytest.fixture
def ask_echo(app, client, build_assertion):
    server = app.extensions["private_key_jwt"].server
    server.register_endpoint(EchoEndpoint)
    app.add_url_rule("/echo", "echo", lambda: server.create_endpoint_response("echo"), methods=["POST"])

    def ask(assertion=None, **form):
        fields = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion or build_assertion(), **form}
        return app.test_client().post("/echo", data=fields)

    return ask


def test_endpoint_of_the_application_authenticates_its_clients(ask_echo):
    answer = ask_echo(word="moo")

    assert (answer.status_code, answer.json) == (200, {"hello": CLIENT_ID, "word": "moo"})


def test_endpoint_of_the_application_takes_an_assertion_once(ask_echo, build_assertion, refusals):
    assertion = build_assertion()
    assert ask_echo(assertion).status_code == 200

    assert ask_echo(assertion).json == INVALID_CLIENT
    assert causes(refusals) == ["assertion_replayed"]


class VendingEndpoint(EchoEndpoint):
    """Hands out a token to whoever authenticates."""

    ENDPOINT_NAME = "vending"

    def create_endpoint_response(self, request):
        client = self.authenticate_endpoint_client(request)
        return 200, self.server.generate_token("vending", client), default_json_headers


@pytest.mark.parametrize(
    ("settings", "change", "status"),
    [
        ({}, {}, 200),
        ({}, {"dpop_bound_access_tokens": True}, 400),
        ({"OAUTH2_DPOP_REQUIRED": True}, {}, 400),
    ],
)
def test_endpoint_of_the_application_issues_no_unbound_token_where_it_must_be_bound(
    settings, change, status, app, oauth, client, build_assertion, refusals
):
    server = app.extensions["private_key_jwt"].server
    server.register_endpoint(VendingEndpoint)
    app.add_url_rule("/vending", "vending", lambda: server.create_endpoint_response("vending"), methods=["POST"])
    with app.app_context():
        oauth.clients.update(CLIENT_ID, change)

    fields = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": build_assertion()}
    answer = app.test_client().post("/vending", data=fields)

    assert answer.status_code == status
    assert ("access_token" in answer.json) is (status == 200)
    assert causes(refusals) == ([] if status == 200 else ["proof_missing"])


def test_endpoint_of_the_application_refuses_as_ours_do(ask_echo, build_assertion, refusals):
    answer = ask_echo(build_assertion(aud="https://evil.example"))

    assert (answer.status_code, answer.json) == (400, INVALID_CLIENT)
    assert "Error-Reference" in answer.headers
    assert refusals[0].cause == "assertion_aud"


def test_endpoint_of_the_application_reads_forms_as_strictly(ask_echo, refusals):
    assert ask_echo(word=["one", "two"]).json == INVALID_REQUEST
    assert refusals == ["parameter 'word' is sent more than once"]
    assert causes(refusals) == ["parameter_repeated"]


def test_endpoint_that_forgets_the_method_is_told_what_to_add(app):
    class Forgetful(TokenEndpoint):
        ENDPOINT_NAME = "forgetful"

    with pytest.raises(ConfigurationError, match=r'CLIENT_AUTH_METHODS = \["private_key_jwt"\]'):
        app.extensions["private_key_jwt"].server.register_endpoint(Forgetful)


def test_grant_that_forgets_to_look_is_not_open_to_every_client(oauth, ask_token, refusals):
    class Careless(BaseGrant, TokenEndpointMixin):
        GRANT_TYPE = "urn:example:careless"
        TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt"]

        def validate_token_request(self):
            self.request.client = self.authenticate_token_endpoint_client()

        def create_token_response(self):
            return 200, self.generate_token(scope="read"), self.TOKEN_RESPONSE_HEADER

    oauth.register_grant(Careless)

    assert ask_token(grant_type="urn:example:careless").json["error"] == "unauthorized_client"
    assert refusals == ["not registered for 'urn:example:careless'"]
    assert causes(refusals) == ["grant_type_not_registered"]


# --- a grant that looks the client up ---------------------------------------------------------------------
class LookingUpGrant(JWTBearerGrant):
    """As in Authlib's documentation, but for the signature: the assertion is the name of the client that made it."""

    TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt"]

    def process_assertion_claims(self, assertion):
        return {"iss": assertion}

    def resolve_issuer_client(self, issuer):
        return self.server.query_client(issuer)


@pytest.fixture
def ask_looking_up(app, oauth, client, register, keys, build_assertion, build_dpop):
    """A bound request with an assertion of a client; another client has the same grant."""
    oauth.register_grant(LookingUpGrant)
    jwks = {"keys": [keys("ES256", "other").public_jwk()]}
    register(client_id="other", jwks=jwks, scope="read", grant_types=[LookingUpGrant.GRANT_TYPE])
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"grant_types": [LookingUpGrant.GRANT_TYPE]})
    form = {
        "grant_type": LookingUpGrant.GRANT_TYPE,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": build_assertion(),
    }
    headers = {"DPoP": build_dpop()}
    return lambda issuer: app.test_client().post("/oauth2/token", data={**form, "assertion": issuer}, headers=headers)


def test_token_of_a_grant_that_looks_its_client_up_is_bound(ask_looking_up, proof_key):
    answer = ask_looking_up(CLIENT_ID)

    assert answer.json["token_type"] == "DPoP"
    assert claims_of(answer)["client_id"] == CLIENT_ID
    assert claims_of(answer)["cnf"] == {"jkt": proof_key.public.thumbprint}


def test_grant_that_looks_another_client_up_gets_no_token_for_it(ask_looking_up, refusals):
    answer = ask_looking_up("other")

    assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
    assert refusals == [
        "set up wrongly: A grant of the application issues a token to a client that did not make the request. "
        "Use the client that self.authenticate_token_endpoint_client() returns."
    ]


def test_grant_that_looks_its_client_up_accepts_only_its_methods(app, oauth, people, register, build_dpop, refusals):
    oauth.register_grant(LookingUpGrant)
    register(
        client_id="native", token_endpoint_auth_method="none", scope="read", grant_types=[JWTBearerGrant.GRANT_TYPE]
    )
    form = {"grant_type": LookingUpGrant.GRANT_TYPE, "client_id": "native", "assertion": "native"}

    answer = app.test_client().post("/oauth2/token", data=form, headers={"DPoP": build_dpop()})

    assert answer.json["error"] == "unauthorized_client"
    assert refusals == ["the grant accepts ['private_key_jwt'] only"]


# --- the method that the client used, not only the one it is registered for -----------------------------------
class TolerantGrant(BadgeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt", "client_secret_basic"]


@pytest.mark.parametrize("settings", [{"OAUTH2_CLIENT_SECRETS_UNTIL": "2027-02-01"}])
@pytest.mark.parametrize(("grant", "status"), [(BadgeGrant, 400), (TolerantGrant, 200)])
def test_grant_takes_a_secret_only_if_it_names_the_method(grant, status, app, oauth, client, ask_token, refusals):
    oauth.register_grant(grant)
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"grant_types": [BADGE]})
        secret = oauth.clients.secrets.give(CLIENT_ID).secret
    form = {"grant_type": BADGE, "badge": "4711"}

    answer = app.test_client().post("/oauth2/token", data=form, auth=(CLIENT_ID, secret))

    assert answer.status_code == status
    assert causes(refusals) == ([] if status == 200 else ["grant_auth_method"])
    assert ask_token(**form).status_code == 200
