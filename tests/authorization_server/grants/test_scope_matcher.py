"""Scopes of SMART at the server: compared as strings, or by the application's own matcher."""

import pytest

from flask_private_key_jwt.errors import ConfigurationError
from tests.authorization_server.conftest import APP_ID, answer_in, build_request
from tests.authorization_server.grants.test_authlib_users import BADGE, BadgeGrant
from tests.conftest import CLIENT_ID
from tests.refusals import causes

WIDE = "system/*.rs"
NARROW = "system/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
HELD = f"{WIDE} patient/*.read {NARROW} a*"
INVALID_SCOPE = {"error": "invalid_scope", "error_description": "The requested scope is not allowed."}


def covers(requested, registered):
    """``system/*.rs`` allows ``system/Patient.rs``, and nothing else does."""
    return registered == WIDE and requested.startswith("system/") and requested.endswith(".rs")


@pytest.fixture
def client(register, client_key):
    return register(
        client_id=CLIENT_ID,
        jwks={"keys": [client_key.public_jwk()]},
        scope=HELD,
        grant_types=[
            "client_credentials",
            BADGE,
        ],
    )


@pytest.fixture(autouse=True)
def _badges(oauth):
    oauth.register_grant(BadgeGrant)


@pytest.mark.parametrize("scope", [WIDE, NARROW, f"{NARROW} {WIDE}", "patient/*.read", "a*"])
def test_registered_scope_is_granted_as_it_is_written(scope, client, ask_token):
    assert ask_token(scope=scope).json["scope"].split() == scope.split()


@pytest.mark.parametrize(
    "scope",
    [
        "system/Observation.rs",
        "patient/Observation.read",
        "patient/*.rea",
        "patient/*.read?",
        "patient/*",
        "patient/*.READ",
        "patient%2F*.read",
        NARROW.partition("?")[0],
        NARROW.replace("=", "%3D"),
        NARROW.removesuffix("y"),
        f"{NARROW}x",
        "system/*.r",
        "system/**.rs",
        "system//*.rs",
        "*",
        "**",
        "aa",
        "a",
        "ab*",
        ".*",
        "/",
        "?",
    ],
)
def test_scope_that_only_looks_like_a_registered_one_is_refused(scope, client, ask_token, refusals):
    assert ask_token(scope=scope).json["error"] == "invalid_scope"
    assert causes(refusals) == ["scope_not_registered"]


@pytest.mark.parametrize(
    "scope",
    [f"{WIDE}\x00", f"system/*.rs\x7f{WIDE}", f"{WIDE}\x1b[1m", f"{WIDE}\u00a0{WIDE}", f'"{WIDE}"', f"{WIDE}\\"],
)
def test_scope_with_a_character_that_none_has_is_refused(scope, client, ask_token, refusals):
    assert ask_token(scope=scope).status_code == 400
    assert causes(refusals) == ["scope_not_registered"]


@pytest.mark.parametrize("scope", [f"{WIDE}\r\n{WIDE}", f"{WIDE}\t{WIDE}"])
def test_white_space_is_read_as_before(scope, client, ask_token):
    assert ask_token(scope=scope).status_code in (200, 400)


def test_matcher_allows_more_and_the_token_says_what_was_asked_for(client, oauth, ask_token):
    oauth.scope_matcher(covers)

    answer = ask_token(scope="system/Patient.rs").json

    assert answer["scope"] == "system/Patient.rs"


def test_what_the_matcher_does_not_allow_is_refused(client, oauth, ask_token, refusals):
    oauth.scope_matcher(covers)

    for scope in ("patient/Observation.read", "system/Patient.cruds", "system/Patient.rs patient/Observation.read"):
        assert ask_token(scope=scope).json["error"] == "invalid_scope"
    assert causes(refusals) == ["scope_not_registered"] * 3


def test_one_of_several_matchers_is_enough(client, oauth, ask_token):
    oauth.scope_matcher(lambda wanted, held: False)
    oauth.scope_matcher(covers)

    assert ask_token(scope="system/Patient.rs").status_code == 200


def test_matcher_is_asked_only_where_strings_differ(client, oauth, ask_token):
    asked = []
    oauth.scope_matcher(lambda wanted, held: asked.append(wanted) or False)

    assert ask_token(scope=f"{WIDE} {NARROW}").status_code == 200
    assert asked == []


@pytest.mark.parametrize("matcher", [lambda wanted, held: 1 / 0, lambda wanted, held: None, lambda wanted, held: 1])
def test_matcher_that_fails_lets_nobody_in(matcher, app, client, oauth, ask_token, refusals):
    oauth.scope_matcher(matcher)
    app.testing = False

    answer = ask_token(scope="system/Patient.rs")

    assert (answer.status_code, answer.json["error"]) == (503, "temporarily_unavailable")
    assert causes(refusals) == ["setup_wrong"]
    assert ask_token(scope=WIDE).status_code == 200


def test_own_grant_of_the_application_gets_the_scope_too(client, oauth, ask_token):
    oauth.scope_matcher(covers)

    answer = ask_token(grant_type=BADGE, badge="4711", scope=f"system/Patient.rs {WIDE}")

    assert answer.json["scope"] == f"system/Patient.rs {WIDE}"


# --- for a person ----------------------------------------------------------------------------------------------------
@pytest.fixture
def webapp(people, register, client_key):
    return register(
        client_id=APP_ID,
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code", "refresh_token"],
        redirect_uris=["https://app.example/callback?tenant=1"],
        scope=WIDE,
    )


def test_person_is_asked_for_the_scope_and_refresh_may_narrow_it(oauth, webapp, get_code, redeem, refresh, refusals):
    oauth.scope_matcher(covers)

    token = redeem(get_code(scope="system/Patient.rs")).json
    assert token["scope"] == "system/Patient.rs"
    assert refresh(token["refresh_token"], scope=WIDE).json["error"] == "invalid_scope"
    assert causes(refusals) == ["scope_not_granted"]

    wide = redeem(get_code(scope=WIDE)).json
    assert refresh(wide["refresh_token"], scope="system/Patient.rs").json["scope"] == "system/Patient.rs"


def test_person_is_not_asked_for_a_scope_that_the_client_has_not(webapp, browser, refusals):
    answer = answer_in(browser.sign_in().open(build_request(scope="system/Patient.rs")))

    assert answer["error"] == "invalid_scope"
    assert causes(refusals) == ["scope_not_registered"]


def test_defect_in_a_matcher_is_shown_to_its_author(client, oauth, ask_token, app):
    oauth.scope_matcher(lambda wanted, held: 1 / 0)
    app.testing = True

    with pytest.raises(ConfigurationError, match="scope matcher <lambda> raised ZeroDivisionError"):
        ask_token(scope="system/Patient.rs")
