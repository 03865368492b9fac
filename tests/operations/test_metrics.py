"""``/metrics``: what is counted, under which labels, in one process and in several."""

import os
import subprocess
import sys

import flask
import pytest
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.parser import text_string_to_metric_families

from flask_private_key_jwt import ResourceProtector, metrics_blueprint
from flask_private_key_jwt.authorization_server.stores.sql.client_key_use import SQLAlchemyClientKeyUseStore
from flask_private_key_jwt.database.database import Database
from flask_private_key_jwt.errors import ConfigurationError, StoreUnavailable
from flask_private_key_jwt.operations import prometheus_metrics
from flask_private_key_jwt.operations.prometheus_metrics import CLOCK_SECONDS, SECONDS, Metrics, Stream
from tests.checkout import CHECKOUT
from tests.conftest import API, ISSUER


@pytest.fixture(autouse=True)
def _one_process(monkeypatch):
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)


@pytest.fixture
def metered(app):
    app.register_blueprint(metrics_blueprint())
    return app


@pytest.fixture
def scrape(metered):
    def scrape():
        answer = metered.test_client().get("/metrics")
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
        return read(answer.text)

    return scrape


def read(text):
    """(name, labels without the empty ones) -> value."""
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()) if value)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def bucket_of(found, what):
    """The bucket of the only clock of this kind that was measured; ``None`` if none was."""
    name = "oauth2_client_clock_seconds_bucket"
    assert found[name, "le=+Inf", f"what={what}"] in (0, 1)
    return next((bound for bound in CLOCK_SECONDS if found[name, f"le={float(bound)}", f"what={what}"]), None)


# --- requests -------------------------------------------------------------------------------------------------------
def test_an_answered_request_is_counted_with_its_time(ask_token, scrape):
    ask_token()
    ask_token()

    found = scrape()
    assert found["oauth2_requests_total", "endpoint=token", "outcome=ok"] == 2
    assert found["oauth2_request_seconds_count", "endpoint=token"] == 2
    assert 0 < found["oauth2_request_seconds_sum", "endpoint=token"] < 5


def test_a_refused_request_is_counted_by_its_cause_and_not_as_answered(ask_token, scrape):
    ask_token(assertion="x")

    found = scrape()
    (refused,) = (name for name in found if name[0] == "oauth2_requests_total")
    assert (refused[1].partition("=")[0], refused[2:]) == ("cause", ("endpoint=token", "outcome=invalid_client"))
    assert found[refused] == 1
    assert found["oauth2_request_seconds_count", "endpoint=token"] == 1


def test_a_token_that_is_not_active_is_no_answered_request(introspect, client, scrape):
    introspect("nobody's")

    found = scrape()
    assert [name[2:] for name in found if name[0] == "oauth2_requests_total"] == [
        ("endpoint=introspection", "outcome=invalid_token")
    ]


def test_every_endpoint_is_counted_by_its_own_name(metered, scrape):
    http = metered.test_client()
    http.get("/oauth2/jwks")
    http.get("/.well-known/oauth-authorization-server")
    http.get("/oauth2/authorize")

    found = scrape()
    assert found["oauth2_requests_total", "endpoint=jwks", "outcome=ok"] == 1
    assert found["oauth2_requests_total", "endpoint=metadata", "outcome=ok"] == 1
    assert found["oauth2_request_seconds_count", "endpoint=authorization"] == 1


def test_a_replay_is_counted_apart(ask_token, build_assertion, build_dpop, scrape):
    assertion = build_assertion()
    ask_token(assertion=assertion)
    ask_token(assertion=assertion)
    proof = build_dpop()
    ask_token(proof=proof)
    ask_token(proof=proof)

    found = scrape()
    assert found["oauth2_replays_refused_total", "what=client_assertion"] == 1
    assert found["oauth2_replays_refused_total", "what=dpop_proof"] == 1


# --- clocks, stores, keys, caches ---------------------------------------------------------------------------------
@pytest.mark.parametrize(("ahead", "refused"), [(0, False), (-20, False), (8, False), (40, True)])
def test_the_clock_of_a_client_is_measured_also_if_it_is_refused_for_it(
    ask_token, build_assertion, clock, scrape, ahead, refused
):
    now = clock.now + ahead
    answer = ask_token(assertion=build_assertion(iat=now, exp=now + 60))

    found = scrape()
    assert (answer.status_code != 200) is refused
    assert bucket_of(found, "assertion") == min(bound for bound in CLOCK_SECONDS if bound >= ahead)


def test_an_assertion_that_is_signed_by_nobody_says_nothing_about_clocks(ask_token, build_assertion, keys, scrape):
    ask_token(assertion=build_assertion(key=keys("ES256", "stranger")))

    assert bucket_of(scrape(), "assertion") is None


def test_the_clock_of_a_proof_is_measured(ask_token, build_dpop, clock, scrape):
    ask_token(proof=build_dpop(iat=clock.now - 5))

    assert bucket_of(scrape(), "proof") == -5


def test_stores_are_measured(ask_token, scrape):
    ask_token()

    found = scrape()
    assert found["oauth2_store_seconds_count", "store=replay"] == 1
    assert found["oauth2_store_seconds_count", "store=database"] >= 1


class StoreThatIsAway:
    def remember(self, marks):
        raise StoreUnavailable("away", cause="redis_unavailable")

    def purge(self, *, batch=1, rest=None):
        return 0


@pytest.mark.parametrize("settings", [{"OAUTH2_REPLAY_STORE": StoreThatIsAway()}])
def test_a_store_that_is_away_is_counted(ask_token, scrape):
    assert ask_token().status_code == 503

    found = scrape()
    assert found["oauth2_store_failures_total", "store=replay"] == 1
    assert found["oauth2_store_seconds_count", "store=replay"] == 1


def test_the_ages_of_signing_keys_are_there(metered, clock, scrape):
    with metered.app_context():
        keys = metered.extensions["private_key_jwt"].server_keys
        keys.current()
        clock.move(100)
        keys.rotate(at_once=False)
        clock.move(50)

    found = scrape()
    assert found["oauth2_signing_key_age_seconds", "state=signs"] == 150
    assert found["oauth2_signing_key_age_seconds", "state=announced"] == 50
    assert found["oauth2_signing_keys", "state=verifies"] == 0


def test_old_keys_of_clients_are_counted_once_a_minute(metered, client, register, keys, clock, scrape):
    clock.move(91 * 86400)
    register(client_id="second", jwks={"keys": [keys("ES256", "second").public_jwk()]})

    def older():
        found = scrape()
        return [found["oauth2_client_keys", f"days={days}"] for days in (0, 30, 90, 365)]

    assert older() == [2, 1, 1, 0]
    register(client_id="third", jwks={"keys": [keys("ES256", "third").public_jwk()]})
    assert older() == [2, 1, 1, 0]
    clock.move(60)
    assert older() == [3, 1, 1, 0]


def test_a_scrape_does_without_the_database(metered, server, scrape):
    with metered.app_context():
        server[2].drop_all()

    assert ("oauth2_signing_keys", "state=signs") not in scrape()


def test_caches_have_a_size(ask_token, build_dpop, scrape):
    ask_token(proof=build_dpop())

    found = scrape()
    assert found["oauth2_cache_entries", "cache=clients"] == 1
    assert found["oauth2_cache_bytes", "cache=clients"] > 100
    assert found["oauth2_cache_entries", "cache=proof_keys"] == 1


# --- labels are bounded ---------------------------------------------------------------------------------------------
def test_no_label_comes_from_a_caller(ask_token, build_assertion, metered, scrape):
    ask_token(assertion=build_assertion(iss="stranger-17", sub="stranger-17"))
    ask_token(grant_type="grant-of-a-stranger")
    metered.test_client().get("/oauth2/authorize?client_id=stranger-18")

    assert not any("stranger" in part for name in scrape() for part in name)


def test_causes_of_an_application_are_bounded(monkeypatch):
    monkeypatch.setattr(prometheus_metrics, "MOST_CAUSES", 3)
    metrics = Metrics([])
    for number in range(9):
        metrics.note_refusal(None, endpoint="token", error="invalid_scope", cause=f"cause_{number}")

    found = read(metrics.expose(None)[0].decode())
    assert found["oauth2_requests_total", "cause=other", "endpoint=token", "outcome=invalid_scope"] == 7


@pytest.mark.parametrize("bounds", [SECONDS, CLOCK_SECONDS])
def test_values_counted_together_are_counted_as_one_by_one(bounds):
    values = [*bounds, *(bound + 0.0001 for bound in bounds), -1000, 0, 1000]
    one, other = (Histogram("x", "", ["l"], registry=CollectorRegistry(), buckets=bounds) for _ in range(2))
    stream = Stream(other.labels("a"), bounds)
    for value in values:
        one.labels("a").observe(value)
        stream.note(value)

    assert stream.count() == len(values)
    assert stream.count() == 0

    def samples(histogram):
        return [
            (sample.name, sample.labels, round(sample.value, 6))
            for family in histogram.collect()
            for sample in family.samples
            if not sample.name.endswith("_created")
        ]

    assert samples(one) == samples(other)


# --- where it is mounted ---------------------------------------------------------------------------------------------
def test_an_api_alone_is_measured():
    app = flask.Flask("api")
    app.config.from_mapping(OAUTH2_ISSUER=ISSUER, OAUTH2_RESOURCE=API, OAUTH2_REPLAY_STORE="memory")
    protect = ResourceProtector()
    protect.init_app(app)
    app.register_blueprint(metrics_blueprint(path="/api-metrics"))
    app.add_url_rule("/", view_func=protect()(lambda: "in"))

    app.test_client().get("/")

    found = read(app.test_client().get("/api-metrics").text)
    assert [name[2:] for name in found if name[0] == "oauth2_requests_total"] == [
        ("endpoint=resource", "outcome=invalid_token")
    ]
    assert found["oauth2_request_seconds_count", "endpoint=resource"] == 1
    assert ("oauth2_cache_entries", "cache=access_tokens") in found


def test_it_is_mounted_after_init_app_and_once(metered):
    with pytest.raises(ConfigurationError, match="after init_app"):
        flask.Flask("neither").register_blueprint(metrics_blueprint())
    with pytest.raises(ConfigurationError, match="already"):
        metered.register_blueprint(metrics_blueprint(), name="again")


def test_without_the_extra_the_error_says_what_to_install(app, monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "flask_private_key_jwt.operations.prometheus_metrics")

    with pytest.raises(ConfigurationError, match=r"pip install flask-private-key-jwt\[metrics\]"):
        app.register_blueprint(metrics_blueprint())


def test_without_metrics_nothing_observes(app):
    state = app.extensions["private_key_jwt"]

    assert state.meter.observer is None
    assert "fetch_directly" not in vars(state.database)


# --- several processes ----------------------------------------------------------------------------------------------
WORKER = """
import os
from flask_private_key_jwt.operations.prometheus_metrics import Metrics
from flask_private_key_jwt.bounded_cache import BoundedCache
cache = BoundedCache(max_entries=9, max_bytes=99999)
cache.keep("key", "value")
metrics = Metrics([{"clients": [cache]}])
metrics.note_request("token", 0.001, refused=False)
metrics.count()
print(os.getpid(), flush=True)
input()
"""


def test_processes_are_added_up_and_the_caches_of_dead_ones_left_out(tmp_path):
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER], env=environment, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(3)
    ]
    for worker in workers:
        worker.stdout.readline()
    workers[0].communicate(b"\n", timeout=20)
    program = """
from flask_private_key_jwt.operations.prometheus_metrics import Metrics
print(Metrics([]).expose(None)[0].decode())
"""
    scraped = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    for worker in workers[1:]:
        worker.communicate(b"\n", timeout=20)

    found = read(scraped.stdout)
    assert found["oauth2_requests_total", "endpoint=token", "outcome=ok"] == 3
    assert found["oauth2_cache_entries", "cache=clients"] == 2


def test_old_keys_are_counted_in_every_kind_of_database(sql_database):
    store = SQLAlchemyClientKeyUseStore(Database(lambda: sql_database.engine), sql_database.tables)
    before = store.count_older(now=100 * 86400, days=(0, 30))
    store.replace("count-older", {"a", "b"}, now=80 * 86400)

    after = store.count_older(now=100 * 86400, days=(0, 30))

    assert {days: after[days] - before[days] for days in after} == {0: 2, 30: 0}
