"""The files of ``deploy/monitoring``."""

import json
from collections.abc import Iterator

import yaml

from tests.checkout import CHECKOUT
from tests.deploy.promql import substitute

FOLDER = CHECKOUT / "deploy" / "monitoring"
RULES = yaml.safe_load((FOLDER / "token-server.rules.yaml").read_text())["groups"][0]["rules"]
BOARD = json.loads((FOLDER / "grafana-dashboard.json").read_text())


def expressions() -> Iterator[tuple[str, str]]:
    """Every PromQL expression, and where it is."""
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            yield f"panel: {panel['title']} {target['refId']}", substitute(target["expr"])
    for rule in RULES:
        yield f"rule: {rule['alert']}", rule["expr"]
