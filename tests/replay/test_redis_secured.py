"""Sentinels and clusters behind TLS and passwords."""

import asyncio
import gc
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from flask_private_key_jwt.errors import StoreUnavailable
from flask_private_key_jwt.replay.async_loading import load_async_replay_store
from flask_private_key_jwt.replay.base import Replayed
from flask_private_key_jwt.replay.loading import load_replay_store
from tests.servers.https_servers import Authority
from tests.servers.ports import free_port
from tests.servers.redis_groups import STATE, Server, find_redis, wait_until

pytestmark = [
    pytest.mark.skipif(find_redis() is None, reason="no Redis is installed"),
    # asyncio closes the socket of a failed handshake a moment later; the loop of such a test may have ended then.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PASSWORD, OF_SENTINEL = "p@ss:word/1", "another one"


class Secured:
    """A master that wants TLS and a password, a sentinel that wants another password, and a node of a cluster."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        authority.server_context("127.0.0.1", "localhost")
        certificate = str(next(path for path in folder.glob("*.pem") if path.name != "root.pem"))
        self.bundle = authority.bundle
        tls = ["--tls-cert-file", certificate, "--tls-key-file", certificate, "--tls-ca-cert-file", authority.bundle]
        tls += ["--tls-auth-clients", "no", "--tls-replication", "yes"]
        secured = [*tls, "--requirepass", PASSWORD]
        self.ports = {name: free_port() for name in ("master", "sentinel", "node")}
        self.master = Server(folder, ["--tls-port", str(self.ports["master"]), *secured], password=PASSWORD)
        self.sentinel = Server(
            folder,
            ["--sentinel", "--tls-port", str(self.ports["sentinel"]), *tls, "--requirepass", OF_SENTINEL],
            configuration=f"sentinel monitor main 127.0.0.1 {self.ports['master']} 1\n"
            f'sentinel auth-pass main "{PASSWORD}"\n'
            "sentinel down-after-milliseconds main 120000\n",
            password=OF_SENTINEL,
        )
        cluster = ["--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-port", str(free_port())]
        self.node = Server(folder, ["--tls-port", str(self.ports["node"]), *secured, *cluster], password=PASSWORD)

    def start(self) -> None:
        self.master.start()
        self.master.ask("HSET", STATE, "epoch", "tests", "server", self.master.info("server")["run_id"], "since", 0)
        self.node.start()
        self.node.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        self.sentinel.start()
        home = STATE + ":{@@@@}"
        run_id = self.node.info("server")["run_id"]
        wait_until(
            lambda: self.node.ask("HSET", home, "epoch", "tests", "server", run_id, "since", 0) is not None,
            "the cluster does not come up",
        )

    def url(self, kind: str, *, password: str = PASSWORD, of_sentinel: str = OF_SENTINEL, trusts: bool = True) -> str:
        ca = f"&ssl_ca_certs={quote(self.bundle, safe='')}" if trusts else ""
        account = f":{quote(password, safe='')}@"
        if kind == "cluster":
            return f"rediss+cluster://{account}127.0.0.1:{self.ports['node']}?socket_timeout=10{ca}"
        hosts = f"127.0.0.1:{self.ports['sentinel']}"
        more = f"sentinel_password={quote(of_sentinel)}&socket_timeout=10{ca}"
        return f"rediss+sentinel://{account}{hosts}/main/0?{more}"

    def end(self) -> None:
        for server in (self.sentinel, self.master, self.node):
            if not server.has_ended():
                server.kill()


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    with tempfile.TemporaryDirectory() as name:
        servers = Secured(Path(name))
        try:
            servers.start()
            yield servers
        finally:
            servers.end()


def use(url, *marks):
    """What becomes of marks, by a store for threads."""
    store = load_replay_store(url)
    try:
        for mark in marks:
            store.remember([mark])
    finally:
        store.close()


def use_in_loop(url, *marks):
    """The same by a store for event loops."""

    async def use_all():
        store = load_async_replay_store(url)
        try:
            for mark in marks:
                await store.remember([mark])
        finally:
            await store.close()
            for _ in range(20):  # what was cut off is closed in one of the next turns
                await asyncio.sleep(0)

    try:
        asyncio.run(use_all())
    finally:
        gc.collect()  # what is left to warn of is warned of here


@pytest.mark.parametrize("use", [use, use_in_loop])
@pytest.mark.parametrize("kind", ["sentinel", "cluster"])
def test_a_mark_counts_once_behind_tls_and_passwords(secured, mark, kind, use):
    use(secured.url(kind), mark("first"), mark("second"))

    with pytest.raises(Replayed):
        use(secured.url(kind), mark("second"))


@pytest.mark.parametrize("use", [use, use_in_loop])
@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("sentinel", {"password": "wrong"}),
        ("sentinel", {"of_sentinel": "wrong"}),
        ("sentinel", {"trusts": False}),
        ("cluster", {"password": "wrong"}),
        ("cluster", {"trusts": False}),
    ],
)
def test_with_a_wrong_password_or_an_unknown_certificate_nothing_counts(secured, mark, kind, wrong, use):
    with pytest.raises(StoreUnavailable) as refused:
        use(secured.url(kind, **wrong), mark())

    assert refused.value.reason.startswith("redis: ")
    assert "wrong" not in refused.value.reason
