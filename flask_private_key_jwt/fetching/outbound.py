"""The proxy and the certificate authorities for requests to a server.

For servers that the operator chose (an issuer, and the URLs in its metadata). URLs that strangers choose are fetched by
``safe_fetch.py``, which uses no proxy, because it must connect to the address that it checked.
"""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from requests.utils import get_environ_proxies, select_proxy

from ..errors import ConfigurationError
from ..web.url import BadURL, read_proxy_url, read_url

_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Outbound:
    """The proxies and the certificate authorities to use. If the application chose none, the environment decides, as
    with ``requests``.

    A server on this machine is never asked through a proxy: for the proxy, "this machine" is another one.
    """

    proxies: Mapping[str, str] | None = field(default=None, repr=False)  # its URLs may hold a password
    """Proxy URLs by scheme, as ``requests`` takes them. ``None``: ``HTTPS_PROXY`` and ``NO_PROXY``; empty: no proxy."""
    ca_bundle: str | None = None
    """Path of the certificate authorities to trust. ``None``: ``REQUESTS_CA_BUNDLE``, else those of ``requests``."""

    def find_proxy(self, url: str) -> str | None:
        """The URL of the proxy for *url*, if there is one."""
        if read_url(url).is_loopback:
            return None
        proxies = get_environ_proxies(url) if self.proxies is None else dict(self.proxies)
        return select_proxy(url, proxies)

    def find_ca_bundle(self) -> str | None:
        """The path of the authorities to trust; ``None``: those of ``requests``."""
        return self.ca_bundle or next((os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)), None)

    def options(self, url: str) -> dict[str, Any]:
        """Arguments for a ``requests`` call to *url*, on a session with ``trust_env`` off.

        With ``trust_env`` on, the session would also send the password that ``~/.netrc`` has for the host.
        """
        proxy = self.find_proxy(url)
        return {"proxies": {read_url(url).scheme: proxy} if proxy else {}, "verify": self.find_ca_bundle() or True}


USUAL = Outbound()
"""As the environment says."""


def build_outbound(
    proxies: Mapping[str, str] | None,
    ca_bundle: str | os.PathLike[str] | None,
    *,
    names: tuple[str, str] = ("proxies", "ca_bundle"),
) -> Outbound:
    """Check the application's choice, and build an :class:`Outbound` of it.

    :param names: The names of the two arguments in a message: those of the parameters or settings.
    :raises ConfigurationError: The URL of a proxy is wrong, or the bundle contains no certificate authorities.
    """
    if proxies is not None:
        if not isinstance(proxies, Mapping):
            raise ConfigurationError(f"{names[0]} is not a mapping of schemes to URLs, as requests takes it.")
        for scheme, url in proxies.items():
            if scheme != "no_proxy" and url:
                _check_proxy(url, names[0])
        proxies = {scheme: url for scheme, url in proxies.items() if scheme != "no_proxy" and url}
    if ca_bundle is not None:
        _check_ca_bundle(os.fspath(ca_bundle), names[1])
    return Outbound(proxies, None if ca_bundle is None else os.fspath(ca_bundle))


def find_proxy_problem(url: object, *, socks: tuple[str, str] = ("socks", "PySocks")) -> str | None:
    """Why *url* cannot be used as a proxy, as the end of a sentence; ``None`` if it can.

    The reason never quotes the URL, which may contain a password.

    :param socks: The module that a SOCKS proxy needs, and the package that it comes from.
    """
    module, package = socks
    try:
        proxy = read_proxy_url(url if isinstance(url, str) else "")
    except BadURL:
        return "does not hold the URL of a proxy, such as http://proxy.example:3128"
    if proxy.scheme.startswith("socks") and find_spec(module) is None:
        return f"names a SOCKS proxy, and {package} is not installed: pip install {package}"
    return None


def name_proxy(url: str) -> str:
    """The host and port of a proxy, for a message, because its URL may contain a password."""
    try:
        return read_proxy_url(url if "://" in url else f"http://{url}").authority
    except BadURL:
        return "(not shown)"


def _check_proxy(url: object, name: str) -> None:
    if problem := find_proxy_problem(url):
        raise ConfigurationError(f"{name} {problem}.")


def _check_ca_bundle(path: str, name: str) -> None:
    if not Path(path).exists():
        raise ConfigurationError(f"The {name} {path!r} does not exist.")
    if Path(path).is_dir():  # made by c_rehash; OpenSSL reads it at each connection
        return
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        cause = error.strerror or "it is not PEM"
        raise ConfigurationError(f"The {name} {path!r} holds no certificate authorities: {cause}.") from None
