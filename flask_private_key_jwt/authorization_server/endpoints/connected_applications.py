"""The page "your connected applications": what a person allows, since when, when last used; and how to take it back.

A blueprint that the application mounts: an ordinary view, with the app's own hooks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import flask
from flask.typing import ResponseReturnValue

from ...errors import MethodNotAllowed, NotOffered
from ..authorization.interaction import Person, SignIn, name_of
from ..authorization.person_grants import PersonGrant
from ..authorization.response import name_place
from ..readable_text import find_short_name
from ..state import State, current_state
from ..stores.granted import Holder
from ..wording.descriptions import OPENID
from .browser_session import BrowserSession
from .page_words import build_wording, prefer_languages
from .pages import answer_with_page, read_page_request
from .strict_session import find_way_in

NAME = "connected_applications"
BLUEPRINT = "private_key_jwt_connected"
METHODS = ("GET", "POST")
_VISIT = f"{NAME}\x00"
"""The page's name in the browser's session; no authorization request has such a name."""


@dataclass(frozen=True, slots=True)
class ConnectedApplication:
    """One application, as the page shows it; times in seconds since the epoch."""

    client_id: str
    name: str | None
    """Its name if the operator stands behind it; ``None``: nobody has verified what it is called."""
    claimed_name: str | None
    """What it calls itself otherwise, if that can be shown."""
    document_host: str | None
    """The host of the document that registers it; ``None``: there is none."""
    scopes: tuple[str, ...]
    """In words."""
    resources: tuple[str, ...]
    """In words, or their URIs."""
    granted_at: int | None
    last_used_at: int | None
    decision_token: str = field(repr=False)
    """Lets the form take back what this application may do."""


def build_connected_applications(url_prefix: str) -> flask.Blueprint:
    """The blueprint; see ``PrivateKeyJWT.connected_applications``."""
    blueprint = flask.Blueprint(BLUEPRINT, __name__, url_prefix=url_prefix)
    blueprint.add_url_rule("", "applications", _connected_applications, methods=METHODS)
    blueprint.record_once(_exempt)
    return blueprint


def _exempt(setup: flask.blueprints.BlueprintSetupState) -> None:
    """Our form has its own token. The application may set up ``CSRFProtect`` after the blueprint."""

    def exempt() -> None:
        csrf = flask.current_app.extensions.get("csrf")
        if csrf and flask.request.blueprint == BLUEPRINT:
            csrf.exempt(_connected_applications)

    setup.app.before_request_funcs.setdefault(None, []).insert(0, exempt)


def _connected_applications() -> ResponseReturnValue:
    return answer_with_page(_respond, endpoint=NAME, check=_check_served)


def _check_served(state: State) -> None:
    if missing := state.find_missing(frozenset({"people"})):
        raise NotOffered(missing, cause="endpoint_not_served")
    if (method := flask.request.method) not in METHODS:
        raise MethodNotAllowed(f"method {method[:20]!r}", allow=METHODS)


def _respond() -> ResponseReturnValue:
    state = current_state()
    if (way_in := find_way_in()) is not None:
        return way_in
    prefer_languages(None)
    asked = read_page_request(state.settings.REQUEST_MAX_BYTES)
    session = BrowserSession(state.settings, state.secrets)
    person = state.people.find_person(session)
    if person is None:
        return state.people.send_to_sign_in(SignIn(asked.here, None, None, reauthenticate=False))
    if flask.request.method == "POST":
        return _revoke(state, session, person, asked.decision, dict(asked.form).get("client_id", ""), here=asked.here)
    return _show(state, session, person, here=asked.here)


def _revoke(
    state: State, session: BrowserSession, person: Person, decision: Mapping[str, str], client_id: str, *, here: str
) -> ResponseReturnValue:
    """Take back what the person allows one client, after checking that the form is of this person and session."""
    token = decision.get("decision_token", "")
    if not session.is_decision_token(token, _VISIT, person.subject, shown=client_id):
        return _show(state, session, person, here=here, is_out_of_date=True), 403
    state.server.revocations.revoke_all(Holder(subject=person.subject, client_id=client_id), by="person")
    session.close(_VISIT, decision_token=token)
    return flask.redirect(here, 303)


def _show(state: State, session: BrowserSession, person: Person, *, here: str, is_out_of_date: bool = False) -> str:
    session.open(_VISIT)
    grants = state.person_grants.find(subject=person.subject)
    return flask.render_template(
        "private_key_jwt/connected_applications.html",
        applications=[_describe(state, session, person, grant) for grant in grants],
        signed_in_as=name_of(person.user),
        action=here,
        has_removed=not is_out_of_date and session.was_just_answered(_VISIT),
        is_out_of_date=is_out_of_date,
    )


def _describe(state: State, session: BrowserSession, person: Person, grant: PersonGrant) -> ConnectedApplication:
    wording, client, name = build_wording(state), grant.client, grant.client_name
    is_vouched_for = grant.client_id in state.settings.TRUSTED_CLIENT_IDS or (
        client is not None and client.is_vouched_for(state.settings)
    )
    is_openid = OPENID in grant.scope
    return ConnectedApplication(
        client_id=grant.client_id,
        name=(name or grant.client_id) if is_vouched_for else None,
        claimed_name=find_short_name(name) if name and not is_vouched_for else None,
        # Of a client that was removed, something may be left: its id is no URL.
        document_host=name_place(grant.client_id) if client is None and "://" in grant.client_id else None,
        scopes=tuple(wording.describe_scope(scope, has_openid=is_openid) for scope in grant.scope),
        resources=tuple(wording.describe_resource(uri) or uri for uri in grant.resources),
        granted_at=grant.granted_at,
        last_used_at=grant.last_used_at,
        decision_token=session.issue_decision_token(_VISIT, person.subject, shown=grant.client_id),
    )
