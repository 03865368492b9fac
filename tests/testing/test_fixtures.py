"""The plugin in somebody's suite: green where the application is right, red where it is broken."""

import pytest

from flask_private_key_jwt.replay.contract import RULES
from flask_private_key_jwt.testing import Attack

API = """
import flask
from flask_private_key_jwt import ResourceProtector, current_token

require_oauth = ResourceProtector()


def create_app(**settings):
    app = flask.Flask(__name__)
    app.config.from_mapping(
        OAUTH2_ISSUER="https://login.shop.example",
        OAUTH2_RESOURCE="https://invoices.shop.example",
        OAUTH2_REPLAY_STORE="memory",
    )
    app.config.from_mapping(settings)
    require_oauth.init_app(app)

    @app.get("/invoices")
    @require_oauth("invoices.read")
    def invoices():
        return {"for": current_token["sub"]}

    @app.get("/forgotten")
    def forgotten():
        return {"for": "everybody"}

    @app.get("/any")
    @require_oauth(optional=True)
    def any_():
        return {}

    return app
"""

CONFTEST = """
import pytest
from api import create_app


@pytest.fixture
def app():
    return create_app()
"""

SHOP = """
import flask
from flask_private_key_jwt import PrivateKeyJWT, ResourceProtector, current_token
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
oauth = PrivateKeyJWT(db)
require_oauth = ResourceProtector()


@oauth.token_policy
def add_tenant(client, request, grant):
    return {"tenant": "tenant of " + grant.subject}


def create_app(folder):
    app = flask.Flask(__name__)
    app.config.from_mapping(
        SECRET_KEY="a secret for tests only, long enough",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/shop.sqlite",
        OAUTH2_ISSUER="https://shop.example",
        OAUTH2_RESOURCE="https://shop.example",
        OAUTH2_REFUSALS_KEPT_SECONDS=0,
    )
    db.init_app(app)
    oauth.init_app(app)
    require_oauth.init_app(app)

    @app.post("/orders")
    @require_oauth("orders", dpop="required")
    def order():
        return {"of": current_token["sub"], "tenant": current_token["tenant"], "goods": flask.request.json}

    with app.app_context():
        db.create_all()
    return app
"""

SHOP_CONFTEST = """
import pytest
from shop import create_app, db


@pytest.fixture
def app(tmp_path):
    app = create_app(tmp_path)
    yield app
    with app.app_context():
        db.engine.dispose()
"""


def test_an_api_with_an_issuer_of_its_own_is_tested_without_network(run_suite, forbid_network):
    outcome = run_suite(
        api=API,
        conftest=CONFTEST,
        test_api="""
        def test_person(resource_server):
            answer = resource_server.get("/invoices", subject="alice", scope="invoices.read")
            assert answer.status_code == 200, resource_server.refusals
            assert answer.json == {"for": "alice"}

        def test_bearer(resource_server):
            answer = resource_server.get("/invoices", client_id="console", scope="invoices.read", dpop=False)
            assert answer.json == {"for": "console"}

        def test_missing_scope(resource_server):
            answer = resource_server.get("/invoices", scope="invoices.write")
            assert answer.status_code == 403
            assert [refusal.cause for refusal in resource_server.refusals] == ["scope_insufficient"]

        def test_attacks(resource_server, attack):
            resource_server.get("/invoices", scope="invoices.read")
            assert attack.replay().cause == "proof_replayed"
            assert attack.other_key().cause == "proof_key_mismatch"
            assert attack.strip_proof().cause == "proof_missing"
            assert attack.without_scope().cause == "scope_insufficient"
            assert len(attack.everything()) == 10

        def test_attacks_on_a_bearer_token(resource_server, attack):
            resource_server.get("/invoices", scope="invoices.read", dpop=False)
            assert list(attack.everything()) == ["no_token", "other_issuer", "other_audience", "expired"]
        """,
    )

    outcome.assert_outcomes(passed=5)


@pytest.mark.parametrize(
    "attack",
    [name for name in vars(Attack) if not name.startswith("_")],
)
def test_every_attack_fails_at_a_view_that_nobody_protected(run_suite, attack):
    outcome = run_suite(
        api=API,
        conftest=CONFTEST,
        test_api=f"""
        def test_it(resource_server, attack):
            assert resource_server.get("/forgotten").status_code == 200
            attack.{attack}()
        """,
    )

    outcome.assert_outcomes(failed=1)
    outcome.stdout.fnmatch_lines(["E * AssertionError: GET /forgotten answered 200 to *Is the view protected by *"])


def test_a_view_that_lets_callers_without_a_token_in_fails_that_attack_only(run_suite):
    outcome = run_suite(
        api=API,
        conftest=CONFTEST,
        test_api="""
        def test_others(resource_server, attack):
            resource_server.get("/any")
            assert "no_token" not in attack.everything(but=["no_token"])

        def test_all(resource_server, attack):
            resource_server.get("/any")
            attack.everything()
        """,
    )

    outcome.assert_outcomes(passed=1, failed=1)
    outcome.stdout.fnmatch_lines(["E * GET /any answered 200 to a call without a token.*"])


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("pass", "*but none was sent."),
        ("resource_server.get('/invoices')", "*but GET /invoices answered 403."),
        ("resource_server.get('/no-such-page')", "*but GET /no-such-page answered 404."),
        ("resource_server.get('/invoices', scope='invoices.read', dpop=False)", "*had a Bearer token*dpop=True."),
    ],
)
def test_an_attack_that_attacks_nothing_is_red(run_suite, before, said):
    outcome = run_suite(
        api=API,
        conftest=CONFTEST,
        test_api=f"""
        def test_it(resource_server, attack):
            {before}
            attack.replay()
        """,
    )

    outcome.assert_outcomes(failed=1)
    outcome.stdout.fnmatch_lines([f"E {said}"])


def test_an_attack_that_something_else_refuses_is_red(run_suite):
    broken = """
        import flask, pytest
        from api import create_app

        @pytest.fixture
        def app():
            app = create_app()
            calls = []

            @app.get("/limited")
            def limited():
                calls.append(1)
                return ("", 200) if len(calls) == 1 else ("", 429)

            return app
        """
    outcome = run_suite(
        api=API,
        conftest=broken,
        test_api="""
        def test_it(resource_server, attack):
            resource_server.get("/limited")
            attack.replay()
        """,
    )

    outcome.assert_outcomes(failed=1)
    outcome.stdout.fnmatch_lines(["E * GET /limited answered 429 to *it was not the protector that refused it."])


def test_an_application_that_is_both_is_used_as_it_is(run_suite):
    outcome = run_suite(
        shop=SHOP,
        conftest=SHOP_CONFTEST,
        test_shop="""
        def test_order(authorization_server, resource_server, attack, app):
            assert authorization_server.app is app
            answer = resource_server.post("/orders", subject="alice", scope="orders", json=["tea"])
            assert answer.json == {"of": "alice", "tenant": "tenant of alice", "goods": ["tea"]}
            attack.everything()

        def test_revoked(authorization_server, resource_server):
            token = authorization_server.token(subject="alice", scope="orders")
            assert resource_server.post("/orders", token=token, json=[]).status_code == 200
            authorization_server.revoke(token)
            assert resource_server.post("/orders", token=token, json=[]).status_code == 401
            assert resource_server.refusals[-1].cause == "token_revoked"

        def test_token_request(authorization_server):
            answer = authorization_server.request_token("till", scope="orders")
            assert answer.json["token_type"] == "DPoP", authorization_server.refusals
            again = authorization_server.send(authorization_server.last_request)
            assert again.status_code == 400
            assert authorization_server.refusals[-1].cause == "assertion_replayed"
        """,
    )

    outcome.assert_outcomes(passed=3)


def test_an_application_that_drops_the_protection_of_a_view_turns_its_suite_red(run_suite):
    outcome = run_suite(
        shop=SHOP.replace('    @require_oauth("orders", dpop="required")\n', "")
        .replace('current_token["sub"]', '"?"')
        .replace('current_token["tenant"]', '"?"'),
        conftest=SHOP_CONFTEST,
        test_shop="""
        def test_order(resource_server, attack):
            assert resource_server.post("/orders", scope="orders", json=[]).status_code == 200
            attack.strip_proof()
        """,
    )

    outcome.assert_outcomes(failed=1)


def test_a_suite_without_an_application_gets_both(run_suite, forbid_network):
    outcome = run_suite(
        test_client="""
        def test_api(resource_server, authorization_server, attack):
            assert resource_server.get("/", client_id="console").json["client_id"] == "console"
            attack.everything()

        def test_another_name(authorization_server):
            made = authorization_server.register("console", scope="a b", default_scope="b")
            assert authorization_server.token("console").claims["scope"] == "b"
            assert authorization_server.token("console", scope="a c").claims["scope"] == "a c"
            assert authorization_server.token("console").claims["cnf"] == {"jkt": made.dpop_key.public.thumbprint}
        """,
    )

    outcome.assert_outcomes(passed=2)


def test_settings_of_the_made_server_are_the_suites(run_suite):
    outcome = run_suite(
        test_it="""
        import pytest
        from flask_private_key_jwt.errors import InvalidScope

        @pytest.fixture
        def oauth_settings():
            return {"OAUTH2_ISSUER": "https://a.example", "OAUTH2_ACCESS_TOKEN_LIFETIME_SECONDS": 60}

        def test_it(authorization_server):
            claims = authorization_server.token(subject="alice").claims
            assert claims["iss"] == "https://a.example"
            assert claims["exp"] - claims["iat"] == 60
        """,
    )

    outcome.assert_outcomes(passed=1)


def test_a_server_keeps_its_rules_for_the_clients_that_the_application_registered(run_suite):
    outcome = run_suite(
        shop=SHOP,
        conftest=SHOP_CONFTEST,
        test_shop="""
        import pytest
        from flask_private_key_jwt.client import generate_key
        from flask_private_key_jwt.errors import InvalidRequest, InvalidScope, InvalidTarget
        from shop import oauth

        def test_it(app, authorization_server):
            with app.app_context():
                oauth.clients.add({"client_id": "till", "scope": "orders", "dpop_bound_access_tokens": True,
                                   "jwks": {"keys": [generate_key().public_jwk()]}})
            assert authorization_server.token("till", scope="orders").claims["client_id"] == "till"
            with pytest.raises(InvalidScope):
                authorization_server.token("till", scope="orders everything")
            with pytest.raises(InvalidRequest):
                authorization_server.token("till", scope="orders", dpop=False)
            with pytest.raises(InvalidTarget):
                authorization_server.token("till", scope="orders", resource="https://elsewhere.example")
        """,
    )

    outcome.assert_outcomes(passed=1)


def test_time_moves_without_waiting_and_is_right_again_afterwards(run_suite):
    outcome = run_suite(
        "-p",
        "no:randomly",
        api=API,
        conftest=CONFTEST,
        test_time="""
        import time

        def test_moved(time_machine, authorization_server, resource_server):
            token = authorization_server.token(scope="invoices.read")
            assert resource_server.get("/invoices", token=token).status_code == 200
            time_machine.move(minutes=11)
            assert resource_server.get("/invoices", token=token).status_code == 401
            assert resource_server.refusals[-1].cause == "token_expired"
            time_machine.move(minutes=-2)
            assert resource_server.get("/invoices", token=token).status_code == 200
            time_machine.move(days=365, hours=1)
            assert resource_server.get("/invoices", scope="invoices.read").status_code == 200

        def test_real(authorization_server):
            assert abs(authorization_server.token().claims["iat"] - time.time()) < 600
        """,
    )

    outcome.assert_outcomes(passed=2)


def test_nonces_are_used_at_once(run_suite):
    outcome = run_suite(
        api=API,
        conftest=CONFTEST.replace(
            "create_app()",
            'create_app(OAUTH2_DPOP_NONCE="required", SECRET_KEY="for tests only, and long enough for them")',
        ),
        test_api="""
        def test_it(resource_server, attack, time_machine):
            assert resource_server.get("/invoices", scope="invoices.read").status_code == 200
            assert [refusal.cause for refusal in resource_server.refusals] == ["proof_nonce_missing"]
            assert attack.everything()["expired"].cause == "token_expired"
            time_machine.move(hours=1)
            assert resource_server.get("/invoices", scope="invoices.read").status_code == 200
        """,
    )

    outcome.assert_outcomes(passed=1)


def test_an_api_that_asks_its_issuer_asks_the_server_of_the_test(run_suite, forbid_network, tmp_path):
    outcome = run_suite(
        api=API.replace('@require_oauth("invoices.read")', '@require_oauth("invoices.read", online=True)'),
        conftest="""
        import pytest
        from api import create_app
        from flask_private_key_jwt.client import generate_key

        PEM = generate_key().as_pem().decode()

        @pytest.fixture(scope="session")
        def app():
            return create_app(OAUTH2_CLIENT_ID="invoices", OAUTH2_CLIENT_KEY=PEM)
        """,
        test_api="""
        def test_it(authorization_server, resource_server):
            token = authorization_server.token(subject="alice", scope="invoices.read")
            assert resource_server.get("/invoices", token=token).status_code == 200, resource_server.refusals
            authorization_server.revoke(token)
            other = authorization_server.token(subject="alice", scope="invoices.read")
            authorization_server.revoke(other)
            assert resource_server.get("/invoices", token=other).status_code == 401
            assert resource_server.refusals[-1].cause == "token_inactive"

        def test_once_more(resource_server):
            assert resource_server.get("/invoices", scope="invoices.read").status_code == 200, resource_server.refusals
        """,
    )

    outcome.assert_outcomes(passed=2)


def test_an_api_without_flask_is_called_in_an_event_loop(run_suite, forbid_network):
    outcome = run_suite(
        api="""
        from starlette.applications import Starlette
        from starlette.responses import JSONResponse
        from starlette.routing import Route
        from flask_private_key_jwt.resource_server import StarletteProtector, find_token

        require_oauth = StarletteProtector({
            "OAUTH2_ISSUER": "https://login.shop.example",
            "OAUTH2_RESOURCE": "https://invoices.shop.example",
            "OAUTH2_REPLAY_STORE": "memory",
        })

        @require_oauth("invoices.read")
        async def invoices(request):
            return JSONResponse({"for": find_token(request)["sub"], "sent": await request.json()})

        async def forgotten(request):
            return JSONResponse({})

        app = Starlette(routes=[Route("/invoices", invoices, methods=["PUT"]), Route("/forgotten", forgotten)])
        require_oauth.init_app(app)
        """,
        conftest="""
        import api, pytest

        @pytest.fixture
        def oauth_protector():
            return api.require_oauth

        @pytest.fixture
        def app():
            return api.app
        """,
        test_api="""
        import pytest

        def test_it(resource_server, attack):
            answer = resource_server.put("/invoices?a=b", subject="alice", scope="invoices.read", json=[1])
            assert answer.json == {"for": "alice", "sent": [1]}, resource_server.refusals
            attack.everything()

        def test_broken(resource_server, attack):
            resource_server.get("/forgotten")
            with pytest.raises(AssertionError, match="GET /forgotten answered 200 to a proof"):
                attack.replay()
        """,
    )

    outcome.assert_outcomes(passed=2)


LIFESPAN = """
from contextlib import asynccontextmanager
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from flask_private_key_jwt.resource_server import StarletteProtector

SEEN = []
require_oauth = StarletteProtector({
    "OAUTH2_ISSUER": "https://login.shop.example",
    "OAUTH2_RESOURCE": "https://invoices.shop.example",
    "OAUTH2_REPLAY_STORE": "memory",
})


@asynccontextmanager
async def lifespan(app):
    SEEN.append("started")
    yield {"kept": "from the start"}
    SEEN.append("ended")


@require_oauth()
async def view(request):
    return JSONResponse(request.state.kept)


app = Starlette(routes=[Route("/", view)], lifespan=lifespan)
require_oauth.init_app(app)
"""

LIFESPAN_CONFTEST = """
import api, pytest

@pytest.fixture
def oauth_protector():
    return api.require_oauth

@pytest.fixture
def app():
    return api.app
"""


def test_an_application_is_started_and_ended_in_its_event_loop(run_suite):
    outcome = run_suite(
        api=LIFESPAN,
        conftest=LIFESPAN_CONFTEST,
        test_api="""
        import api

        def test_once(resource_server):
            assert api.SEEN == ["started"]
            assert resource_server.get("/").json == "from the start"

        def test_again(resource_server):
            assert api.SEEN == ["started", "ended", "started"]
            assert resource_server.get("/").json == "from the start"
        """,
    )

    outcome.assert_outcomes(passed=2)


def test_an_application_that_does_not_start_is_an_error(run_suite):
    outcome = run_suite(
        api=LIFESPAN.replace('SEEN.append("started")', 'raise ValueError("no database")'),
        conftest=LIFESPAN_CONFTEST,
        test_api="def test_it(resource_server): ...",
    )

    outcome.assert_outcomes(errors=1)
    outcome.stdout.fnmatch_lines(["E *The application under test did not start:*"])


def test_an_api_of_another_issuer_than_the_applications_server_is_an_error(run_suite):
    outcome = run_suite(
        api=API,
        shop=SHOP,
        conftest=SHOP_CONFTEST
        + """
import api

@pytest.fixture
def oauth_app(app):
    return app

@pytest.fixture
def oauth_api():
    return api.create_app()
""",
        test_api="def test_it(resource_server): ...",
    )

    outcome.assert_outcomes(errors=1)
    outcome.stdout.fnmatch_lines(
        ["E *The API accepts tokens of 'https://login.shop.example'*is 'https://shop.example'."]
    )


def test_an_application_that_protects_nothing_is_an_error(run_suite):
    outcome = run_suite(
        test_api="""
        import flask, pytest

        @pytest.fixture
        def oauth_api():
            return flask.Flask("bare")

        def test_it(resource_server): ...
        """,
    )

    outcome.assert_outcomes(errors=1)
    outcome.stdout.fnmatch_lines(["E *The Flask app 'bare' protects nothing: call ResourceProtector().init_app(app)."])


def test_an_app_fixture_may_ask_the_server_for_its_issuer(run_suite):
    outcome = run_suite(
        api=API,
        conftest="""
        import pytest
        from api import create_app

        @pytest.fixture
        def oauth_settings():
            return {"OAUTH2_RESOURCES": ["https://invoices.shop.example"]}

        @pytest.fixture
        def app(authorization_server):
            return create_app(OAUTH2_ISSUER=authorization_server.issuer)
        """,
        test_api="""
        def test_it(app, resource_server):
            assert resource_server.get("/invoices", scope="invoices.read").status_code == 200
        """,
    )

    outcome.assert_outcomes(passed=1)


def test_an_app_fixture_that_needs_what_is_not_there_is_an_error(run_suite):
    outcome = run_suite(
        conftest="""
        import pytest

        @pytest.fixture
        def app(no_such_fixture): ...
        """,
        test_api="""
        def test_it(resource_server): ...
        """,
    )

    outcome.assert_outcomes(errors=1)
    outcome.stdout.fnmatch_lines(["E *fixture 'no_such_fixture' not found"])


def test_a_server_whose_application_has_no_api_is_called_by_one_that_is_made(run_suite):
    outcome = run_suite(
        shop=SHOP.replace("    require_oauth.init_app(app)\n", "").replace(
            'OAUTH2_RESOURCE="https://shop.example"', 'OAUTH2_RESOURCES=["urn:example:orders"]'
        ),
        conftest=SHOP_CONFTEST,
        test_shop="""
        def test_it(app, authorization_server, resource_server, attack):
            assert authorization_server.app is app
            claims = resource_server.get("/", subject="alice", scope="orders").json
            assert (claims["tenant"], claims["aud"]) == ("tenant of alice", "urn:example:orders")
            attack.everything()
        """,
    )

    outcome.assert_outcomes(passed=1)


def test_a_token_that_is_not_given_says_why(run_suite):
    outcome = run_suite(
        test_it="""
        def test_it(authorization_server):
            authorization_server.token(resource="https://elsewhere.example")
        """,
    )

    outcome.assert_outcomes(failed=1)
    outcome.stdout.fnmatch_lines(["E *The private reason: * 'https://elsewhere.example' *cause resource_unknown?"])


def test_fixtures_of_the_suite_have_priority(run_suite):
    outcome = run_suite(
        conftest="""
        import pytest

        @pytest.fixture
        def attack():
            return "mine"
        """,
        test_it="""
        def test_it(attack):
            assert attack == "mine"
        """,
    )

    outcome.assert_outcomes(passed=1)


STORE = """
import time
from threading import Lock
from flask_private_key_jwt.replay import Replayed, build_digests


class Store:
    def __init__(self):
        self.kept = {}
        self.lock = Lock()

    def remember(self, marks):
        with self.lock:
            digests = build_digests(marks)
            for mark, digest in zip(marks, digests):
                if self.kept.get(digest, -1) >= time.time():
                    raise Replayed(mark)
            self.kept.update({digest: mark.until for mark, digest in zip(marks, digests)})

    def purge(self, *, batch, rest):
        return 0
"""

CONTRACT = """
import pytest
from store import Store
from flask_private_key_jwt.testing import ReplayStoreContract


class TestStore(ReplayStoreContract):
    @pytest.fixture
    def store(self):
        return Store()
"""


def test_a_store_that_keeps_the_contract_is_green(run_suite):
    run_suite(store=STORE, test_store=CONTRACT).assert_outcomes(passed=len(RULES))


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        (">= time.time()", ">= 0", "ended marks are forgotten"),
        ("build_digests(marks)", "[mark.jti for mark in marks]", "marks are kept apart"),
        ("raise Replayed(mark)", "return False", "a mark counts once"),
        ("return 0", "self.kept.clear()", "ended marks are forgotten"),
    ],
)
def test_the_contract_of_replay_stores_names_the_rule_that_is_broken(run_suite, right, wrong, rule):
    outcome = run_suite(store=STORE.replace(right, wrong), test_store=CONTRACT)

    assert outcome.ret == pytest.ExitCode.TESTS_FAILED
    outcome.stdout.fnmatch_lines([f"FAILED test_store.py::TestStore::test_rule*{rule}*"])


ASYNC_STORE = (
    STORE.replace("def remember", "async def remember")
    .replace("def purge(self, *, batch, rest)", "async def purge(self)")
    .replace("        with self.lock:\n            digests", "        async with self.lock:\n            digests")
    .replace("from threading import Lock", "from asyncio import Lock, sleep")
)


def test_a_store_for_event_loops_that_keeps_the_contract_is_green(run_suite):
    assert "async with self.lock" in ASYNC_STORE

    run_suite(store=ASYNC_STORE, test_store=CONTRACT).assert_outcomes(passed=len(RULES))


def test_a_store_for_event_loops_that_looks_before_it_writes_is_red(run_suite):
    racing = ASYNC_STORE.replace("async with self.lock:", "if True:").replace(
        "            self.kept.update", "            await sleep(0.01)\n            self.kept.update"
    )

    outcome = run_suite(store=racing, test_store=CONTRACT)

    outcome.assert_outcomes(passed=len(RULES) - 1, failed=1)
    outcome.stdout.fnmatch_lines(["E *AssertionError: of 8 threads that use one mark, * are accepted"])


def test_a_contract_without_a_store_says_so(run_suite):
    outcome = run_suite(
        test_store="""
        from flask_private_key_jwt.testing import ReplayStoreContract

        class TestStore(ReplayStoreContract):
            pass
        """
    )

    outcome.assert_outcomes(errors=len(RULES))
    outcome.stdout.fnmatch_lines(["E *Give TestStore a fixture store, which returns the store under test."])
