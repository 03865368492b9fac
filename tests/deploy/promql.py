"""Which metrics and labels a PromQL expression names."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import promql_parser


@dataclass(frozen=True)
class Selection:
    """One selector of an expression."""

    metric: str
    labels: tuple[tuple[str, str, str], ...]
    """Name, operator and value of each matcher."""


def substitute(expression: str) -> str:
    """An expression of a dashboard with what Grafana puts in the place of its variables."""
    known = {"$__rate_interval": "1m", '"$job"': '"token-server"', '"$endpoint"': '"token|resource"'}
    for name, value in known.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


def selections(node: Any) -> Iterator[Selection]:
    """Every selector of a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        matchers = tuple((matcher.name, str(matcher.op), matcher.value) for matcher in node.matchers.matchers)
        yield Selection(node.name, matchers)
    for child in children(node):
        yield from selections(child)


def grouped_by(node: Any) -> Iterator[tuple[frozenset[str], list[Selection]]]:
    """The labels that each aggregation keeps, and what it aggregates."""
    if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
        yield frozenset(node.modifier.labels), list(selections(node.expr))
    for child in children(node):
        yield from grouped_by(child)


def children(node: Any) -> Iterator[Any]:
    for name in ("expr", "lhs", "rhs", "vector_selector", "param"):
        child = getattr(node, name, None)
        if child is not None and not isinstance(child, str | float | int):
            yield child
    yield from getattr(node, "args", None) or ()


def parse(expression: str) -> Any:
    """The expression; raises ``ValueError`` if it is not PromQL."""
    return promql_parser.parse(expression)


def alternatives(operator: str, value: str) -> list[str]:
    """The values that a matcher names: of a regular expression its alternatives."""
    return value.split("|") if operator.endswith("Re") else [value]
