"""A network of loopback servers, for what fetches."""

import pytest

from flask_private_key_jwt.fetching.fetch_target import FetchPolicy
from flask_private_key_jwt.fetching.safe_fetch import SafeFetcher
from tests.servers.https_servers import ADDRESS, HOST, Authority, Network, Server


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def network():
    network = Network()
    network.names[HOST] = [[ADDRESS]]
    return network


@pytest.fixture
def serve(network):
    """Start a server and put it at an address: ``serve(context, address=…, port=443, greets=False)``."""
    started = []

    def serve(context, *, address=ADDRESS, port=443, greets=False):
        server = Server(context, greets=greets)
        started.append(server)
        network.servers[address, port] = server
        return server

    yield serve
    for server in started:
        server.close()


@pytest.fixture
def site(serve, authority):
    """The client's own server, at https://keys.client.example."""
    return serve(authority.server_context(HOST))


@pytest.fixture
def build_fetcher(network, authority):
    """A fetcher on that network, with a short deadline; the policy may be changed."""

    def build(**policy):
        policy = FetchPolicy(**{"timeout_seconds": 2, "ca_bundle": authority.bundle, **policy})
        return SafeFetcher(policy, resolve=network.resolve, connect=network.connect)

    return build


@pytest.fixture
def fetcher(build_fetcher):
    return build_fetcher()
