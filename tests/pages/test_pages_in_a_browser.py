"""The pages in a headless Chromium, as people meet them: without scripts, on small screens, with a keyboard only."""

import json
import re

import pytest

from tests.pages.pages_site import LONG_CALLBACK, PUBLIC_CALLBACK, serving_pages
from tests.servers.chromium import running_chromium

ALLOW, DENY, SWITCH = (f"button[value={value}]" for value in ("allow", "deny", "switch_account"))


@pytest.fixture(autouse=True)
def clock_():
    """The wall clock goes on: browsers look at it."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with serving_pages(tmp_path_factory.mktemp("pages")) as site:
        yield site


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with running_chromium(tmp_path_factory.mktemp("browser") / "chromium") as browser:
        yield browser


@pytest.fixture
def page(browser):
    """A browser that knows nothing of this site, and in which no script of a page runs: ours need none."""
    former = browser.new_tab()
    browser.forget_cookies()
    browser.errors.clear()
    browser.show_as(width=1000)
    browser.let_scripts_run(False)
    yield browser
    browser.show_tab(former)


def sign_in(page, name="alice"):
    page.fill(name=name, password="any")
    page.click(".oauth-form button")


def open_consent(page, site, **changes):
    page.open(site.authorize(**{"prompt": "consent", **changes}))
    page.wait_for(f"document.querySelector('{ALLOW}, [name=password]') !== null")
    if page.evaluate("document.querySelector('[name=password]') !== null"):
        sign_in(page)
    page.wait_for(f"document.querySelector('{ALLOW}') !== null")


def wait_for_answer(page, site):
    """What the client was told."""
    page.wait_for(f"location.href.startsWith({json.dumps(site.client_url + '/callback')})")
    return page.evaluate("location.search")


def test_person_allows(page, site):
    open_consent(page, site)
    page.click(ALLOW)

    assert "code=" in wait_for_answer(page, site)
    assert [error for error in page.errors if "favicon.ico" not in error] == []  # the application's, if it has one


def test_person_denies(page, site):
    open_consent(page, site)
    page.click(DENY)

    assert "error=access_denied" in wait_for_answer(page, site)


@pytest.mark.parametrize(("button", "answer"), [(ALLOW, "code="), (DENY, "error=access_denied")])
def test_double_click_is_one_click(button, answer, page, site):
    open_consent(page, site)
    page.click(button, count=2)

    assert answer in wait_for_answer(page, site)


def test_two_tabs_crosswise(page, site):
    open_consent(page, site, state="first", scope="photos")
    first = page.new_tab()
    open_consent(page, site, state="second", scope="print")
    second = page.show_tab(first)
    page.click(ALLOW)
    assert "state=first" in wait_for_answer(page, site)

    page.show_tab(second)
    page.click(DENY)
    answer = wait_for_answer(page, site)

    assert "state=second" in answer
    assert "error=access_denied" in answer


def test_somebody_else_signs_in_in_another_tab(page, site):
    """The page of alice is still open when bob has signed in: it decides nothing for bob."""
    open_consent(page, site)
    alices = page.new_tab()
    page.open(f"{site.url}/sign-in")
    sign_in(page, "bob")
    page.wait_for("location.pathname === '/'")

    page.show_tab(alices)
    page.click(ALLOW)

    page.wait_for_text("h1", "This page is out of date")


def test_back_button_after_the_answer(page, site):
    """The page is not kept by the browser, so going back asks again; what was decided stays."""
    open_consent(page, site)
    page.click(ALLOW)
    wait_for_answer(page, site)

    page.go_back()

    page.wait_for(f"document.querySelector('{ALLOW}') !== null")
    page.click(DENY)
    assert "error=access_denied" in wait_for_answer(page, site)


def test_session_that_ended_meanwhile(page, site):
    open_consent(page, site)
    page.forget_cookies()
    page.click(ALLOW)

    page.wait_for_text("h1", "This page is out of date")


def test_person_becomes_somebody_else(page, site):
    open_consent(page, site)
    page.click(SWITCH)
    page.wait_for("document.querySelector('[name=password]') !== null")
    sign_in(page, "bob")

    page.wait_for_text(".oauth-account", "Bob Dodgson")
    page.click(ALLOW)
    assert "code=" in wait_for_answer(page, site)


def test_account_is_chosen(page, site):
    open_consent(page, site)
    page.open(site.authorize(prompt="select_account consent"))
    page.wait_for_text("h1", "Choose an account")
    page.click("button[value=continue]")
    page.wait_for(f"document.querySelector('{ALLOW}') !== null")

    page.open(site.authorize(prompt="select_account consent", state="another"))
    page.wait_for_text("h1", "Choose an account")
    page.click(SWITCH)
    page.wait_for("document.querySelector('[name=password]') !== null")
    sign_in(page, "bob")
    page.wait_for_text(".oauth-account", "Bob Dodgson")


def test_application_is_removed(page, site):
    open_consent(page, site)
    page.click(ALLOW)
    wait_for_answer(page, site)
    page.open(f"{site.url}/connected-applications")
    page.wait_for_text("h2", "Lovely Prints")
    assert page.evaluate("document.querySelector('.oauth-danger').checkVisibility()") is False

    page.click("summary")
    page.click(".oauth-danger", count=2)

    page.wait_for_text("main", "The application has no access any more.")
    page.wait_for_text("main", "No application may act for you.")


def test_person_signs_out(page, site):
    open_consent(page, site)
    page.open(f"{site.url}/oauth2/logout?client_id=prints&ui_locales=de")
    page.wait_for_text("h1", "Abmelden?")
    page.click("button[value=sign_out]", count=2)

    page.wait_for_text("h1", "Sie sind abgemeldet")


# --- keyboard, small screens, large letters -------------------------------------------------------------------------
def focused(page):
    return page.evaluate("document.activeElement.value || document.activeElement.textContent.trim()")


def test_keyboard_reaches_everything_in_the_order_of_the_page(page, site):
    open_consent(page, site)
    order = []
    for _ in range(6):
        page.type_key("Tab")
        order.append(focused(page))

    links = ["About the application", "Its terms of service", "Its privacy policy"]
    assert order == ["switch_account", "allow", "deny", *links]


@pytest.mark.parametrize(("tabs", "key", "answer"), [(2, "Enter", "code="), (3, "Space", "error=access_denied")])
def test_keyboard_alone_decides(tabs, key, answer, page, site):
    open_consent(page, site)
    for _ in range(tabs):
        page.type_key("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    page.type_key(key)

    assert answer in wait_for_answer(page, site)
    assert outline == "solid"


LONG = "x" * 90
SCREENS = [(320, 1.0), (320, 2.0), (1280, 1.0), (640, 2.0)]


@pytest.mark.parametrize(("width", "scale"), SCREENS)
@pytest.mark.parametrize("language", ["en", "de"])
def test_nothing_is_wider_than_the_screen(language, width, scale, page, site):
    """Also at 200 %: a window of 1280 pixels is then 640 wide, of 640 then 320 (WCAG 2.2, 1.4.10)."""
    page.show_as(width=width, scale=scale)
    for url in (
        site.authorize(prompt="consent", redirect_uri=PUBLIC_CALLBACK, state=LONG, ui_locales=language),
        site.authorize(client_id="stranger", scope="photos", ui_locales=language),
        site.authorize(client_id="long", scope="photos", redirect_uri=LONG_CALLBACK, ui_locales=language),
        site.authorize(prompt="select_account", ui_locales=language),
        site.authorize(redirect_uri=f"https://{LONG}.example/", ui_locales=language),
        f"{site.url}/oauth2/logout?client_id=prints&ui_locales={language}",
        f"{site.url}/connected-applications",
    ):
        page.open(url)
        page.wait_for("document.querySelector('main') !== null")
        if page.evaluate("document.querySelector('[name=password]') !== null"):
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            sign_in(page)
            page.wait_for(
                "document.querySelector('main') !== null && document.querySelector('[name=password]') === null"
            )
        assert page.evaluate("document.documentElement.scrollWidth") <= width, url
        cut = page.evaluate(
            "[...document.querySelectorAll('main *')].filter(e => e.checkVisibility() && !e.closest('.oauth-hidden')"
            " && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML)"
        )
        assert cut == [], url


def test_buttons_are_large_enough_and_unlike(page, site):
    page.show_as(width=320)
    open_consent(page, site)

    def look(selector):
        return page.evaluate(
            f"(() => {{ const e = document.querySelector('{selector}'), b = e.getBoundingClientRect();"
            "const color = getComputedStyle(e).backgroundColor;"
            "return [b.width, b.height, b.top, color, e.textContent.trim()] })()"
        )

    allow, deny = look(ALLOW), look(DENY)

    assert min(allow[0], allow[1], deny[0], deny[1]) >= 44  # pixels, WCAG 2.2, 2.5.5
    assert deny[2] >= allow[2] + allow[1] + 8
    assert allow[3] != deny[3]
    assert (allow[4], deny[4]) == ("Allow", "Deny")


def test_dark_page_is_dark(page, site):
    open_consent(page, site)

    def brightness():
        return sum(map(int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[:3]))

    page.show_as(width=1000, dark=False)
    light = brightness()
    page.show_as(width=1000, dark=True)

    assert light > 600
    assert brightness() < 120


def test_page_cannot_be_framed(page, site):
    open_consent(page, site)
    page.let_scripts_run(True)
    page.open(f"{site.client_url}/callback")
    page.wait_for("document.readyState === 'complete'")
    page.evaluate(
        "new Promise(done => { const frame = document.createElement('iframe');"
        f"frame.src = {json.dumps(site.authorize(prompt='consent'))}; frame.onload = done;"
        "document.body.append(frame) }).then(() => 1)"
    )
    page.evaluate("1")

    assert "frame-ancestors 'none'" in " ".join(page.errors)
