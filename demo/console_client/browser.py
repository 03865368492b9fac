"""A script that plays a person with a browser: it signs in, reads the consent page, and presses a button."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

from ..clients import DemoPerson

TIMEOUT_SECONDS = 10.0
MOST_PAGES = 10


class LostItsWay(Exception):
    """A page is not what the script expects."""


@dataclass
class Form:
    """A form of a page, as a browser would send it."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    """Name and value of each."""


class ScriptedBrowser:
    """Keeps cookies and follows redirects, as browsers do.

    :param person: Who sits in front of it.
    :param decision: Which button of the consent page they press: ``allow`` or ``deny``.
    """

    def __init__(self, person: DemoPerson, *, decision: str = "allow") -> None:
        self._person = person
        self._decision = decision
        self._session = requests.Session()
        self._session.trust_env = False  # the demo's servers are on this machine: no proxy
        self.seen: list[str] = []
        """What was done, in words."""

    def visit(self, url: str) -> requests.Response:
        """Open *url*, and go on until a page without a form: that of the client.

        :raises LostItsWay: A page is not what it must be.
        """
        page = self._session.get(url, timeout=TIMEOUT_SECONDS)
        for _ in range(MOST_PAGES):
            if not page.ok:
                raise LostItsWay(f"{page.url.partition('?')[0]} answered {page.status_code}.")
            form = read_form(page)
            if form is None:
                return page
            page = self._session.post(form.action, data=self.fill_in(form), timeout=TIMEOUT_SECONDS)
        raise LostItsWay("There was one form after another.")

    def fill_in(self, form: Form) -> dict[str, str]:
        """What the person enters or presses.

        :raises LostItsWay: This is neither the sign-in nor the consent page.
        """
        if "password" in form.fields:
            self.seen.append(f"signs in as {self._person.name}")
            return {**form.fields, "name": self._person.name, "password": self._person.password}
        if ("decision", self._decision) in form.buttons:
            self.seen.append(f"presses {self._decision}")
            return {**form.fields, "decision": self._decision}
        raise LostItsWay(f"{form.action.partition('?')[0]} asks for something the script does not know.")


def read_form(page: requests.Response) -> Form | None:
    """The first form of a page, its action made absolute."""
    reader = _FormReader(page.url)
    reader.feed(page.text)
    return reader.form


class _FormReader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.form: Form | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        if tag == "form" and self.form is None:
            self.form = Form(urljoin(self._url, found.get("action") or self._url))
        if self.form is None or "name" not in found:
            return
        if tag == "button":
            self.form.buttons.append((found["name"], found.get("value", "")))
        elif tag == "input":
            self.form.fields[found["name"]] = found.get("value", "")
