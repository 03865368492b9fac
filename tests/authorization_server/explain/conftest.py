"""Runs ``flask oauth2 explain`` on a JWT in a file."""

import json

import pytest


@pytest.fixture
def run(app):
    """Run the command; ``stdin`` is its standard input."""

    def run(*words, stdin=None):
        return app.test_cli_runner().invoke(args=["oauth2", "explain", *words], input=stdin)

    return run


@pytest.fixture
def explain(run):
    """What the command says of a JWT, as JSON."""

    def explain(text, *words):
        outcome = run("-", "--json", *words, stdin=text)
        assert outcome.stdout, outcome.stderr
        said = json.loads(outcome.stdout)
        assert outcome.exit_code == (0 if said["accepted"] else 1)
        return said

    return explain


def outcomes(said):
    """Check -> its outcome."""
    return {check["name"]: check["outcome"] for check in said["checks"]}


def failed(said):
    """The check that failed."""
    (name,) = (name for name, outcome in outcomes(said).items() if outcome == "failed")
    return name
