"""Real HTTPS servers on loopback, with a certificate chain of their own making, and the network that leads there.

No name is looked up and nothing but loopback is connected to: :class:`Network` stands in for both, and holds the
code under test to the addresses it has checked.
"""

import contextlib
import datetime
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.servers.listener import Listener, read_head

HOST = "keys.client.example"
ADDRESS = "93.184.215.14"
URL = f"https://{HOST}/jwks.json"
DAY = datetime.timedelta(days=1)


class Authority:
    """root -> intermediate -> leaf; ``root.pem`` is what a client trusts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._root = _Issuer("Test Root", None)
        self._intermediate = _Issuer("Test Intermediate", self._root)
        self.bundle = str(folder / "root.pem")
        Path(self.bundle).write_bytes(self._root.certificate.public_bytes(Encoding.PEM))

    def server_context(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """What a server needs to answer for *names*."""
        key = ec.generate_private_key(ec.SECP256R1())
        until = _now() - DAY if expired else _now() + DAY
        leaf = self._intermediate.issue(
            names[0],
            key,
            until=until,
            extensions=[
                x509.SubjectAlternativeName([_alternative(name) for name in names]),
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
            ],
        )
        path = self._folder / f"{leaf.serial_number:x}.pem"
        path.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + leaf.public_bytes(Encoding.PEM)
            + self._intermediate.certificate.public_bytes(Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


class _Issuer:
    def __init__(self, name: str, parent: "_Issuer | None") -> None:
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        extensions = [x509.BasicConstraints(ca=True, path_length=None), usage]
        self.certificate = (parent or self).issue(name, self._key, until=_now() + DAY, extensions=extensions)

    def issue(self, name, key, *, until, extensions):
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_now() - 2 * DAY)
            .not_valid_after(until)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self._key, SHA256())


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def answer(
    body: bytes, *headers: str, status: str = "200 OK", content_type: str | None = "application/json"
) -> list[bytes]:
    """One whole HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    return ["\r\n".join([*lines, "", ""]).encode() + body]


class Server:
    """Sends ``pieces`` to whoever has sent a request head; a number among them is a pause in seconds.

    :param context: TLS; ``None``: plain HTTP.
    :param greets: Send without waiting for a request, and without TLS.
    """

    def __init__(self, context: ssl.SSLContext | None, *, greets: bool = False) -> None:
        self.pieces: Iterable[bytes | float] = answer(b'{"keys": []}')
        self.requests: list[str] = []
        self.server_names: list[str | None] = []
        self._context = context
        self._greets = greets
        if context is not None:
            context.sni_callback = lambda _socket, name, _context: self.server_names.append(name)
        self._listener = Listener(self._serve)
        self.port = self._listener.port

    def close(self) -> None:
        self._listener.close()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.ExitStack() as stack:
            if self._context is not None and not self._greets:
                connection = stack.enter_context(self._context.wrap_socket(connection, server_side=True))
            if not self._greets:
                self.requests.append(read_head(connection))
            for piece in self.pieces:
                if self._listener.ended.is_set():
                    return
                if isinstance(piece, bytes):
                    connection.sendall(piece)
                else:
                    self._listener.ended.wait(piece)


class Network:
    """What names resolve to, and which loopback port an address leads to."""

    def __init__(self) -> None:
        self.names: dict[str, list[list[str]]] = {}
        """Host -> its answers, one after the other; the last one stays."""
        self.servers: dict[tuple[str, int], Server] = {}
        self.lookups: list[tuple[str, int]] = []
        self.connections: list[tuple[str, int]] = []

    def resolve(self, host: str, port: int) -> list[str]:
        self.lookups.append((host, port))
        answers = self.names.get(host)
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def connect(self, address: str, port: int, timeout: float) -> socket.socket:
        self.connections.append((address, port))
        server = self.servers.get((address, port))
        if server is None:
            raise ConnectionRefusedError(111, "Connection refused")
        return socket.create_connection(("127.0.0.1", server.port), timeout)
