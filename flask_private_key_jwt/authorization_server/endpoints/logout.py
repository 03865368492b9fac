"""The logout endpoint (OpenID RP-Initiated Logout 1.0 §2), for browsers: an ordinary view, with the app's own hooks.

It ends the browser's session at this server. Grants stay: ``oauth.revoke(…)`` ends them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import flask
from flask.typing import ResponseReturnValue

from ...errors import InteractionRefused
from ...signals.events import SignedOut
from ..authorization.interaction import Person, name_of
from ..authorization.parameters import collect, read_query
from ..authorization.response import Onward, name_place
from ..sign_out.logout import KNOWN, SEALED_HINT, LogoutPage, LogoutRequest, LogoutStep, next_logout_step
from ..state import State, current_state
from .browser_session import BrowserSession
from .page_words import prefer_languages
from .pages import answer_with_page, read_page_request, send_to
from .strict_session import find_way_in, read_own_query

NAME = "logout"


@dataclass(frozen=True, slots=True)
class SignOutVisit:
    """One request of a browser to the endpoint."""

    state: State
    session: BrowserSession
    request: LogoutRequest
    url: str
    """The request as a path with query, without the hint; the decision is posted to it."""

    @property
    def name(self) -> str:
        """The name of the request in the session; no authorization request has such a name."""
        return f"{NAME}\x00{self.request.build_query()}"


def logout() -> ResponseReturnValue:
    """``GET`` and ``POST /oauth2/logout``."""
    return answer_with_page(_respond, endpoint=NAME)


def _respond() -> ResponseReturnValue:
    state = current_state()
    asked = read_page_request(state.settings.REQUEST_MAX_BYTES)
    if asked.is_posted:
        # Browsers send no SameSite=Lax cookie with another site's form: who is signed in is seen after the redirect.
        # Nothing is written to the session before that, or it would take the place of the real one.
        return send_to(f"{asked.here}?{state.logout.build_query(collect(asked.form, only=KNOWN))}")
    if (way_in := find_way_in()) is not None:
        return way_in
    session = BrowserSession(state.settings, state.secrets)
    parameters = collect(read_query(read_own_query()), only=(*KNOWN, SEALED_HINT))
    prefer_languages(parameters.get("ui_locales"))
    request = state.logout.read(parameters)
    visit = SignOutVisit(state, session, request, f"{asked.here}?{request.build_query()}")
    person = state.people.find_person(session)
    if asked.decision and person:
        return _decide(visit, person, asked.decision)
    if asked.decision and session.was_decided_with(asked.decision["decision_token"], visit.name):
        return _leave(visit, confirmed=True, seen=True)  # the button was pressed twice
    return _proceed(visit, person)


def _proceed(visit: SignOutVisit, person: Person | None) -> ResponseReturnValue:
    step = next_logout_step(visit.request, person)
    if step is LogoutStep.SIGN_OUT and person:
        _sign_out(visit, person)
    if step is LogoutStep.ASK and person:
        return _ask(visit, person)
    return _leave(visit, confirmed=False, seen=step is LogoutStep.SIGN_OUT)


def _ask(visit: SignOutVisit, person: Person) -> ResponseReturnValue:
    visit.session.open(visit.name)
    client = visit.request.client
    page = LogoutPage(
        client=client,
        user=person.user,
        redirect_uri=visit.request.redirect_uri,
        action=visit.url,
        decision_token=visit.session.issue_decision_token(visit.name, person.subject),
        is_vouched_for=client is not None and client.is_vouched_for(visit.state.settings),
    )
    return flask.render_template("private_key_jwt/logout.html", page=page)


def _decide(visit: SignOutVisit, person: Person, decision: Mapping[str, str]) -> ResponseReturnValue:
    """Do what the person decided, after checking that it is from this person and session, for this request."""
    if not visit.session.is_decision_token(decision["decision_token"], visit.name, person.subject):
        raise InteractionRefused("the decision is not from this session, person and request", cause="decision_foreign")
    if decision.get("decision") != "sign_out":
        visit.session.close(visit.name)
        return flask.render_template("private_key_jwt/signed_out.html", signed_in_as=name_of(person.user))
    visit.session.close(visit.name, decision_token=decision["decision_token"])
    _sign_out(visit, person)
    return _leave(visit, confirmed=True, seen=True)


def _sign_out(visit: SignOutVisit, person: Person) -> None:
    visit.state.people.sign_out_person(visit.session)
    client = visit.request.client
    visit.state.announcer.tell(SignedOut(person.subject, client.client_id if client else None))


def _leave(visit: SignOutVisit, *, confirmed: bool, seen: bool) -> ResponseReturnValue:
    """Nobody is signed in: send the browser to the client, or show a page that says so."""
    location = visit.request.find_location(confirmed=confirmed)
    if location is not None and visit.request.is_sent_on(visit.state.settings, seen=seen):
        return send_to(location)
    onward = Onward(name_place(location), location) if location is not None else None
    return flask.render_template("private_key_jwt/signed_out.html", signed_in_as=None, onward=onward)
