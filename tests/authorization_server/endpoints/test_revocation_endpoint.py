"""Revocation of access tokens (RFC 7009); for refresh tokens see ``test_revoked_grants``."""

import pytest
from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin

from flask_private_key_jwt.database.batches import KEEP_ENDED_SECONDS
from flask_private_key_jwt.jose import jose
from tests.authorization_server.endpoints.answers import assert_refused
from tests.conftest import API, CLIENT_ID, INVALID_CLIENT, INVALID_REQUEST
from tests.refusals import causes

INACTIVE = b'{"active": false}'


@pytest.fixture
def token(ask_token):
    return ask_token().json["access_token"]


@pytest.fixture
def other(register, client_key):
    return register(client_id="other", jwks={"keys": [client_key.public_jwk()]}, introspection_resources=[API])


def assert_done(answer):
    """All that the answer says is that the token counts no longer (RFC 7009 §2.2)."""
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    assert "Content-Type" not in answer.headers


# --- what ends ----------------------------------------------------------------------------------------------------
def test_client_revokes_its_token_and_no_other(revoke, introspect, ask_token, token, refusals):
    another = ask_token().json["access_token"]

    assert_done(revoke(token))

    assert introspect(token).data == INACTIVE
    assert introspect(another).json["active"] is True
    assert causes(refusals) == ["token_revoked"]


def test_revoking_twice_is_no_error(revoke, introspect, token):
    for _ in range(2):
        assert_done(revoke(token))

    assert introspect(token).data == INACTIVE


def test_bound_token_is_revoked_without_a_proof(revoke, introspect, ask_token, build_dpop):
    bound = ask_token(proof=build_dpop()).json["access_token"]

    assert_done(revoke(bound, headers={"DPoP": "no proof at all"}))

    assert introspect(bound).data == INACTIVE


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "", "x", "urn:nonsense"])
def test_hint_changes_nothing(hint, revoke, introspect, token):
    assert_done(revoke(token, token_type_hint=hint))

    assert introspect(token).data == INACTIVE


def test_revocation_is_forgotten_when_the_token_has_expired(app, revoke, token, clock):
    revoke(token)
    revocations = app.extensions["private_key_jwt"].revocations

    with app.app_context():
        # An API may allow for another clock, and ours may be ahead as far.
        clock.move(620 + KEEP_ENDED_SECONDS)
        assert revocations.purge() == 0
        clock.move(1)
        assert revocations.purge() == 1


# --- what is no error, and what is ------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", ["x", "a.b.c", "-" * 43, "\x00", "A" * 60000, "." * 60000, "eyJ.eyJ.x"])
def test_what_is_no_token_needs_no_revoking(text, client, revoke, refusals):
    answer = revoke(text)

    assert_done(answer)
    assert len(refusals) == 1
    assert len(answer.headers["Error-Reference"]) == 16


def test_expired_token_needs_no_revoking(revoke, token, clock, refusals):
    clock.move(620)

    assert_done(revoke(token))
    assert refusals == ["token: expired, 20 s ago"]
    assert causes(refusals) == ["token_expired"]


@pytest.mark.parametrize("late", [0, 9, 19])
def test_token_that_an_api_may_still_take_is_revoked(late, app, revoke, token, clock, refusals):
    """An API allows for clocks that differ; the answer says that the token counts no longer."""
    clock.move(600 + late)

    assert_done(revoke(token))
    assert refusals == []
    with app.app_context():
        assert app.extensions["private_key_jwt"].is_revoked(jose.decode_unverified(token)[1])


@pytest.mark.parametrize("ahead", [1, 15, 3600])
def test_token_of_a_machine_whose_clock_is_ahead_is_revoked_before_it_counts(
    ahead, revoke, introspect, ask_token, clock, refusals
):
    clock.move(ahead)
    token = ask_token().json["access_token"]
    clock.move(-ahead)

    assert_done(revoke(token))
    assert refusals == []
    clock.move(ahead)
    assert introspect(token).data == INACTIVE
    assert causes(refusals) == ["token_revoked"]


def test_token_of_another_client_is_refused_and_stays(revoke, introspect, token, other, refusals):
    answer = revoke(token, by="other")

    assert_refused(answer, "invalid_request", refusals, "token_foreign", says="the token belongs to client 'console'")
    assert introspect(token).json["active"] is True
    assert introspect(token, by="other").json["active"] is True  # whose API it is for


@pytest.mark.parametrize("token", [None, ""])
def test_token_is_required(token, client, revoke, refusals):
    assert_refused(revoke(token), "invalid_request", refusals, "token_parameter_missing")


def test_token_twice_is_refused(app, client, build_assertion, refusals):
    body = f"token=a&token=b&client_assertion={build_assertion()}"
    form = "application/x-www-form-urlencoded"

    assert app.test_client().post("/oauth2/revoke", data=body, content_type=form).json == INVALID_REQUEST
    assert refusals == ["parameter 'token' is sent more than once"]
    assert causes(refusals) == ["parameter_repeated"]


# --- the caller -----------------------------------------------------------------------------------------------------
def test_caller_has_to_authenticate(app, introspect, token, refusals):
    for form in ({"token": token}, {"token": token, "client_id": CLIENT_ID}):
        answer = app.test_client().post("/oauth2/revoke", data=form)

        assert (answer.status_code, answer.json) == (400, INVALID_CLIENT)
    assert causes(refusals) == ["assertion_missing"] * 2
    assert introspect(token).json["active"] is True


def test_assertion_is_good_once(revoke, introspect, token, build_assertion, refusals):
    assertion = build_assertion()
    assert_done(revoke("x", assertion=assertion))
    refusals.clear()

    assert_refused(revoke(token, assertion=assertion), "invalid_client", refusals, "assertion_replayed")
    assert introspect(token).json["active"] is True


def test_refused_authentication_spends_nothing(revoke, token, build_assertion, keys):
    assert revoke(token, assertion=build_assertion(jti="j", key=keys("ES256", "stranger"))).json == INVALID_CLIENT

    assert_done(revoke(token, assertion=build_assertion(jti="j")))


# --- by the application -----------------------------------------------------------------------------------------------
def test_application_revokes_a_token_by_its_name(app, oauth, introspect, ask_token, token, clock):
    another = ask_token().json["access_token"]
    claims = jose.decode_unverified(token)[1]

    with app.app_context():
        oauth.revoke_token(claims["jti"], expires_at=claims["exp"])

    assert introspect(token).data == INACTIVE
    assert introspect(another).json["active"] is True


def test_token_that_is_revoked_without_its_end_is_remembered_longest(app, oauth, introspect, ask_token):
    token = ask_token().json["access_token"]
    with app.app_context():
        oauth.revoke_token(jose.decode_unverified(token)[1]["jti"])
        assert app.extensions["private_key_jwt"].revocations.purge() == 0

    assert introspect(token).data == INACTIVE


@pytest.mark.parametrize(
    ("whose", "ends"),
    [
        ({"client_id": CLIENT_ID}, True),
        ({"subject": CLIENT_ID}, True),
        ({"subject": CLIENT_ID, "client_id": CLIENT_ID}, True),
        ({"client_id": "other"}, False),
        ({"subject": "other"}, False),
        ({"subject": CLIENT_ID, "client_id": "other"}, False),
        ({"subject": "other", "client_id": CLIENT_ID}, False),
        ({"client_id": "Console"}, False),
    ],
)
def test_what_a_client_does_for_itself_is_revoked_with_the_client(whose, ends, app, oauth, introspect, token):
    with app.app_context():
        assert oauth.revoke(**whose) == 0

    assert introspect(token).json["active"] is not ends


@pytest.mark.parametrize("whose", [{}, {"subject": None, "client_id": None}])
def test_everybody_s_tokens_are_never_meant(whose, app, oauth, introspect, token):
    with app.app_context(), pytest.raises(ValueError, match="name a subject, a client_id or both"):
        oauth.revoke(**whose)

    assert introspect(token).json["active"] is True


@pytest.mark.parametrize("whose", [{"subject": 5}, {"client_id": 5}, {"subject": 5, "client_id": CLIENT_ID}])
def test_number_of_a_person_is_not_taken_for_their_name(whose, app, oauth, client):
    """It would find no refresh token, and nobody would notice."""
    with app.app_context(), pytest.raises(TypeError, match="has to be text, as tokens name it, not int"):
        oauth.revoke(**whose)


def test_what_is_issued_in_the_second_of_a_revocation_is_revoked_and_later_is_not(
    app, oauth, introspect, ask_token, clock
):
    before = ask_token().json["access_token"]
    clock.move(1)
    with app.app_context():
        oauth.revoke(client_id=CLIENT_ID)
    same_second = ask_token().json["access_token"]
    clock.move(1)
    later = ask_token().json["access_token"]

    assert [introspect(token).json["active"] for token in (before, same_second, later)] == [False, False, True]


class LongLived(BaseGrant, TokenEndpointMixin):
    """A grant of the application's own, whose tokens live as long as the request says."""

    GRANT_TYPE = "urn:example:long"
    TOKEN_ENDPOINT_AUTH_METHODS = ["private_key_jwt"]

    def validate_token_request(self):
        self.request.client = self.authenticate_token_endpoint_client()

    def create_token_response(self):
        seconds = int(self.request.payload.data["seconds"])
        return 200, self.generate_token(scope="read", expires_in=seconds), self.TOKEN_RESPONSE_HEADER


@pytest.fixture
def ask_long_lived(app, oauth, client, ask_token):
    oauth.register_grant(LongLived)
    with app.app_context():
        oauth.clients.update(CLIENT_ID, {"grant_types": ["client_credentials", LongLived.GRANT_TYPE]})
    return lambda seconds: ask_token(grant_type=LongLived.GRANT_TYPE, seconds=str(seconds))


@pytest.mark.parametrize("settings", [{"OAUTH2_REFRESH_TOKEN_LIFETIME_SECONDS": 3600}])
def test_revocation_is_remembered_as_long_as_the_longest_token_lives(app, oauth, introspect, ask_long_lived, clock):
    token = ask_long_lived(3600).json["access_token"]
    with app.app_context():
        oauth.revoke(client_id=CLIENT_ID)
        clock.move(3599 + KEEP_ENDED_SECONDS)
        app.extensions["private_key_jwt"].revocations.purge()
        clock.move(-KEEP_ENDED_SECONDS)

    assert introspect(token).data == INACTIVE


@pytest.mark.parametrize("settings", [{"OAUTH2_REFRESH_TOKEN_LIFETIME_SECONDS": 3600}])
def test_no_token_outlives_the_memory_of_its_revocation(ask_long_lived, refusals):
    answer = ask_long_lived(3601)

    assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
    assert refusals[0].startswith("set up wrongly: A grant of the application asks for an access token of 3601 seconds")
    assert refusals[0].cause == "setup_wrong"


def test_later_revocation_reaches_further_and_an_earlier_one_does_not_take_it_back(
    app, oauth, introspect, ask_token, clock
):
    with app.app_context():
        oauth.revoke(client_id=CLIENT_ID)
        clock.move(5)
        token = ask_token().json["access_token"]
        assert introspect(token).json["active"] is True
        oauth.revoke(client_id=CLIENT_ID)
        clock.move(-5)  # another machine's clock
        oauth.revoke(client_id=CLIENT_ID)

    clock.move(6)
    assert introspect(token).data == INACTIVE
