"""Writes the pictures of docs/pages.md: ``python -m tools.screenshots``. It needs Chromium and no network."""

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.pages.pages_site import PUBLIC_CALLBACK, PagesSite, serving_pages
from tests.servers.chromium import Chromium

FOLDER = Path(__file__).parent.parent / "docs" / "screenshots"
WIDTH, NARROW = 480, 320


def sign_in(browser: Chromium, name: str = "alice") -> None:
    """Sign in on the page that is there now."""
    browser.fill(name=name, password="any")  # noqa: S106 - the site takes every password
    browser.click(".oauth-form button")


def open_consent(browser: Chromium, site: PagesSite, **changes: str | None) -> None:
    """Open a request, sign in if nobody is, and wait for the consent page."""
    browser.open(site.authorize(**{"prompt": "consent", **changes}))
    browser.wait_for("document.querySelector('button[value=allow], [name=password]') !== null")
    if browser.evaluate("document.querySelector('[name=password]') !== null"):
        sign_in(browser)
    browser.wait_for("document.querySelector('button[value=allow]') !== null")


def allow(browser: Chromium, site: PagesSite, client_id: str, scope: str) -> None:
    """Allow a client these scopes."""
    open_consent(browser, site, client_id=client_id, scope=scope)
    browser.click("button[value=allow]")
    browser.wait_for("location.pathname === '/callback'")


def show_sign_in(browser: Chromium, site: PagesSite) -> None:
    """The sign-in page."""
    browser.open(f"{site.url}/sign-in")
    browser.wait_for("document.querySelector('[name=password]') !== null")


def show_accounts(browser: Chromium, site: PagesSite) -> None:
    """The choice between two accounts."""
    show_sign_in(browser, site)
    sign_in(browser, "bob")
    browser.wait_for("location.pathname === '/'")
    show_sign_in(browser, site)
    sign_in(browser)
    browser.wait_for("location.pathname === '/'")
    browser.open(site.authorize(prompt="select_account"))
    browser.wait_for("document.querySelector('.oauth-accounts') !== null")


def show_connected(browser: Chromium, site: PagesSite) -> None:
    """Two connected applications."""
    open_consent(browser, site)
    allow(browser, site, "prints", "openid photos print")
    allow(browser, site, "calendar", "photos")
    browser.open(f"{site.url}/connected-applications")
    browser.wait_for("document.querySelector('.oauth-application') !== null")


def show_sign_out(browser: Chromium, site: PagesSite) -> None:
    """The question whether to sign out."""
    open_consent(browser, site)
    browser.open(f"{site.url}/oauth2/logout?client_id=prints")
    browser.wait_for("document.querySelector('button[value=sign_out]') !== null")


def show_refusal(browser: Chromium, site: PagesSite) -> None:
    """One kind of refusal."""
    browser.open(site.authorize(redirect_uri="https://elsewhere.example/"))
    browser.wait_for("document.querySelector('.oauth-fault') !== null")


def show_consent(browser: Chromium, site: PagesSite) -> None:
    """The consent page of a client that the operator stands behind."""
    open_consent(browser, site, redirect_uri=PUBLIC_CALLBACK)


def show_stranger(browser: Chromium, site: PagesSite) -> None:
    """The consent page of one that registered itself."""
    open_consent(browser, site, client_id="stranger", scope="photos")


PAGES: dict[str, Callable[[Chromium, PagesSite], None]] = {
    "sign-in": show_sign_in,
    "consent": show_consent,
    "stranger": show_stranger,
    "accounts": show_accounts,
    "sign-out": show_sign_out,
    "refusal": show_refusal,
    "connected": show_connected,
}


def main(names: list[str], folder: Path = FOLDER) -> int:
    """Write the pictures of the pages with these *names*, of all if there are none."""
    program = shutil.which("chromium")
    if program is None:
        print("chromium is not installed", file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, serving_pages(Path(temporary)) as site:
        browser = Chromium(program, Path(temporary))
        try:
            for name in names or PAGES:
                PAGES[name](browser, site)
                narrow = [(NARROW, False)] if name == "consent" else []
                for width, dark in ((WIDTH, False), (WIDTH, True), *narrow):
                    height = 1
                    for _ in range(3):  # the margin depends on the height
                        browser.show_as(width=width, height=height, dark=dark)
                        height = browser.evaluate("document.documentElement.scrollHeight")
                    kind = "narrow" if width == NARROW else "dark" if dark else "light"
                    (folder / f"{name}-{kind}.png").write_bytes(browser.take_picture())
        finally:
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
