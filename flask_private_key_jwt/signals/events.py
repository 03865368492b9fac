"""What can happen, one frozen class for each event, and how the application's receivers are told.

A field is what the signal is sent with. No field ever holds a token, an assertion, a proof or a key.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from blinker import NamedSignal

from .. import signals
from .decision_log import write_line

log = logging.getLogger("flask_private_key_jwt")

Actor = Literal["operator", "client", "person", "server"]
"""Who did it. The operator is whoever calls the extension's functions or commands."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""

    signal: ClassVar[NamedSignal]
    changes_rights: ClassVar[bool] = False
    """Whether it changes who may do what; the audit trail keeps these."""

    @property
    def name(self) -> str:
        """The name of its signal in ``signals/__init__.py``."""
        return self.signal.name.replace("-", "_")

    def arguments(self) -> dict[str, Any]:
        """What the signal is sent with."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


Tell = Callable[[Event], None]
"""Tells everybody who wants to know of an event; never raises."""


@dataclass(frozen=True, slots=True)
class RequestRefused(Event):
    """See :data:`.signals.request_refused`."""

    signal = signals.request_refused
    error: str
    cause: str
    reason: str
    reference: str
    endpoint: str
    client_id: str | None


@dataclass(frozen=True, slots=True)
class TokenIssued(Event):
    """See :data:`.signals.token_issued`."""

    signal = signals.token_issued
    client_id: str
    grant_type: str
    scope: tuple[str, ...]
    audience: tuple[str, ...]
    jkt: str | None
    jti: str


@dataclass(frozen=True, slots=True)
class CallAdmitted(Event):
    """See :data:`.signals.call_admitted`."""

    signal = signals.call_admitted
    endpoint: str
    client_id: str | None
    subject: str | None
    scope: tuple[str, ...]
    jti: str | None
    jkt: str | None


@dataclass(frozen=True, slots=True)
class TokenIntrospected(Event):
    """See :data:`.signals.token_introspected`."""

    signal = signals.token_introspected
    client_id: str
    jti: str | None
    holder: str | None


@dataclass(frozen=True, slots=True)
class RequestPushed(Event):
    """See :data:`.signals.request_pushed`."""

    signal = signals.request_pushed
    client_id: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class CodeIssued(Event):
    """See :data:`.signals.code_issued`."""

    signal = signals.code_issued
    client_id: str
    subject: str
    scope: tuple[str, ...]
    resources: tuple[str, ...]
    grant_id: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class ConsentGiven(Event):
    """See :data:`.signals.consent_given`."""

    signal = signals.consent_given
    changes_rights = True
    client_id: str
    subject: str
    scope: tuple[str, ...]
    resources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConsentWithdrawn(Event):
    """See :data:`.signals.consent_withdrawn`."""

    signal = signals.consent_withdrawn
    changes_rights = True
    client_id: str | None
    subject: str | None
    by: Actor


@dataclass(frozen=True, slots=True)
class SignedOut(Event):
    """See :data:`.signals.signed_out`."""

    signal = signals.signed_out
    subject: str
    client_id: str | None


@dataclass(frozen=True, slots=True)
class ClientRegistered(Event):
    """See :data:`.signals.client_registered`."""

    signal = signals.client_registered
    changes_rights = True
    client_id: str
    by: Actor


@dataclass(frozen=True, slots=True)
class ClientChanged(Event):
    """See :data:`.signals.client_changed`."""

    signal = signals.client_changed
    changes_rights = True
    client_id: str
    by: Actor
    members: tuple[str, ...]
    enabled: bool


@dataclass(frozen=True, slots=True)
class ClientKeysChanged(Event):
    """See :data:`.signals.client_keys_changed`."""

    signal = signals.client_keys_changed
    changes_rights = True
    client_id: str
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClientSecretsChanged(Event):
    """See :data:`.signals.client_secrets_changed`."""

    signal = signals.client_secrets_changed
    changes_rights = True
    client_id: str
    added: tuple[str, ...]
    ended: tuple[str, ...]
    removed: tuple[str, ...]
    ends_at: int | None


@dataclass(frozen=True, slots=True)
class ClientRemoved(Event):
    """See :data:`.signals.client_removed`."""

    signal = signals.client_removed
    changes_rights = True
    client_id: str
    by: Actor


@dataclass(frozen=True, slots=True)
class TokenRevoked(Event):
    """See :data:`.signals.token_revoked`."""

    signal = signals.token_revoked
    changes_rights = True
    jti: str
    client_id: str | None
    by: Actor


RevokedBecause = Literal["client", "person", "code_used", "refresh_token_reused", "client_key_removed", "operator"]
"""Why a grant was revoked."""


@dataclass(frozen=True, slots=True)
class GrantRevoked(Event):
    """See :data:`.signals.grant_revoked`."""

    signal = signals.grant_revoked
    changes_rights = True
    grant_id: str
    client_id: str | None
    subject: str | None
    because: RevokedBecause


@dataclass(frozen=True, slots=True)
class TokensRevoked(Event):
    """See :data:`.signals.tokens_revoked`."""

    signal = signals.tokens_revoked
    changes_rights = True
    client_id: str | None
    subject: str | None


KeyChange = Literal["made", "brought_forward", "retired", "reencrypted", "removed"]
"""What happened to a signing key."""


@dataclass(frozen=True, slots=True)
class SigningKeyChanged(Event):
    """See :data:`.signals.signing_key_changed`."""

    signal = signals.signing_key_changed
    changes_rights = True
    kid: str
    alg: str
    change: KeyChange
    signs_from: int


@dataclass(frozen=True, slots=True)
class RegistrationTokenCreated(Event):
    """See :data:`.signals.registration_token_created`."""

    signal = signals.registration_token_created
    changes_rights = True
    token_id: str
    uses: int
    may_choose_client_id: bool
    expires_at: int


@dataclass(frozen=True, slots=True)
class RegistrationTokenRevoked(Event):
    """See :data:`.signals.registration_token_revoked`."""

    signal = signals.registration_token_revoked
    changes_rights = True
    token_id: str


@dataclass(frozen=True, slots=True)
class AuditPurged(Event):
    """See :data:`.signals.audit_purged`."""

    signal = signals.audit_purged
    changes_rights = True
    up_to: int


def find_events() -> Mapping[str, type[Event]]:
    """Name of a signal in ``signals/__init__.py`` -> the class of its events."""
    # Not Event.__subclasses__(): a dataclass with slots replaces its class, and the old one may still be there.
    classes = [value for value in globals().values() if isinstance(value, type) and issubclass(value, Event)]
    kinds = {kind.signal: kind for kind in classes if kind is not Event}
    return {name: kinds[getattr(signals, name)] for name in signals.__all__}


class Announcer:
    """Tells the receivers of one app, and its log, what happened.

    :param sender: The Flask app; without Flask, the protector.
    :param log_json: Whether each event is a line in the log of decisions.
    """

    __slots__ = ("_sender", "log_json")

    def __init__(self, sender: object, *, log_json: bool = False) -> None:
        self._sender = sender
        self.log_json = log_json

    def wants(self, kind: type[Event]) -> bool:
        """Whether anybody would hear of an event of this kind; a request that is in a hurry asks before it makes it."""
        return bool(kind.signal.receivers) or self.log_json

    def tell(self, event: Event, *, level: int = logging.INFO) -> None:
        """Send the event's signal. What a receiver raises goes to the log: what happened has happened.

        :param level: Of its line in the log of decisions.
        """
        signal = event.signal
        if self.log_json:
            write_line(event.name, event.arguments(), level=level)
        if signal.receivers:
            try:
                signal.send(self._sender, **event.arguments())
            except Exception:
                log.exception("a receiver of %s failed", event.name)


def tell_nobody(event: Event) -> None:
    """For stores that were opened without an app."""


ANNOUNCER_KEY = "private_key_jwt_announcer"
"""Where an app keeps its announcer, in ``app.extensions``: an authorization server and an API in one app share it."""


def find_announcer(sender: object) -> Announcer:
    """The announcer of an app; one that logs no lines if *sender* has none."""
    found = getattr(sender, "extensions", {}).get(ANNOUNCER_KEY)
    return found if isinstance(found, Announcer) else Announcer(sender)
