"""A person with a browser, as a program for ``BROWSER``: ``python allowing_browser.py URL`` signs in and allows."""

import re
import sys
from urllib.parse import urljoin

import requests


def allow(url: str, *, name: str = "alice", password: str = "wonderland") -> str:
    """Open *url*, sign in, press "Allow", and go where that leads; give the text of the consent page."""
    with requests.Session() as browser:
        page = browser.get(url, timeout=10)
        if "name=password" in page.text:
            page = browser.post(page.url, data={"name": name, "password": password}, timeout=10)
        action = re.search(r'action="([^"]*)"', page.text)[1].replace("&amp;", "&")  # type: ignore[index]
        token = re.search(r'name="decision_token" value="([^"]*)"', page.text)[1]  # type: ignore[index]
        form = {"decision_token": token, "decision": "allow"}
        browser.post(urljoin(page.url, action), data=form, timeout=10)
        return page.text


if __name__ == "__main__":
    allow(sys.argv[1])
