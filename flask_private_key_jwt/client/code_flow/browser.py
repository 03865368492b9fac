"""Bring the person at this machine to a page, with the browser that they use."""

import os
import sys
import webbrowser
from collections.abc import Callable

OpenBrowser = Callable[[str], object]
"""Brings the person to a URL, and returns at once."""


def open_system_browser(url: str) -> bool:
    """Open the system's browser.

    :return: Whether one was opened. It is not where there is no screen: a browser in the terminal would take the
        terminal from the program.
    """
    if not has_screen():
        return False
    try:
        return webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False


def has_screen() -> bool:
    """Whether a browser window can be shown."""
    if os.environ.get("BROWSER") or sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
