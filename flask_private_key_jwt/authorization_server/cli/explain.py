"""``flask oauth2 explain``: why a request was refused, or what the server says of a JWT."""

import json
import re
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import click
from flask.cli import with_appcontext

from ... import clock
from ..explain.explanation import Explanation, explain_jwt, explain_refusal
from ..explain.order import CHECKS, JWTKind
from ..explain.rehearsal import Circumstances
from ..readable_text import escape_unprintable
from ..state import current_state
from .input import TEXT_FILE, give_up, read_text, readable_errors
from .output import json_option

REFUSED = 1
"""Exit code for something that the server refuses."""
_REFERENCE = re.compile(r"[0-9a-f]{16}")
_ALMOST = re.compile(r"[0-9A-Fa-f]{4,64}")
_MISTYPED = (
    "This is neither a file nor a reference. A reference has sixteen characters, 0 to 9 and a to f in lower case, as "
    "in the header Error-Reference."
)
_UNKNOWN = (
    "Nothing is kept under the reference {}. It may be older than OAUTH2_REFUSALS_KEPT_SECONDS, a second old only, one "
    "of very many alike, or the reference of an API with an app of its own: the log has the reason under it."
)
_DATE = re.compile(r"(?<=^(?:exp|iat|nbf) )\d{10}|(?<= after )\d{10}")
_KINDS = tuple(kind.replace(" ", "-") for kind in CHECKS)


@click.command()
@click.argument("source", metavar="REFERENCE|FILE")
@click.option("--kind", type=click.Choice(_KINDS), help="What the file holds; default: what it seems to be.")
@click.option("--at", metavar="TIME", help="Check as of this moment: seconds since 1970, or 2027-03-31T12:00:00Z.")
@click.option("--method", default="POST", show_default=True, help="The method of the request with a proof.")
@click.option("--url", help="The URL of the request; default: the token endpoint's.")
@click.option("--token", type=TEXT_FILE, help="The access token beside a proof, in a file.")
@click.option("--resource", help="The API that got the token, for its aud.")
@click.option("--fetch", is_flag=True, help="Fetch documents of clients and keys of issuers, and keep them, as always.")
@json_option("Print the explanation as JSON.")
@with_appcontext
def explain(
    source: str,
    kind: str | None,
    at: str | None,
    method: str,
    url: str | None,
    token: BinaryIO | None,
    resource: str | None,
    fetch: bool,
    as_json: bool,
) -> None:
    """Say why a request was refused: by the Error-Reference of its answer, or by the JWT that it held.

    The JWT (an assertion, a proof, a token, a request object) is in FILE; - is standard input. The server's own checks
    run on it; nothing is spent or written. Exit code 1: it is refused.
    """
    circumstances = Circumstances(
        method=method,
        url=url,
        access_token=None if token is None else read_text(token).strip(),
        resource=resource,
    )
    if _REFERENCE.fullmatch(source):
        with readable_errors():
            kept = current_state().stores.refusals.find(source)
        if kept is None:
            give_up(_UNKNOWN.format(source))
        _show(explain_refusal(kept), as_json=as_json)
    if _ALMOST.fullmatch(source) and not Path(source).exists():
        give_up(_MISTYPED)
    moment = None if at is None else _read_moment(at)
    text = read_text(TEXT_FILE.convert(source, None, click.get_current_context())).strip()
    with readable_errors(), nullcontext() if moment is None else clock.stopped_at(moment):
        chosen = None if kind is None else cast(JWTKind, kind.replace("-", " "))
        explanation = explain_jwt(current_state(), text, kind=chosen, circumstances=circumstances, fetch=fetch)
    _show(explanation, as_json=as_json)


def _show(explanation: Explanation, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(explanation.as_json(), indent=2))
    else:
        for line in _describe(explanation):
            click.echo(escape_unprintable(line))
    if not explanation.accepted:
        sys.exit(REFUSED)


def _read_moment(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) < 12:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        give_up(f"--at {text[:40]!r} is neither seconds since 1970 nor a time such as 2027-03-31T12:00:00Z.")
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _describe(explanation: Explanation) -> list[str]:
    lines = [_headline(explanation)]
    if explanation.reason:
        lines.append(f"Reason: {explanation.reason}")
    if explanation.steps:
        lines += ["", "Checked, in this order:"]
        width = max(len(step.name) for step in explanation.steps)
        lines += [f"  {step.outcome:<11}  {step.name:<{width}}  {step.rule}" for step in explanation.steps]
    facts = _list_facts(explanation)
    if facts:
        lines += ["", *facts]
    if meaning := explanation.meaning:
        lines += ["", f"It means: {meaning.meaning.replace('`', '')}."]
        lines += [f"  {task.who}: {task.what}" for task in meaning.tasks]
    if explanation.notes:
        lines += ["", *explanation.notes]
    return lines


def _headline(explanation: Explanation) -> str:
    what = "request" if explanation.kind is None else explanation.kind
    by = "" if explanation.client_id is None else f" of client {explanation.client_id}"
    if explanation.accepted:
        return f"The {what}{by} is accepted, at {_tell_moment(explanation.at)}."
    return (
        f"The {what}{by} is refused, at {_tell_moment(explanation.at)}: {explanation.error}, cause {explanation.cause}."
    )


def _list_facts(explanation: Explanation) -> list[str]:
    details: dict[str, Any] = dict(explanation.details or {})
    facts = [f"{name.capitalize()}: {value}" for name, value in (explanation.request or {}).items()]
    facts += [f"{name.capitalize()}: {_tell(details[name])}" for name in ("expected", "received") if name in details]
    if (difference := explanation.clock_difference) is not None:
        where = "ahead of" if difference > 0 else "behind"
        facts.append(
            f"Clock difference: its maker's clock is {abs(difference):g} s {where} this server's, "
            "if it was sent as soon as it was made"
        )
    for name, seconds in (explanation.times or {}).items():
        facts.append(f"{name}: {abs(seconds):g} s {'after' if seconds > 0 else 'before'} the moment of the check")
    if "keys" in details:
        facts.append("Keys:" if details["keys"] else "Keys: there is none")
        facts += [f"  {key['kid'] or key['thumbprint']}: {key['why']}" for key in details["keys"]]
    return facts


def _tell(value: Any) -> str:
    if isinstance(value, list):
        return " or ".join(map(str, value))
    return (
        "nothing"
        if value is None
        else _DATE.sub(lambda found: f"{found[0]} ({_tell_moment(int(found[0]))})", str(value))
    )


def _tell_moment(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
