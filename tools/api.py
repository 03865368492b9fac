"""Write ``docs/api.md`` from what is public and its docstrings: ``make api``. A test holds the page against the code.

What is public is the ``__all__`` of the modules below; :data:`PAGE` says where a name stands on the page.
"""

import argparse
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from .commands import FILE as COMMANDS_FILE
from .commands import build as build_commands
from .commands import describe_group
from .docstrings import (
    CHECKOUT,
    PACKAGE,
    attributes,
    code,
    definitions,
    result_type,
    signature,
    to_line,
    to_markdown,
    wrap,
)

FILE = CHECKOUT / "docs" / "api.md"

INTRODUCTION = """# What an application may import

<!-- all: tested: tests/test_api_page.py::test_the_page_is_what_the_docstrings_say -->

The names on this page are the package's public ones, in the modules where they are listed. Everything else may move or
change with any version. The [settings](settings.md) and the commands are public too, and so are the templates under
`private_key_jwt/` that an application replaces, with what they are given.

A moment is in seconds since the epoch where nothing else is said. Whatever asks a database or Redis raises
[`StoreUnavailable`](#the-refusals) when that does not answer, also where it is not said.
`flask_private_key_jwt.__version__` is the version, a string.

The page is made from the docstrings: change those and run `make api`."""

PAGE: dict[str, tuple[str, str, list[str]]] = {
    "Authorization server": (
        PACKAGE,
        "One object makes a Flask app an authorization server. How to go about it: "
        "[authorization.md](authorization.md), [registration.md](registration.md), [revocation.md](revocation.md).",
        [
            "PrivateKeyJWT",
            "MachineLimits",
            "ClientRegistry",
            "ClientSecretRegistry",
            "GivenSecret",
            "ClientSecret",
            "PersonGrants",
            "PersonGrant",
            "RegistrationTokens",
            "RegistrationToken",
            "note_sign_in",
            "SignIn",
            "ConsentPage",
            "RegisteredClient",
            "FormRequest",
            "Grant",
            "DPoPProof",
            "gather_client_metadata",
            "spread_client_metadata",
        ],
    ),
    "Resource server": (
        f"{PACKAGE}.resource_server",
        "What an API needs: in Flask `ResourceProtector` and `current_token`, which `flask_private_key_jwt` has too; "
        "elsewhere one of the others, and `find_token`. See [asgi.md](asgi.md) and "
        "[online-checks.md](online-checks.md).",
        [
            "ResourceProtector",
            "current_token",
            "ASGIProtector",
            "StarletteProtector",
            "FastAPIProtector",
            "QuartProtector",
            "WSGIProtector",
            "find_token",
        ],
    ),
    "Operations": (
        PACKAGE,
        "What an application may mount for whoever runs it: [operations.md](operations.md).",
        ["health_blueprint", "metrics_blueprint", "trace_steps"],
    ),
    "Client": (
        f"{PACKAGE}.client",
        "What a client needs. It loads neither Flask nor SQLAlchemy. What uses `httpx` needs the extra `[httpx]`.",
        [
            "PrivateKeyJWTAuth",
            "HTTPXPrivateKeyJWTAuth",
            "FreshProofTransport",
            "AsyncFreshProofTransport",
            "TokenClient",
            "AsyncTokenClient",
            "Token",
            "IntrospectionClient",
            "Introspection",
            "ServerMetadata",
            "AuthlibClientAuth",
            "AuthorizationCodeClient",
            "SignInRequest",
            "PendingSignIn",
            "PendingSignIns",
            "PersonTokens",
            "PersonAuth",
            "TokenStore",
            "FileTokenStore",
            "MappingTokenStore",
            "build_client_assertion",
            "Prover",
            "load_key",
            "generate_key",
            "PrivateKey",
            "PublicKey",
            "KeySource",
            "Certificate",
            "CertificateSource",
            "EndpointError",
            "TokenRequestError",
            "IntrospectionError",
            "RevocationError",
            "DiscoveryError",
            "SignInError",
            "SignInRequired",
            "PushError",
            "UserInfoError",
            "ForeignOrigin",
            "UnrepeatableBody",
        ],
    ),
    "Replay store": (
        f"{PACKAGE}.replay",
        "What a replay store of an application's own has to do, with an example: [replay-stores.md](replay-stores.md).",
        ["ReplayStore", "Mark", "Replayed", "build_digests", "check_replay_store"],
    ),
    "Testing": (
        f"{PACKAGE}.testing",
        "For the tests of an application: what the fixtures of the pytest plugin are. How to use them: "
        "[testing.md](testing.md).",
        [
            "InProcessServer",
            "APIClient",
            "Attack",
            "TimeMachine",
            "ReplayStoreContract",
            "HeldToken",
            "MadeClient",
            "Refused",
            "Refusal",
            "SentCall",
            "SentTokenRequest",
        ],
    ),
    "Errors": (
        f"{PACKAGE}.errors",
        "What an application may catch, and what its own functions may raise to refuse a request. The caller reads "
        "`code` and the sentence, always the same ones; the reason goes to the log and to "
        "[`request_refused`](#request_refused). `TooManyRequests` is in `flask_private_key_jwt` too.",
        ["ConfigurationError", "UnknownClient", "OAuthError"],
    ),
    "Signals": (
        f"{PACKAGE}.signals",
        "Events of the servers (blinker); the sender is the Flask app. One table of all: [events.md](events.md).",
        [
            "token_issued",
            "request_refused",
            "call_admitted",
            "token_introspected",
            "request_pushed",
            "code_issued",
            "consent_given",
            "consent_withdrawn",
            "signed_out",
            "client_registered",
            "client_changed",
            "client_keys_changed",
            "client_secrets_changed",
            "client_removed",
            "token_revoked",
            "grant_revoked",
            "tokens_revoked",
            "signing_key_changed",
            "registration_token_created",
            "registration_token_revoked",
            "audit_purged",
        ],
    ),
}
"""Heading -> module, an introduction, and the names in the order of the page."""

GIVEN = {
    "ClientRegistry": "`oauth.clients`, in the context of an app.",
    "ClientSecretRegistry": "`oauth.clients.secrets`, in the context of an app.",
    "GivenSecret": "What `give` and `replace` of `oauth.clients.secrets` return.",
    "ClientSecret": "What `oauth.clients.secrets` tells of a secret.",
    "PersonGrants": "`oauth.grants`, in the context of an app.",
    "PersonGrant": "What `oauth.grants` gives.",
    "RegistrationTokens": "`oauth.registration_tokens`, in the context of an app.",
    "RegistrationToken": "What `oauth.registration_tokens` gives.",
    "SignIn": "What a function of `@oauth.sign_in` is given.",
    "ConsentPage": "What a function of `@oauth.consent`, and the template `private_key_jwt/consent.html`, is given.",
    "RegisteredClient": "What the application's functions and `oauth.clients` give.",
    "FormRequest": "What a function of `@oauth.token_policy` is given.",
    "Grant": "What a function of `@oauth.token_policy` is given.",
    "DPoPProof": "What `Grant.proof` is.",
    "Token": "What `TokenClient.request_token` and `PrivateKeyJWTAuth.token` give.",
    "Introspection": "What `IntrospectionClient.introspect` gives.",
    "ServerMetadata": "What `TokenClient.metadata` gives.",
    "SignInRequest": "What `AuthorizationCodeClient.start` gives.",
    "PendingSignIn": "What is kept of a sign-in until the browser comes back: `SignInRequest.pending`.",
    "TokenStore": "What an application's own token store does.",
    "PersonTokens": "What `AuthorizationCodeClient.finish` gives, and what a token store keeps.",
    "PersonAuth": "What `AuthorizationCodeClient.auth` gives.",
    "PrivateKey": "What `load_key` and `generate_key` give.",
    "PublicKey": "The public half of a `PrivateKey`.",
    "Certificate": "What a certificate is once it is read.",
    "Mark": "What a replay store is given.",
    "InProcessServer": "What the fixture `authorization_server` gives.",
    "APIClient": "What the fixture `resource_server` gives.",
    "Attack": "What the fixture `attack` gives.",
    "TimeMachine": "What the fixture `time_machine` gives.",
    "HeldToken": "What `InProcessServer.token` gives.",
    "MadeClient": "What `InProcessServer.register` gives.",
    "Refused": "What the methods of `Attack` give.",
    "Refusal": "What is in `InProcessServer.refusals` and `APIClient.refusals`.",
    "SentCall": "What `APIClient.last_call` is.",
    "SentTokenRequest": "What `InProcessServer.last_request` is.",
}
"""Class -> where its objects come from. An application does not make them, so their parameters are not shown."""

INTERNAL = {
    "APIClient.calling",
    "AsyncFreshProofTransport.aclose",
    "AsyncFreshProofTransport.handle_async_request",
    "Certificate.is_named",
    "Certificate.names",
    "ClientRegistry.build",
    "DPoPProof.marks",
    "FreshProofTransport.close",
    "FreshProofTransport.handle_request",
    "HTTPXPrivateKeyJWTAuth.async_auth_flow",
    "HTTPXPrivateKeyJWTAuth.sync_auth_flow",
    "InProcessServer.has_client",
    "InProcessServer.sign",
    "InProcessServer.watching",
    "PrivateKey.native",
    "PublicKey.native",
    "RegistrationToken.digest",
    "RegistrationTokens.consume",
    "RegistrationTokens.find",
    "RegistrationTokens.purge",
    "RegisteredClient.is_vouched_for",
    "RegisteredClient.jwks_not_before",
    "PendingSignIn.code_challenge",
    "PendingSignIn.wants_id_token",
    "ReplayStoreContract.store",
    "ReplayStoreContract.test_rule",
    "TimeMachine.running",
    "Token.is_due",
}
"""Methods of these classes that only the package itself uses."""

CALLED = {
    f"{protector}.__call__": "require_oauth"
    for protector in ("ResourceProtector", "StarletteProtector", "FastAPIProtector", "QuartProtector")
}
"""Methods that the page shows under another name."""


def build() -> str:
    """The page.

    :raises SystemExit: A public name has no place in :data:`PAGE`.
    """
    _check_complete()
    parts = [INTRODUCTION, _contents()]
    for heading, (module, note, names) in PAGE.items():
        parts += [f"## {heading}", f"In `{module}`:", wrap(note)]
        for name in names:
            parts += _describe(name, getattr(import_module(module), name))
        if heading == "Errors":
            parts += _describe_refusals()
    parts += ["## Command line", "The client's commands; those of an operator are in [commands.md](commands.md)."]
    parts += [*_describe_client_commands(), *_describe_keygen()]
    return "\n\n".join(part for part in parts if part) + "\n"


def _contents() -> str:
    lines = []
    for heading, (_, _, names) in PAGE.items():
        lines.append(f"- [{heading}](#{_anchor(heading)}): {' · '.join(_link(name) for name in names)}")
    return "\n".join([*lines, "- [Command line](#command-line)"])


def _check_complete() -> None:
    known = _PLACED | dict(_refusals()).keys() | {"__version__"}
    for module in (PACKAGE, *(module for module, _, _ in PAGE.values())):
        if missing := set(import_module(module).__all__) - known:
            raise SystemExit(f"{sorted(missing)} of {module} are public and have no place in tools/api.py.")


# --- one name -------------------------------------------------------------------------------------------
def _describe(name: str, found: Any) -> Iterator[str]:
    yield f"### `{name}`"
    if inspect.isclass(found):
        yield from _describe_class(name, found)
    elif inspect.isfunction(found):
        yield from signature(name, found, _link)
        yield to_markdown(inspect.getdoc(found) or "", _link)
    else:  # a variable, a signal, or another name of a type
        definition = definitions()[name]
        yield code(f"{name} = {definition.value}") if name[0].isupper() else ""
        yield to_markdown(definition.text, _link)


def _describe_class(name: str, kind: type) -> Iterator[str]:
    yield GIVEN.get(name, "")
    if name not in GIVEN:
        yield from _constructor(name, kind)
    if issubclass(kind, Exception):
        yield f"A kind of {', '.join(_link(base.__name__) for base in kind.__bases__)}."
    text = inspect.cleandoc(kind.__doc__ or "")
    yield to_markdown(text.partition("\n:param")[0] if name in GIVEN else text, _link)
    yield "\n".join(_attributes(name, kind))
    elsewhere: dict[str, list[str]] = {}
    for member, value, home in _members(name, kind):
        if home != name:
            elsewhere.setdefault(home, []).append(f"`{member}`")
        else:
            yield f"#### `{name}.{member}`"
            yield from _describe_member(name, member, value)
    for home, members in elsewhere.items():
        yield f"{' and '.join(members)}: as of {_link(home)}."


def _constructor(name: str, kind: type) -> Iterator[str]:
    owner = next((base for base in kind.__mro__ if "__init__" in vars(base) and _is_ours(base)), None)
    if owner is kind or (owner and not issubclass(kind, Exception)):
        yield from signature(name, vars(owner)["__init__"], _link)
    elif owner is None and not issubclass(kind, Exception) and not getattr(kind, "_is_protocol", False):
        yield code(f"{name}()")


def _attributes(name: str, kind: type) -> Iterator[str]:
    for attribute, type_, text in attributes(kind):
        if f"{name}.{attribute}" not in INTERNAL:
            said = f": {to_line(text, _link)}" if text else ""
            yield wrap(f"- `{attribute}`{f' (`{type_}`)' if type_ else ''}{said}", "  ")


def _members(name: str, kind: type) -> Iterator[tuple[str, Any, str]]:
    """Public methods and properties, the class's own first, and the first class on the page that has each."""
    seen = set()
    for owner in filter(_is_ours, () if issubclass(kind, Exception) else kind.__mro__):
        home = name if owner is kind else next(found for found, other in _CLASSES.items() if issubclass(other, owner))
        for member, found in vars(owner).items():
            value = found.__func__ if isinstance(found, classmethod) else found
            full = f"{name}.{member}"
            is_public = full in CALLED or not (member.startswith("_") or full in INTERNAL or member in seen)
            if is_public and (isinstance(value, property) or inspect.isfunction(value)):
                seen.add(member)
                yield member, value, home


def _describe_member(name: str, member: str, value: Any) -> Iterator[str]:
    if isinstance(value, property):
        first, *rest = to_markdown(inspect.getdoc(value) or "", _link).split("\n\n")
        yield wrap(f"`{result_type(value.fget)}`: {' '.join(first.split())}")
        yield from rest
    else:
        yield from signature(CALLED.get(f"{name}.{member}", member), value, _link)
        yield to_markdown(inspect.getdoc(value) or "", _link)


def _is_ours(kind: type) -> bool:
    return kind.__module__.startswith(PACKAGE)


# --- errors ---------------------------------------------------------------------------------------------
def _refusals() -> list[tuple[str, Any]]:
    errors = import_module(f"{PACKAGE}.errors")
    found = [(name, getattr(errors, name)) for name in errors.__all__]
    return [(name, error) for name, error in found if issubclass(error, errors.OAuthError)]


def _describe_refusals() -> Iterator[str]:
    yield "### The refusals"
    rows = ["| error | a kind of | status and code | what the caller reads | what it is for |", "|---|---|---|---|---|"]
    for name, error in sorted(_refusals(), key=lambda found: [base.__name__ for base in found[1].__mro__[::-1]]):
        if name != "OAuthError":
            said = to_line(inspect.cleandoc(error.__doc__), _link).replace("|", "\\|")
            answer = f"{error.status} `{error.code}` | {error.description}"
            rows.append(f"| `{name}` | `{error.__bases__[0].__name__}` | {answer} | {said} |")
    yield "\n".join(rows)


# --- commands -------------------------------------------------------------------------------------------
def _describe_client_commands() -> Iterator[str]:
    from flask_private_key_jwt.client.command.program import private_key_jwt

    yield from describe_group(private_key_jwt, "private-key-jwt", link=_link)


def _describe_keygen() -> Iterator[str]:
    from flask_private_key_jwt.client.__main__ import PROGRAM, build_parser

    commands = next(action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    for name, parser in commands.choices.items():
        yield f"### `{PROGRAM} {name}`"
        yield parser.description
        yield "\n".join(_keygen_option(action) for action in parser._actions if action.dest != "help")


def _keygen_option(action: argparse.Action) -> str:
    given = f" {action.metavar}" if action.metavar else ""
    choices = f". One of {', '.join(action.choices)}" if action.choices else ""
    return wrap(f"- `{', '.join(action.option_strings)}{given}`: {action.help}{choices}.", "  ")


# --- links ----------------------------------------------------------------------------------------------
_PLACED = {name for _, _, names in PAGE.values() for name in names}
_CLASSES = {
    name: found
    for module, _, names in PAGE.values()
    for name in names
    if inspect.isclass(found := getattr(import_module(module), name))
}


def _anchor(heading: str) -> str:
    """The anchor that GitHub makes for a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _link(name: str) -> str:
    if name in _PLACED:
        return f"[`{name}`](#{_anchor(name)})"
    return f"[`{name}`](#the-refusals)" if name in dict(_refusals()) else f"`{name}`"


if __name__ == "__main__":
    for page, text in ((FILE, build()), (COMMANDS_FILE, build_commands())):
        page.write_text(text, encoding="utf-8")
        print(f"{page.relative_to(CHECKOUT)} is written.")
