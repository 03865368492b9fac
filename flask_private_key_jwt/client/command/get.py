"""``private-key-jwt get``: call a protected API by hand, with a proof for every attempt."""

import json
import sys
from collections.abc import Iterable, Mapping
from http.client import responses
from pathlib import Path
from typing import Any

import click
import requests

from ...errors import ConfigurationError
from ...fetching.outbound import build_outbound
from ..auth import AccessAuth, PrivateKeyJWTAuth
from ..challenge import find_challenge_error
from ..origin import find_origin
from ..source_file import read_file
from .options import ServerOptions, dpop_key_option, scope_option, server_options
from .output import make_printable, note, waiting, wants_json
from .program import REFUSED, ClientCommand
from .sign_in_files import build_client, choose_files, tokens_option

MAX_BODY_BYTES = 10 << 20
OWN_HEADERS = ("authorization", "dpop")
ADVICE = {
    "use_dpop_nonce": "The API asked for a nonce in the proof, and did not take the one it gave.",
    "invalid_token": "The API does not accept the token: is it for this API (--resource)? Has it been revoked?",
    "insufficient_scope": "The token does not allow this: ask for the scope with --scope.",
    "invalid_dpop_proof": "The API does not accept the proof: is this machine's clock right?",
    "invalid_request": "The API finds the request malformed.",
}


@click.command("get", cls=ClientCommand)
@server_options
@click.argument("url")
@scope_option
@click.option("--resource", metavar="URL", help="The API's identifier, if the server wants it named.")
@click.option("--dpop/--no-dpop", default=True, help="Bind the token to a key, and prove it (the default).")
@dpop_key_option
@click.option("--person", is_flag=True, help="Act for the person who signed in with login.")
@tokens_option
@click.option("-X", "--method", metavar="METHOD", help="HTTP method; default: GET, or POST with --data.")
@click.option("-H", "--header", "headers", multiple=True, metavar="NAME:VALUE", help="A header; may be given again.")
@click.option("-d", "--data", metavar="TEXT|@FILE", help="The body.")
def get_command(
    server: ServerOptions,
    url: str,
    scope: str | None,
    resource: str | None,
    dpop: bool,
    dpop_key: str | None,
    person: bool,
    tokens_file: str | None,
    method: str | None,
    headers: tuple[str, ...],
    data: str | None,
) -> None:
    """Call a protected API: get a token, send it with a DPoP proof, and show what comes back.

    Status and headers of every attempt go to standard error, the body to standard output. The token is not shown, and
    no redirect is followed. Exit code 1 if the status is 400 or more.
    """
    if find_origin(url) is None:
        raise ConfigurationError("The URL must be an absolute http or https URL.")
    if person:
        _check_person_options()
        files = choose_files(server, tokens_file, dpop_key)
        auth: AccessAuth = build_client(server, files).auth(files.store, origin=url)
    else:
        server.require_key()
        bound_key = None if dpop_key is None else Path(dpop_key)
        auth = PrivateKeyJWTAuth(
            server.issuer,
            server.client_id,
            **server.arguments(),
            scope=scope,
            resource=resource,
            origin=url,
            dpop=dpop,
            dpop_key=bound_key,
        )
    with waiting(f"Asking {server.issuer} for a token"):
        token = auth.token()
    body, content_type = _read_body(data)
    sent = {**content_type, **_read_headers(headers)}
    with waiting(f"Calling {url}"):
        answer = _call(method or ("POST" if data is not None else "GET"), url, sent, body, auth, server)
        content = _read_content(answer)
    _show_answer(answer, content, scheme=token.token_type)


def _check_person_options() -> None:
    """Refuse what was decided when the person signed in."""
    context = click.get_current_context()
    for name, option in (("scope", "--scope"), ("resource", "--resource"), ("dpop", "--no-dpop")):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{option} is decided at login, not with --person.")


def _read_headers(headers: Iterable[str]) -> dict[str, str]:
    found = {}
    for header in headers:
        name, colon, value = header.partition(":")
        if not colon or not name.strip():
            raise click.UsageError("A header is given as 'Name: value'.")
        if name.strip().lower() in OWN_HEADERS:
            raise click.UsageError(f"{name.strip()} is set by this command.")
        found[name.strip()] = value.strip()
    return found


def _read_body(data: str | None) -> tuple[bytes | None, dict[str, str]]:
    """The body, and the header that says what it is."""
    if data is None:
        return None, {}
    body = read_file(data[1:], "body") if data.startswith("@") else data.encode()
    try:
        json.loads(body)
    except ValueError:
        return body, {"Content-Type": "application/x-www-form-urlencoded"}
    return body, {"Content-Type": "application/json"}


def _call(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None, auth: AccessAuth, server: ServerOptions
) -> requests.Response:
    arguments = server.arguments()
    outbound = build_outbound(arguments["proxies"], arguments["ca_bundle"])
    with requests.Session() as session:
        session.trust_env = False  # no password of ~/.netrc; outbound gives the proxies
        return session.request(
            method.upper(),
            url,
            headers=dict(headers),
            data=body,
            auth=auth,
            allow_redirects=False,
            timeout=server.timeout,
            stream=True,
            **outbound.options(url),
        )


def _read_content(answer: requests.Response) -> bytes:
    content = bytearray()
    for chunk in answer.iter_content(1 << 16):
        content += chunk
        if len(content) > MAX_BODY_BYTES:
            raise ConfigurationError(f"The answer has more than {MAX_BODY_BYTES >> 20} MiB: too much to show.")
    return bytes(content)


def _show_answer(answer: requests.Response, content: bytes, *, scheme: str) -> None:
    attempts = [*answer.history, answer]
    error = find_challenge_error(answer.headers.get("WWW-Authenticate"), scheme)
    reference = answer.headers.get("Error-Reference")
    if wants_json():
        click.echo(
            json.dumps(
                {
                    "status": answer.status_code,
                    "headers": dict(answer.headers),
                    "body": _load_body(content),
                    "attempts": [_describe(attempt) for attempt in attempts],
                    **({"error": error} if error else {}),
                    **({"reference": reference} if reference else {}),
                },
                indent=2,
            )
        )
    else:
        for number, attempt in enumerate(attempts, start=1):
            _show_attempt(attempt)
            if number < len(attempts):
                note(f"* {_why_again(attempt, scheme)}")
        _show_body(content)
        _show_failure(answer, error, reference)
    if answer.status_code >= 400:
        sys.exit(REFUSED)


def _describe(attempt: requests.Response) -> dict[str, Any]:
    request = attempt.request
    return {
        "method": request.method,
        "url": request.url,
        "proof": "DPoP" in request.headers,
        "status": attempt.status_code,
        "headers": dict(attempt.headers),
    }


def _show_attempt(attempt: requests.Response) -> None:
    proof = " with a DPoP proof" if "DPoP" in attempt.request.headers else " with a Bearer token"
    note(f"> {attempt.request.method} {attempt.request.url}{proof}")
    note(f"< {attempt.status_code} {attempt.reason or responses.get(attempt.status_code, '')}".rstrip())
    for name, value in attempt.headers.items():
        note(f"< {name}: {value}")


def _why_again(attempt: requests.Response, scheme: str) -> str:
    error = find_challenge_error(attempt.headers.get("WWW-Authenticate"), scheme)
    if error == "use_dpop_nonce":
        return "The API wants a nonce in the proof, and gave one: sent again with it."
    return "The API did not accept the token: sent again with a new one."


def _show_body(content: bytes) -> None:
    if sys.stdout.isatty():
        click.echo(make_printable(content.decode("utf-8", "backslashreplace")))
    else:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()


def _show_failure(answer: requests.Response, error: str | None, reference: str | None) -> None:
    if answer.status_code >= 400:
        said = f" {error}" if error else ""
        advice = ADVICE.get(error or "", "")
        note(f"The API refused: {answer.status_code}{said}. {advice}".rstrip())
        if reference:
            note(f"Error-Reference {reference}: the API's operator finds the reason in the log under it, or with")
            note(f"flask oauth2 explain {reference}, if the authorization server is in the same app.")
    elif answer.is_redirect:
        note(f"A redirect to {answer.headers['Location']}, which is not followed.")


def _load_body(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode("utf-8", "backslashreplace")
