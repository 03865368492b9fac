"""OAUTH2_PROFILE = "mcp": a stranger's client by its document, from the first page to the token; attacks on the way."""

import json

import pytest
from sqlalchemy import text

from flask_private_key_jwt.authorization_server.registration.client_id_document import read_client
from flask_private_key_jwt.jose import jose
from flask_private_key_jwt.settings.reading import read
from flask_private_key_jwt.settings.server import ServerSettings
from tests.authorization_server.conftest import (
    DOCUMENT,
    DOCUMENT_URL,
    LOOPBACK,
    VERIFIER,
    Browser,
    answer_in,
    build_request,
)
from tests.conftest import API, INVALID_CLIENT, ISSUER
from tests.refusals import causes
from tests.servers.https_servers import HOST, answer

OTHER_API = "https://other-api.example"
METADATA = "/.well-known/oauth-authorization-server"
INVALID_TARGET = "invalid_target"
MONTH = 30 * 86400
PROFILE = {
    "OAUTH2_PROFILE": "mcp",
    "OAUTH2_RESOURCES": [API, OTHER_API],
    "OAUTH2_CLIENT_ID_SCOPES": ["read", "write"],
}


@pytest.fixture
def changes():
    """What is set besides the profile."""
    return {}


@pytest.fixture
def settings(authority, changes):
    return {**PROFILE, "OAUTH2_FETCH_CA_BUNDLE": authority.bundle, **changes}


@pytest.fixture
def count_consents(document_app):
    def count_consents():
        with document_app.app_context():
            db = document_app.extensions["sqlalchemy"]
            return db.session.execute(text("SELECT count(*) FROM oauth2_consent")).scalar_one()

    return count_consents


@pytest.fixture
def redeem(redeem_document):
    return lambda code, **changes: redeem_document(code, **{"resource": API, **changes})


@pytest.fixture
def get_code(get_document_code):
    return lambda **changes: get_document_code(**{"resource": API, **changes})


@pytest.fixture
def open_page(open_document):
    """The consent page, or what else the request gets."""
    return lambda **changes: open_document(**{"resource": API, **changes})


@pytest.fixture
def again(post):
    """Use a refresh token as the document's client, with one thing changed."""

    def again(token, *, proof=None, client_id=DOCUMENT_URL, assertion=False, **form):
        fields = {"grant_type": "refresh_token", "refresh_token": token, "client_id": client_id, **form}
        return post("/oauth2/token", assertion=assertion, proof=proof, **fields)

    return again


def claims_of(answer):
    assert answer.status_code == 200, answer.json
    return jose.decode_unverified(answer.json["access_token"])[1]


# --- what is offered ----------------------------------------------------------------------------------------------
def test_metadata_says_what_mcp_clients_look_for(document_app, people):
    document = document_app.test_client().get(METADATA).json

    assert document["client_id_metadata_document_supported"] is True
    assert document["authorization_response_iss_parameter_supported"] is True
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["token_endpoint_auth_methods_supported"] == ["private_key_jwt", "none"]
    assert document["protected_resources"] == [API, OTHER_API]
    assert "registration_endpoint" not in document
    assert document_app.test_client().get("/.well-known/openid-configuration").json == document


@pytest.mark.parametrize("settings", [{**PROFILE, "OAUTH2_REGISTRATION": "open"}])
def test_registration_is_a_setting_of_its_own(settings, document_app, people):
    document = document_app.test_client().get(METADATA).json

    assert document["registration_endpoint"] == f"{ISSUER}/oauth2/register"


# --- the way in ---------------------------------------------------------------------------------------------------
def test_public_client_gets_a_bearer_token_for_one_resource_and_ten_minutes(get_code, redeem):
    answer = redeem(get_code())
    claims = claims_of(answer)

    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 600)
    assert (claims["aud"], claims["client_id"], "cnf" in claims) == (API, DOCUMENT_URL, False)


def test_public_client_with_dpop_gets_tokens_that_both_are_bound(get_code, redeem, again, build_dpop, keys, refusals):
    answer = redeem(get_code(), proof=build_dpop())
    thiefs = build_dpop(key=keys("ES256", "thief"))

    assert (answer.json["token_type"], "cnf" in claims_of(answer)) == ("DPoP", True)
    assert again(answer.json["refresh_token"], proof=thiefs).json["error"] == "invalid_grant"
    assert again(answer.json["refresh_token"]).json["error"] == "invalid_request"
    assert causes(refusals) == ["refresh_token_key_mismatch", "proof_missing_for_grant"]
    assert again(answer.json["refresh_token"], proof=build_dpop()).json["token_type"] == "DPoP"


def test_confidential_client_gets_in_by_its_keys(publish, get_code, redeem, refusals, client_key, build_assertion):
    publish(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [client_key.public_jwk()]})
    code = get_code()

    assert redeem(code).json == INVALID_CLIENT
    assert causes(refusals) == ["assertion_missing"]
    assertion = build_assertion(iss=DOCUMENT_URL, sub=DOCUMENT_URL)
    assert claims_of(redeem(code, assertion=assertion, client_id=None))["client_id"] == DOCUMENT_URL


def test_every_answer_has_iss(open_document):
    browser = open_document.browser
    allowed = browser.decide(open_document(resource=API))
    denied = browser.decide(open_document(resource=API), "deny")

    for location in (allowed.headers["Location"], denied.headers["Location"]):
        assert f"iss={ISSUER.replace(':', '%3A').replace('/', '%2F')}" in location


def test_refusal_that_a_stranger_is_sent_by_a_link_has_iss_too(open_page):
    page = open_page(resource=None)

    assert page.status_code == 400
    assert "error=invalid_target" in page.text
    assert "iss=https%3A%2F%2Fas.example" in page.text


# --- resource -----------------------------------------------------------------------------------------------------
def test_request_and_exchange_without_a_resource_are_refused(open_page, get_code, redeem, refusals):
    assert INVALID_TARGET in open_page(resource=None).text
    code = get_code()
    assert redeem(code, resource=None).json["error"] == INVALID_TARGET
    assert causes(refusals) == ["resource_missing", "resource_missing"]
    assert redeem(code).status_code == 200


@pytest.mark.parametrize("changes", [{"OAUTH2_RESOURCES": []}, {}])
def test_server_that_names_no_resource_says_so_at_the_start_and_refuses(changes, open_page, refusals, caplog):
    warned = [record.getMessage().partition(" ")[0] for record in caplog.get_records("setup")]
    page = open_page()

    assert ("OAUTH2_RESOURCES" in warned) == (INVALID_TARGET in page.text) == bool(changes)
    assert causes(refusals) == (["resource_unknown"] if changes else [])


def test_refresh_inherits_the_resource(get_code, redeem, again, refusals):
    first = redeem(get_code(resource=[API, OTHER_API]), resource=OTHER_API).json["refresh_token"]
    second = again(first)

    assert claims_of(second)["aud"] == OTHER_API
    assert again(second.json["refresh_token"], resource=API).json["error"] == INVALID_TARGET
    assert causes(refusals) == ["resource_not_granted"]


@pytest.mark.parametrize("written", ["HTTPS://API.example", f"{API}/", f"{API}:443", f"{API}:443/"])
def test_resource_may_be_written_as_the_client_was_given_it(written, get_code, redeem, again):
    answer = redeem(get_code(resource=written), resource=written)

    assert claims_of(answer)["aud"] == API
    assert claims_of(again(answer.json["refresh_token"], resource=written))["aud"] == API


@pytest.mark.parametrize(
    "written",
    [
        f"{API}/mcp",
        f"{API}:8443",
        "http://api.example",
        f"{API}?",
        f"{API}#",
        "https://api.example.",
        "https://u@api.example",
    ],
)
def test_resource_that_is_another_one_is_refused(written, open_page, get_code, redeem, refusals):
    assert INVALID_TARGET in open_page(resource=written).text
    assert redeem(get_code(), resource=written).json["error"] == INVALID_TARGET
    assert causes(refusals) == ["resource_unknown", "resource_not_granted"]


def test_public_clients_bearer_token_is_for_no_second_resource(get_code, redeem, refusals):
    code = get_code(resource=[API, OTHER_API])

    assert redeem(code, resource=[API, OTHER_API]).json["error"] == INVALID_TARGET
    assert causes(refusals) == ["resource_not_single"]
    assert claims_of(redeem(code))["aud"] == API


# --- the consent page ---------------------------------------------------------------------------------------------
def test_page_names_the_hosts_of_the_document_and_of_the_answer(publish, open_page):
    publish(redirect_uris=["https://app.example:8443/callback", LOOPBACK])
    page = open_page(redirect_uri="https://app.example:8443/callback").text

    assert f"<h1>Allow <bdi>the application of {HOST}</bdi>?</h1>" in page
    assert "Nobody has checked this application." in page
    assert "It calls itself <q><bdi>Example MCP Client</bdi></q>." in page
    assert "<dt>Your answer goes to</dt><dd><strong><bdi>app.example:8443</bdi></strong>" in page
    assert "can pretend" not in page


def test_page_warns_where_every_answer_stays_on_the_device(open_page):
    assert "any program can pretend to be this application" in open_page().text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("<script>alert(1)</script>", "It calls itself <q><bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi></q>"),
        ("x" * 255, f"It calls itself <q><bdi>{'x' * 59}…</bdi></q>"),
        ("Сlaude", "It calls itself by a name that could be mistaken for another."),
    ],
)
def test_name_of_a_stranger_harms_nothing(name, shown, publish, open_page):
    publish(client_name=name)
    page = open_page().text

    assert shown in page
    assert f"<title>Allow the application of {HOST}?</title>" in page


@pytest.mark.parametrize("name", ["Claude\u202e", "a\nb", "\u3164", "x" * 256, ["Claude"]])
def test_document_with_a_name_that_nobody_can_read_is_no_client(name, publish, open_page, refusals):
    publish(client_name=name)

    assert open_page().status_code == 400
    assert causes(refusals) == ["client_unknown"]


def test_links_of_a_document_lead_to_its_own_host_only(publish, open_page):
    publish(client_uri=f"https://{HOST}/about", tos_uri="https://bank.example/terms", policy_uri=f"https://{HOST}@x/")
    page = open_page()

    assert page.status_code == 400  # a URL with a user name is none
    publish(client_id=f"https://{HOST}/2", client_uri=f"https://{HOST}/about", tos_uri="https://bank.example/terms")
    page = open_page(client_id=f"https://{HOST}/2").text
    assert f'href="https://{HOST}/about"' in page
    assert "bank.example" not in page


def test_logo_of_a_document_is_not_loaded(publish, open_page):
    publish(logo_uri=f"https://{HOST}/logo.png")
    page = open_page()

    assert "<img" not in page.text
    assert "img-src" not in page.headers["Content-Security-Policy"]


# --- documents that change between two reads ----------------------------------------------------------------------
def expire(clock):
    """Nothing that was read before counts any more."""
    clock.move(600 + 3600)


def test_decision_about_a_page_that_showed_another_name_is_none(publish, open_page, open_document, clock, refusals):
    page = open_page()
    publish(client_name="Your Bank")
    clock.move(600)  # the document is read again
    answer = open_document.browser.decide(page)

    assert answer.status_code == 403
    assert causes(refusals) == ["decision_foreign"]


def test_decision_that_would_go_where_the_document_no_longer_sends_it_is_none(
    publish, open_page, open_document, clock, refusals
):
    page = open_page()
    publish(redirect_uris=["https://evil.example/callback"])
    clock.move(600)
    answer = open_document.browser.decide(page)

    assert (answer.status_code, "Location" in answer.headers) == (400, False)
    assert causes(refusals) == ["redirect_uri_not_registered"]


def test_code_is_for_the_place_that_the_person_saw(publish, get_code, redeem, clock, refusals):
    code = get_code()
    publish(redirect_uris=["https://evil.example/callback"])

    assert redeem(code, redirect_uri="https://evil.example/callback").json["error"] == "invalid_grant"
    assert causes(refusals) == ["redirect_uri_mismatch"]
    assert redeem(code).status_code == 200


def test_public_client_whose_document_gets_another_host_for_answers_asks_again(publish, open_document, clock):
    at_home, elsewhere = f"https://{HOST}/callback", "https://other.example/callback"
    publish(redirect_uris=[at_home])
    open_document.browser.decide(open_document(resource=API, redirect_uri=at_home))
    assert open_document(resource=API, redirect_uri=at_home).status_code == 303  # allowed before
    publish(redirect_uris=[at_home, elsewhere])
    expire(clock)
    page = open_document(resource=API, redirect_uri=elsewhere)

    assert page.status_code == 200
    assert "<strong><bdi>other.example</bdi></strong>" in page.text


# --- how long a consent counts ------------------------------------------------------------------------------------
AT_HOME = f"https://{HOST}/callback"
ELSEWHERE = "https://other.example/callback"


@pytest.fixture
def visit(open_document):
    """What the document's client gets: ``asked`` or ``code``; with ``allow=True`` the person allows it on the page."""

    def visit(*, allow=False, **changes):
        asked = {"resource": API, "redirect_uri": AT_HOME, **changes}
        page = open_document(**asked)
        if allow:
            assert page.status_code == 200
            page = open_document.browser.decide(page)
        if page.status_code == 200:
            return "asked"
        assert page.headers["Location"].startswith(f"{asked['redirect_uri']}?code=")
        return "code"

    return visit


@pytest.fixture
def with_keys(publish, client_key):
    publish(
        token_endpoint_auth_method="private_key_jwt",
        jwks={"keys": [client_key.public_jwk()]},
        redirect_uris=[AT_HOME, ELSEWHERE, LOOPBACK],
        scope="read write",
    )


@pytest.mark.parametrize("seconds", [MONTH - 1, MONTH])
def test_consent_to_a_strangers_document_counts_for_a_month(seconds, with_keys, visit, open_page, clock, refusals):
    assert visit(allow=True) == "code"
    clock.move(seconds)

    if seconds < MONTH:
        assert visit(prompt="none") == "code"
    else:
        page = open_page(redirect_uri=AT_HOME, prompt="none")
        assert (page.status_code, "consent_required" in page.text) == (400, True)  # nor is anybody sent there
        assert causes(refusals) == ["consent_missing"]
        assert visit() == "asked"
        assert visit(allow=True) == visit() == "code"


def test_consent_to_a_public_clients_document_ends_too(publish, visit, clock):
    publish(redirect_uris=[AT_HOME])
    assert visit(allow=True) == visit() == "code"
    clock.move(MONTH)

    assert visit() == "asked"


def test_consent_counts_for_the_host_that_the_person_saw(with_keys, visit, open_page, refusals):
    assert visit(allow=True) == "code"

    assert visit(redirect_uri=ELSEWHERE) == "asked"
    assert open_page(redirect_uri=ELSEWHERE, prompt="none").status_code == 400
    assert causes(refusals) == ["consent_missing"]
    assert visit(redirect_uri=ELSEWHERE, allow=True) == visit(redirect_uri=ELSEWHERE) == visit() == "code"


def test_more_that_is_allowed_later_does_not_prolong_what_was_allowed_before(with_keys, visit, clock):
    assert visit(scope="read", allow=True) == "code"
    clock.move(MONTH - 1)
    assert visit(scope="write", allow=True) == visit(scope="read write") == "code"
    clock.move(1)

    assert visit(scope="read") == visit(scope="write") == "asked"
    assert visit(scope="write", allow=True) == visit(scope="write") == "code"
    assert visit(scope="read") == "asked"  # what has ended does not come back with another scope


def test_what_the_page_shows_again_begins_anew(with_keys, visit, clock):
    assert visit(scope="read", allow=True) == "code"
    clock.move(MONTH - 1)
    assert visit(scope="read write", allow=True) == "code"
    clock.move(MONTH - 1)

    assert visit(scope="read") == "code"


def test_consents_end_with_a_revocation_whatever_the_host(document_app, oauth, with_keys, visit):
    assert visit(allow=True) == visit(redirect_uri=ELSEWHERE, allow=True) == "code"
    with document_app.app_context():
        oauth.revoke(subject="alice", client_id=DOCUMENT_URL)

    assert visit() == visit(redirect_uri=ELSEWHERE) == "asked"


def test_all_ports_of_a_device_are_one_place(visit, count_consents):
    for port in (1, 2, 3):
        assert visit(redirect_uri=f"http://127.0.0.1:{port}/callback", allow=True) == "code"

    assert count_consents() == 1


@pytest.mark.parametrize("changes", [{"OAUTH2_CLIENT_ID_CONSENT_SECONDS": 0}])
def test_people_may_be_asked_each_time(changes, with_keys, visit):
    assert visit(allow=True) == "code"
    assert visit() == "asked"


@pytest.mark.parametrize("changes", [{"OAUTH2_CLIENT_ID_HOSTS": [HOST]}])
def test_consent_to_a_document_of_a_host_that_the_operator_names_stays(changes, with_keys, visit, clock):
    assert visit(allow=True) == "code"
    clock.move(12 * MONTH)

    assert visit() == visit(redirect_uri=ELSEWHERE) == "code"


def test_tokens_of_a_client_with_keys_are_none_for_everybody_when_its_document_drops_them(
    publish, get_code, redeem, again, clock, refusals, client_key, build_assertion
):
    publish(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [client_key.public_jwk()]})
    token = redeem(get_code(), assertion=build_assertion(iss=DOCUMENT_URL, sub=DOCUMENT_URL), client_id=None)
    publish()
    expire(clock)

    assert again(token.json["refresh_token"]).json["error"] == "invalid_grant"
    assert causes(refusals) == ["refresh_token_unbound"]


def test_document_that_is_gone_is_no_client_when_its_time_is_over(site, get_code, redeem, again, clock, refusals):
    token = redeem(get_code()).json["refresh_token"]
    site.pieces = answer(b"", status="404 No")
    clock.move(600)
    successor = again(token).json["refresh_token"]  # an old document serves for some time
    expire(clock)

    assert again(successor).json == INVALID_CLIENT
    assert causes(refusals) == ["client_unknown"]


# --- stolen refresh tokens ----------------------------------------------------------------------------------------
def test_stolen_refresh_token_ends_everything_when_both_have_used_it(get_code, redeem, again, clock, refusals):
    stolen = redeem(get_code()).json["refresh_token"]
    thiefs = again(stolen).json["refresh_token"]
    clock.move(61)

    assert again(stolen).json["error"] == "invalid_grant"
    assert again(thiefs).json["error"] == "invalid_grant"
    assert causes(refusals) == ["refresh_token_reused", "refresh_token_unknown"]


def test_stolen_refresh_token_is_none_of_another_documents_client(
    publish, site, network, serve, authority, get_code, redeem, again, refusals
):
    stolen = redeem(get_code()).json["refresh_token"]
    network.names["evil.example"] = [["93.184.215.99"]]
    publish(
        at=serve(authority.server_context("evil.example"), address="93.184.215.99"), client_id="https://evil.example/c"
    )

    assert again(stolen, client_id="https://evil.example/c").json["error"] == "invalid_grant"
    assert causes(refusals) == ["refresh_token_foreign"]
    assert again(stolen).status_code == 200


def test_operator_may_block_a_document(get_code, redeem, again, open_page, register, refusals):
    code, token = get_code(), redeem(get_code()).json["refresh_token"]
    register(
        client_id=DOCUMENT_URL,
        enabled=False,
        token_endpoint_auth_method="none",
        grant_types=["authorization_code"],
        redirect_uris=[LOOPBACK],
        scope="read",
    )

    assert open_page().status_code == 400
    assert redeem(code).json == again(token).json == INVALID_CLIENT
    assert causes(refusals) == ["client_disabled"] * 3


# --- tokens that no person allowed ---------------------------------------------------------------------------------
MACHINE = {"token_endpoint_auth_method": "private_key_jwt", "grant_types": ["authorization_code", "client_credentials"]}


@pytest.fixture
def ask_for_itself(publish, app, people, post, client_key, build_assertion):
    """Ask for a token without a person, as the client of a document that names the grant."""
    publish(**MACHINE, jwks={"keys": [client_key.public_jwk()]})

    def ask_for_itself(client_id=DOCUMENT_URL):
        assertion = build_assertion(iss=client_id, sub=client_id)
        return post("/oauth2/token", assertion=assertion, grant_type="client_credentials", scope="read", resource=API)

    return ask_for_itself


def test_stranger_gets_no_token_that_no_person_allowed(ask_for_itself, get_code, redeem, build_assertion, refusals):
    assert ask_for_itself().json["error"] == "unauthorized_client"
    assert causes(refusals) == ["grant_type_not_registered"]
    assertion = build_assertion(iss=DOCUMENT_URL, sub=DOCUMENT_URL)
    assert claims_of(redeem(get_code(), assertion=assertion, client_id=None))["sub"] == "alice"


def test_operators_own_machine_gets_one(ask_for_itself, register, client_key):
    register(client_id="machine", jwks={"keys": [client_key.public_jwk()]}, scope="read")

    assert claims_of(ask_for_itself("machine"))["sub"] == "machine"


@pytest.mark.parametrize(
    "more", [{"OAUTH2_CLIENT_ID_HOSTS": [HOST]}, {"OAUTH2_REGISTRATION_GRANT_TYPES": ["client_credentials"]}]
)
def test_where_the_operator_says_so_documents_get_one(more, client_key):
    settings = read({"OAUTH2_ISSUER": ISSUER, **PROFILE, **more}, ServerSettings)
    members = {**DOCUMENT, **MACHINE, "jwks": {"keys": [client_key.public_jwk()]}}
    client = read_client(DOCUMENT_URL, members, settings=settings, grant_types=lambda: MACHINE["grant_types"])

    assert client.grant_types == {"authorization_code", "client_credentials"}


# --- slow and huge documents --------------------------------------------------------------------------------------
@pytest.mark.parametrize("settings", [{**PROFILE, "OAUTH2_FETCH_TIMEOUT_SECONDS": 2}])
def test_slow_document_is_no_client_and_blocks_nobody(
    settings, authority, site, open_page, refusals, caplog, monkeypatch
):
    site.pieces = [b"HTTP/1.1 200 OK\r\n", *[0.2, b"X-Slow: 1\r\n"] * 50]

    assert open_page().status_code == 400
    assert causes(refusals) == ["client_unknown"]


def test_huge_document_is_no_client(publish, open_page, refusals, caplog):
    publish(padding="x" * 16384)

    assert open_page().status_code == 400
    assert causes(refusals) == ["client_unknown"]
    assert "more than 16384 bytes" in caplog.text


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b"\xff", b'{"a":' * 200, json.dumps({"client_id": "x"}).encode()]
)
def test_what_is_no_document_is_no_client(body, site, open_page, refusals):
    site.pieces = answer(body)

    assert open_page().status_code == 400
    assert causes(refusals) == ["client_unknown"]


@pytest.mark.parametrize("missing", ["client_id", "client_name", "redirect_uris"])
def test_document_without_a_required_member_is_no_client(missing, publish, open_page, refusals):
    publish(**{missing: None})

    assert open_page().status_code == 400
    assert causes(refusals) == ["client_unknown"]


# --- thousands of made-up documents -------------------------------------------------------------------------------
def test_known_clients_go_on_while_strangers_make_up_thousands(
    document_app, site, publish, open_page, get_code, redeem, clock, refusals
):
    known = get_code()
    good, site.pieces = site.pieces, answer(b"", status="404 No")
    browser = Browser(document_app)
    statuses = [
        browser.open(build_request(client_id=f"https://{HOST}/{number}", redirect_uri=LOOPBACK)).status_code
        for number in range(300)
    ]
    site.pieces = good

    assert (statuses[0], statuses[-1]) == (400, 503)
    assert redeem(known).status_code == 200
    assert open_page().status_code == 200


def test_newcomer_in_the_middle_of_it_is_told_when_to_come_and_gets_in(
    document_app, site, publish, open_document, clock, refusals
):
    good, site.pieces = site.pieces, answer(b"", status="404 No")
    browser = Browser(document_app)
    for number in range(300):
        browser.open(build_request(client_id=f"https://{HOST}/{number}", redirect_uri=LOOPBACK))
    site.pieces = good
    first = open_document(resource=API)

    assert (first.status_code, first.headers["Retry-After"], first.headers["Refresh"]) == (503, "2", "2")
    assert refusals[-1].cause == "fetch_busy_new"
    clock.move(2)
    assert open_document(resource=API).status_code == 200


def test_person_whose_id_is_a_url_gets_no_token_and_nothing_is_fetched(
    document_app, people, publish, register, client_key, network, refusals
):
    register(
        client_id="own",
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code"],
        redirect_uris=["https://app.example/callback"],
        scope="read",
    )
    browser = Browser(document_app)
    browser.http.get("/test/login/https:%2F%2Fids.example%2F7")
    with browser.http.session_transaction() as session:
        session["user"] = "https://ids.example/7"
    page = browser.open(build_request(client_id="own", redirect_uri="https://app.example/callback", resource=API))

    assert browser.decide(page).status_code == 503
    assert refusals[-1].cause == "setup_wrong"
    assert network.lookups == []


# --- registration over HTTP ---------------------------------------------------------------------------------------
OPEN = {**PROFILE, "OAUTH2_REGISTRATION": "open", "OAUTH2_REGISTRATION_SCOPES": ["read"]}
SDK = {
    "redirect_uris": ["http://localhost:3030/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "scope": "read offline_access",
    "client_name": "MCP Client",
    "application_type": "native",
}


@pytest.mark.parametrize("settings", [OPEN])
@pytest.mark.parametrize("method", [{}, {"token_endpoint_auth_method": "none"}])
def test_client_registers_as_the_sdk_does_and_gets_in(method, settings, document_app, people, post):
    registered = document_app.test_client().post("/oauth2/register", json={**SDK, **method})
    client_id, redirect_uri = registered.json["client_id"], "http://localhost:51234/callback"
    browser = Browser(document_app).sign_in()
    request = {"client_id": client_id, "redirect_uri": redirect_uri, "scope": "read offline_access", "resource": API}
    page = browser.open(build_request(**request))

    assert (registered.status_code, registered.json["scope"]) == (201, "read")
    assert registered.json["token_endpoint_auth_method"] == "none"
    assert registered.json["dpop_bound_access_tokens"] is False
    assert "<h1>Allow <bdi>an application that registered itself</bdi>?</h1>" in page.text
    assert "It calls itself <q><bdi>MCP Client</bdi></q>." in page.text
    assert "any program can pretend to be this application" in page.text
    location = browser.decide(page).headers["Location"]
    form = {
        "grant_type": "authorization_code",
        "code": location.partition("code=")[2].partition("&")[0],
        "redirect_uri": redirect_uri,
        "code_verifier": VERIFIER,
        "client_id": client_id,
        "resource": API,
    }
    tokens = post("/oauth2/token", assertion=False, **form)
    assert (tokens.json["token_type"], "refresh_token" in tokens.json) == ("Bearer", True)


@pytest.mark.parametrize("settings", [OPEN])
@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"token_endpoint_auth_method": "client_secret_post"}, "auth_method_not_supported"),
        ({"redirect_uris": ["http://app.example/callback"]}, "redirect_uris_not_accepted"),
        ({"redirect_uris": ["com.example.app:/callback"]}, "redirect_uris_not_accepted"),
        ({"redirect_uris": []}, "redirect_uris_missing"),
    ],
)
def test_registration_that_the_profile_has_no_room_for_is_refused(
    change, cause, settings, document_app, people, refusals
):
    answer = document_app.test_client().post("/oauth2/register", json={**SDK, **change})

    assert answer.status_code == 400
    assert causes(refusals) == [cause]


@pytest.mark.parametrize("settings", [{**OPEN, "OAUTH2_PROFILE": "oauth", "OAUTH2_PUBLIC_BEARER_TOKENS": True}])
def test_registration_without_keys_and_method_is_none_without_the_profile(settings, document_app, people, refusals):
    assert document_app.test_client().post("/oauth2/register", json=SDK).status_code == 400
    assert causes(refusals) == ["jwks_missing"]


@pytest.mark.parametrize("settings", [OPEN, {**OPEN, "OAUTH2_REGISTRATION_GRANT_TYPES": ["client_credentials"]}])
def test_stranger_registers_for_no_token_that_no_person_allows(settings, document_app, people, client_key, refusals):
    wished = {"jwks": {"keys": [client_key.public_jwk()]}, "grant_types": ["client_credentials"], "scope": "read"}
    answer = document_app.test_client().post("/oauth2/register", json=wished)

    if "OAUTH2_REGISTRATION_GRANT_TYPES" in settings:
        assert answer.status_code == 201
    else:
        assert (answer.status_code, causes(refusals)) == (400, ["grant_type_not_open"])
        assert "asks no person, and is for the operator's clients" in refusals[0]


# --- clients of the time before -----------------------------------------------------------------------------------
def test_private_scheme_of_an_older_registration_is_no_place_for_an_answer(
    server, document_app, people, register, refusals, client_key
):
    app, oauth, db = server
    register(
        client_id="native",
        client_name="Native",
        jwks={"keys": [client_key.public_jwk()]},
        grant_types=["authorization_code"],
        redirect_uris=["https://app.example/callback"],
        scope="read",
    )
    with app.app_context():
        row = db.session.scalar(db.select(oauth.Client).filter_by(client_id="native"))
        row.redirect_uris = ["com.example.app:/callback", "https://app.example/callback"]
        row.application_type = "native"
        db.session.commit()
    browser = Browser(app).sign_in()
    request = {"client_id": "native", "resource": API}

    page = browser.open(build_request(redirect_uri="com.example.app:/callback", **request))
    assert (page.status_code, causes(refusals)) == (400, ["redirect_uri_not_allowed"])
    allowed = browser.decide(browser.open(build_request(redirect_uri="https://app.example/callback", **request)))
    assert "code" in answer_in(allowed)
