"""From app.config to frozen settings: check names, convert values, explain errors."""

import difflib
import json
import logging
import os
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Annotated, Any, Literal, TypeVar

from ..errors import ConfigurationError
from .profiles import apply_profile
from .resource import ResourceSettings
from .server import ServerSettings
from .shared import HOW_TO_SET, SharedSettings

log = logging.getLogger("flask_private_key_jwt")


_PREFIX = "OAUTH2_"


READ_BY_AUTHLIB = {
    "OAUTH2_TOKEN_EXPIRES_IN": "OAUTH2_ACCESS_TOKEN_LIFETIME_SECONDS",
    "OAUTH2_ACCESS_TOKEN_GENERATOR": "nothing: access tokens are JWTs (RFC 9068); add claims with @oauth.token_policy",
    "OAUTH2_REFRESH_TOKEN_GENERATOR": "nothing: refresh tokens are made by this package",
    "OAUTH2_SCOPES_SUPPORTED": "OAUTH2_SCOPES",
    "OAUTH2_ERROR_URIS": "nothing: errors carry no error_uri",
}
"""Names that Authlib's own Flask server reads -> what to use instead."""


S = TypeVar("S", bound=SharedSettings)


def read(config: Mapping[str, Any], kind: type[S]) -> S:
    """Read, check and freeze the settings of *kind* from an application's ``config``.

    :raises ConfigurationError: A name or a value is wrong; the message says which and what to do.
    """
    check_names(config)
    values: dict[str, Any] = {}
    hints = typing.get_type_hints(kind, include_extras=True)
    for setting in fields(kind):
        name = _PREFIX + setting.name
        if config.get(name) is not None:
            values[setting.name] = _convert(name, config[name], hints[setting.name], private=not setting.repr)
        elif setting.default is MISSING:
            raise ConfigurationError(f"{name} is not set. {setting.metadata[HOW_TO_SET]}")
    known = frozenset(setting.name for setting in fields(kind))
    return kind(**apply_profile(values.get("PROFILE", "oauth"), values, known))


def read_environment(environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The settings in the environment, for an API without Flask: ``OAUTH2_ISSUER`` and so on.

    A value that is JSON is read as JSON, as ``from_prefixed_env`` of Flask does; any other is a string.
    """
    settings: dict[str, Any] = {}
    for name, value in environ.items():
        if name.startswith(_PREFIX):
            try:
                settings[name] = json.loads(value)
            except ValueError:
                settings[name] = value
    return settings


def unread(settings: SharedSettings) -> dict[str, Any]:
    """Settings as a ``config`` that :func:`read` takes, so that they are checked, however they were made."""
    return {_PREFIX + setting.name: getattr(settings, setting.name) for setting in fields(settings)}


def check_names(config: Mapping[str, Any]) -> None:
    """Refuse misspelt ``OAUTH2_…`` names, warn about unknown ones.

    :raises ConfigurationError: A name is close to one of ours, or is one that Authlib reads itself.
    """
    known = {setting.name for kind in (ServerSettings, ResourceSettings) for setting in fields(kind)}
    for name in config:
        ours = name.removeprefix(_PREFIX)
        if ours == name or ours in known:
            continue
        if name in READ_BY_AUTHLIB:
            raise ConfigurationError(f"{name} is a setting of Authlib's own server. Use {READ_BY_AUTHLIB[name]}.")
        # Compared without the prefix: with it, OAUTH2_PROVIDERS, which many apps have, is too close to OAUTH2_PROFILE.
        if near := difflib.get_close_matches(ours, known, n=1, cutoff=0.8):
            raise ConfigurationError(f"{name} is not a setting. Did you mean {_PREFIX}{near[0]}?")
        log.warning("%s is not a setting of flask_private_key_jwt; it is ignored", name)


def _convert(name: str, value: Any, hint: Any, *, private: bool) -> Any:
    """Convert *value*, which may be a string from the environment, to the type *hint*, and check it."""
    checks: tuple[Callable[[Any], None], ...] = ()
    while True:
        if typing.get_origin(hint) is Annotated:
            checks += tuple(hint.__metadata__)
            hint = hint.__origin__
        elif isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
            hint = next(part for part in typing.get_args(hint) if part is not type(None))
        else:
            break
    try:
        converted = _of_type(value, hint)
        for check in checks:
            check(converted)
    except ValueError as error:
        shown = "" if private else f" = {value!r}"
        raise ConfigurationError(f"{name}{shown} is not accepted: it {error}.") from None
    return converted


def _of_type(value: Any, hint: Any) -> Any:
    if typing.get_origin(hint) is Literal:
        if value not in typing.get_args(hint):
            raise ValueError(f"must be one of {', '.join(typing.get_args(hint))}")
        return value
    return _CONVERTERS[typing.get_origin(hint) or hint](value)


def _bool(value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number")
    return value


def _str(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be text")
    return value


def _text_or_object(value: Any) -> Any:
    """A path or a key. A JWK in the environment is JSON, which ``from_prefixed_env`` has already parsed."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (str, bytes, Mapping)) and value:
        return value
    raise ValueError("must be a path or a private key, and not empty")


def _strings(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, (list, tuple, set, frozenset)) or not all(
        isinstance(item, str) and item for item in value
    ):
        raise ValueError("must be a list of strings, or one string")
    return tuple(sorted(value) if isinstance(value, (set, frozenset)) else value)


_CONVERTERS: dict[Any, Callable[[Any], Any]] = {
    bool: _bool,
    int: _int,
    str: _str,
    tuple: _strings,
    Mapping: _text_or_object,
    object: lambda value: value,
}
