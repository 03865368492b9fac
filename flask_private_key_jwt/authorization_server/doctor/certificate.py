"""The certificate of the issuer: trusted, for this name, and not about to end."""

import os
import socket
import ssl

import certifi

from ... import clock
from ...database.connecting import connect_in_time
from ...errors import ConfigurationError
from ...web.url import DEFAULT_PORTS, read_url
from ..keys.client_key_state import EXPIRY_NOTICE_SECONDS
from .deployment import Deployment
from .finding import DeploymentRequirement, Finding, days, judge, moot, unmet


def check_certificate(deployment: Deployment) -> Finding:
    """The certificate is trusted and goes on for a month at least; TLS is 1.2 or later (RFC 9325)."""
    url = read_url(deployment.settings.ISSUER)
    if url.scheme != "https":
        return moot("The issuer is http, and has no certificate.")
    outbound, timeout = deployment.outside.outbound, deployment.outside.timeout
    if outbound.find_proxy(deployment.settings.ISSUER):
        return moot("This machine reaches the issuer through a proxy; ask from a machine that reaches it directly.")
    context = _trust(outbound.find_ca_bundle() or certifi.where())
    port = url.port or DEFAULT_PORTS["https"]

    def connect() -> ssl.SSLSocket:
        plain = socket.create_connection((url.host, port), timeout)
        try:
            return context.wrap_socket(plain, server_hostname=url.host)
        except BaseException:
            plain.close()
            raise

    try:
        connection = connect_in_time(connect, ssl.SSLSocket.close, timeout)
    except ssl.SSLCertVerificationError as problem:
        return unmet(
            f"The certificate is not accepted: {problem.verify_message}.",
            "Install a certificate for this name, with its intermediates, from an authority that clients trust. "
            "--ca-bundle names authorities of your own.",
        )
    except OSError as problem:
        return unmet(
            f"There is no TLS connection to {url.host}, port {port}: {type(problem).__name__}.",
            "See that the server speaks TLS 1.2 or later there.",
        )
    if connection is None:
        return unmet(f"{url.host}, port {port}, does not finish a TLS handshake in time.", "See what listens there.")
    with connection:
        ends, version = connection.getpeercert() or {}, connection.version()
    left = ssl.cert_time_to_seconds(str(ends["notAfter"])) - clock.now()
    return judge(
        left > EXPIRY_NOTICE_SECONDS,
        f"The certificate is trusted, and goes on for {days(left)} ({version}).",
        otherwise=f"The certificate ends in {days(left)}.",
        change="Renew it; a month before its end is a good time, and best without a person.",
    )


def _trust(bundle: str) -> ssl.SSLContext:
    """TLS 1.2 or later, with the authorities that the other requests of this command trust."""
    try:
        return (
            ssl.create_default_context(capath=bundle)
            if os.path.isdir(bundle)
            else ssl.create_default_context(cafile=bundle)
        )
    except OSError as problem:
        raise ConfigurationError(f"{bundle} holds no certificate authorities in PEM: {problem}.") from None


REQUIREMENTS = (DeploymentRequirement("issuer-certificate", check_certificate),)
