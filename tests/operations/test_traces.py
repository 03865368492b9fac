"""``trace_steps``: a span for each step, what it says of a refusal, and what appears below it."""

import sys

import flask
import pytest
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from flask_private_key_jwt import ResourceProtector, trace_steps
from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.fetching.exchange import exchange
from tests.conftest import API, ISSUER
from tests.resource_server.introspection_server import IntrospectionServer, serving

STEPS = [
    "oauth2.authenticate_client",
    "oauth2.check_proof",
    "oauth2.remember_once",
    "oauth2.check_grant",
    "oauth2.issue_token",
]


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


def test_every_step_of_a_token_request_is_a_span(app, provider, exporter, ask_token):
    trace_steps(app, tracer_provider=provider)

    assert ask_token().status_code == 200

    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == STEPS
    assert all(span.status.is_unset and span.parent is None for span in spans)
    assert spans[0].instrumentation_scope.name == "flask_private_key_jwt"


def test_a_step_that_refuses_has_the_cause_and_no_reason(app, provider, exporter, ask_token, build_assertion):
    trace_steps(app, tracer_provider=provider)
    signed = build_assertion(aud="https://secret.example")

    ask_token(assertion=signed)

    (span,) = exporter.get_finished_spans()
    assert (span.name, span.attributes, span.events) == (STEPS[0], {"error.type": "assertion_aud"}, ())
    assert not span.status.is_ok
    assert span.status.description is None
    assert "secret" not in span.to_json()
    assert signed not in span.to_json()


@pytest.mark.parametrize("settings", [{"OAUTH2_REPLAY_STORE": "sql"}])
def test_the_spans_of_statements_are_below_those_of_the_steps(server, provider, exporter, ask_token):
    app, _, db = server
    with app.app_context():
        instrumentor = SQLAlchemyInstrumentor()
        # It knows SQLAlchemy up to 2.0, and does with 2.1 what it is asked for here.
        instrumentor.instrument(engine=db.engine, tracer_provider=provider, skip_dep_check=True)
    trace_steps(app, tracer_provider=provider)
    try:
        ask_token()
    finally:
        instrumentor.uninstrument()

    spans = exporter.get_finished_spans()
    steps = {span.context.span_id: span.name for span in spans if span.name in STEPS}
    below = {(steps[span.parent.span_id], span.name.split()[0]) for span in spans if span.parent is not None}
    assert {("oauth2.authenticate_client", "SELECT"), ("oauth2.remember_once", "INSERT")} <= below


class TestRedis:
    @pytest.fixture
    def settings(self, redis_url):
        return {"OAUTH2_REPLAY_STORE": redis_url}

    def test_the_spans_of_commands_are_below_the_step_that_remembers(self, app, provider, exporter, ask_token):
        instrumentor = RedisInstrumentor()
        instrumentor.instrument(tracer_provider=provider)
        trace_steps(app, tracer_provider=provider)
        try:
            assert ask_token().status_code == 200
        finally:
            instrumentor.uninstrument()

        spans = exporter.get_finished_spans()
        (remember,) = [span for span in spans if span.name == "oauth2.remember_once"]
        commands = [span for span in spans if span.parent and span.parent.span_id == remember.context.span_id]
        assert {span.name for span in commands} >= {"EVALSHA"}
        assert {span.attributes["db.system"] for span in commands} == {"redis"}
        assert {span.attributes["net.peer.name"] for span in commands} == {"127.0.0.1"}

    def test_without_an_instrumentation_there_are_none(self, app, provider, exporter, ask_token):
        trace_steps(app, tracer_provider=provider)

        assert ask_token().status_code == 200
        assert [span.name for span in exporter.get_finished_spans()] == STEPS


def test_an_api_alone_is_traced(provider, exporter):
    app = flask.Flask("api")
    app.config.from_mapping(OAUTH2_ISSUER=ISSUER, OAUTH2_RESOURCE=API)
    protect = ResourceProtector()
    protect.init_app(app)
    trace_steps(app, tracer_provider=provider)
    app.add_url_rule("/", view_func=protect()(lambda: "in"))

    app.test_client().get("/", headers={"Authorization": "Bearer x"})

    (span,) = exporter.get_finished_spans()
    assert span.name == "oauth2.verify_token"
    assert span.attributes["error.type"].startswith("token_")


def test_the_span_of_a_request_to_the_issuer_is_below_that_of_the_step_that_asks(provider, exporter):
    tracer = provider.get_tracer("test")
    instrumentor = RequestsInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        with serving(IntrospectionServer()) as issuer, tracer.start_as_current_span("step") as step:
            exchange("GET", f"{issuer.url}/.well-known/oauth-authorization-server", timeout=30)
    finally:
        instrumentor.uninstrument()

    sent, _ = exporter.get_finished_spans()
    assert (sent.name, sent.parent.span_id) == ("GET", step.get_span_context().span_id)


def test_it_is_called_after_init_app_and_once(app, provider):
    with pytest.raises(ConfigurationError, match="after init_app"):
        trace_steps(flask.Flask("neither"))
    trace_steps(app, tracer_provider=provider)
    with pytest.raises(ConfigurationError, match="before"):
        trace_steps(app, tracer_provider=provider)


def test_without_the_extra_the_error_says_what_to_install(app, monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)

    with pytest.raises(ConfigurationError, match=r"pip install flask-private-key-jwt\[otel\]"):
        trace_steps(app)


def test_without_it_the_steps_are_plain_methods(app):
    server = app.extensions["private_key_jwt"].server

    assert "verify" not in vars(server.client_auth)
    assert "issue" not in vars(server)
