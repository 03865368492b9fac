"""``deploy/monitoring``: the dashboard and the alerts name what the package exports."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from flask_private_key_jwt import errors, metrics_blueprint
from flask_private_key_jwt.authorization_server.endpoints import MACHINE_ENDPOINTS
from flask_private_key_jwt.operations.prometheus_metrics import CLOCK_SECONDS, KEY_DAYS, SECONDS
from flask_private_key_jwt.replay.base import CAUSES
from tests.deploy.monitored import BOARD, RULES, expressions
from tests.deploy.promql import alternatives, grouped_by, parse, selections, substitute

OF_PROMETHEUS = {"job", "instance"}
"""Labels that Prometheus adds to whatever it scrapes."""
VALUES = {
    "endpoint": {endpoint.name for endpoint in MACHINE_ENDPOINTS} | {"metadata", "resource"},
    "outcome": {"ok", *(getattr(one, "code", None) for one in vars(errors).values())},
    "store": {"database", "replay"},
    "what": {*CAUSES, "assertion", "proof"},
    "state": {"signs", "announced", "verifies"},
    "days": {str(days) for days in KEY_DAYS},
    "le": {str(float(bound)) for bound in (*CLOCK_SECONDS, *SECONDS)},
    "job": {"token-server"},
}


EVERYWHERE = pytest.mark.parametrize("expression", [pytest.param(text, id=where) for where, text in expressions()])


@pytest.fixture
def exported(app, ask_token, build_assertion, build_dpop, monkeypatch):
    """Name of a series -> its labels, of a server that was asked, and refused, and whose store was away."""
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    app.register_blueprint(metrics_blueprint())
    ask_token()
    assertion, proof = build_assertion(), build_dpop()
    for _ in range(2):
        ask_token(assertion=assertion, proof=proof)
    app.extensions["private_key_jwt_metrics"].note_store("replay", 1, answered=False)
    text = app.test_client().get("/metrics").text
    return {
        sample.name: set(sample.labels) for family in text_string_to_metric_families(text) for sample in family.samples
    }


@EVERYWHERE
def test_every_series_is_one_that_the_package_exports_with_these_labels(exported, expression):
    tree = parse(expression)
    found = list(selections(tree))
    assert found

    for selection in found:
        assert selection.metric in exported
        for label, operator, value in selection.labels:
            assert label in exported[selection.metric] | OF_PROMETHEUS
            assert set(alternatives(operator, value)) <= VALUES[label]
    for labels, inside in grouped_by(tree):
        for selection in inside:
            assert labels <= exported[selection.metric] | OF_PROMETHEUS


def test_a_series_that_nobody_exports_would_be_found(exported):
    (unknown,) = selections(parse("rate(oauth2_request_total[5m])"))
    assert unknown.metric not in exported


def test_the_dashboards_variables_are_of_series_that_exist(exported):
    for variable in BOARD["templating"]["list"]:
        if variable["type"] == "query":
            series, _, label = variable["definition"].removeprefix("label_values(").removesuffix(")").rpartition(", ")
            (selection,) = selections(parse(substitute(series)))
            assert label in exported[selection.metric] | OF_PROMETHEUS


@pytest.mark.parametrize("panel", BOARD["panels"], ids=lambda panel: panel["title"])
def test_a_panel_shows_its_series_by_labels_that_they_have(panel):
    for target in panel["targets"]:
        kept = {label for labels, _ in grouped_by(parse(substitute(target["expr"]))) for label in labels}
        shown = {word.split("}}")[0] for word in target["legendFormat"].split("{{")[1:]}
        assert shown <= kept
        assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_panels_do_not_lie_on_each_other_and_have_numbers_of_their_own():
    taken = [
        (x, y)
        for panel in BOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule):
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "do"}
