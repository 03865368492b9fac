"""URLs that name several Redis servers."""

import pytest

from flask_private_key_jwt.errors import ConfigurationError
from flask_private_key_jwt.replay.async_loading import load_async_replay_store
from flask_private_key_jwt.replay.loading import load_replay_store
from flask_private_key_jwt.replay.redis_urls import ClusterURL, SentinelURL, read_url


def test_sentinels_and_their_service_are_read():
    url = read_url("redis+sentinel://one,two.example:1234,[::1],[2001:DB8::2]:5/main/3")

    assert url == SentinelURL(
        sentinels=(("one", 26379), ("two.example", 1234), ("::1", 26379), ("2001:db8::2", 5)),
        service="main",
        server="redis://host/3?",
        sentinel="redis://host?",
    )


@pytest.mark.parametrize(
    ("url", "service", "server"),
    [
        ("redis+sentinel://h/main", "main", "redis://host/0?"),
        ("redis+sentinel://h/main/", "main", "redis://host/0?"),
        ("redis+sentinel://h/my%20service%2F1/0", "my service/1", "redis://host/0?"),
        ("rediss+sentinel://h/main", "main", "rediss://host/0?"),
        ("redis+sentinel://u:p%40ss@h/main", "main", "redis://u:p%40ss@host/0?"),
        ("redis+sentinel://:p@ss@h/main", "main", "redis://:p@ss@host/0?"),
        ("redis+sentinel://h/main?socket_timeout=2", "main", "redis://host/0?socket_timeout=2"),
    ],
)
def test_the_service_and_the_way_to_its_master_are_read(url, service, server):
    read = read_url(url)

    assert isinstance(read, SentinelURL)
    assert (read.service, read.server) == (service, server)


def test_sentinels_have_a_user_and_a_password_of_their_own():
    url = read_url(
        "rediss+sentinel://me:mine@h/main?sentinel_username=watch&sentinel_password=a%26b&ssl_ca_certs=/ca.pem"
    )

    assert isinstance(url, SentinelURL)
    assert url.server == "rediss://me:mine@host/0?ssl_ca_certs=%2Fca.pem"
    assert url.sentinel == "rediss://host?username=watch&password=a%26b&ssl_ca_certs=%2Fca.pem"


def test_passwords_are_not_shown():
    for url in ("redis+sentinel://:hunter2@h/main?sentinel_password=hunter3", "redis+cluster://:hunter2@h"):
        assert "hunter" not in repr(read_url(url))


def test_nodes_of_a_cluster_are_read():
    url = read_url("rediss+cluster://u:p@one,two:7000,[::1]:7001/0?socket_timeout=2")

    assert url == ClusterURL(
        nodes=(("one", 6379), ("two", 7000), ("::1", 7001)), server="rediss://u:p@host/0?socket_timeout=2"
    )


HOSTS = "it names no host, or one that is none"
SENTINEL = "Write redis+sentinel://host1,host2,host3/service/0."
CLUSTER = "Write redis+cluster://host1,host2,host3."


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis+sentinel://:hunter2@h", f"it does not name the service that the sentinels watch over. {SENTINEL}"),
        ("redis+sentinel://:hunter2@h/", f"it does not name the service that the sentinels watch over. {SENTINEL}"),
        ("redis+sentinel://:hunter2@h/main/zero", f"its database is not a number. {SENTINEL}"),
        ("redis+sentinel://:hunter2@h/main/0/1", f"its database is not a number. {SENTINEL}"),
        ("redis+sentinel://:hunter2@/main", f"{HOSTS}. {SENTINEL}"),
        ("redis+sentinel://:hunter2@a,,b/main", f"{HOSTS}. {SENTINEL}"),
        ("redis+sentinel://:hunter2@a:b/main", f"{HOSTS}. {SENTINEL}"),
        ("redis+sentinel://:hunter2@a:0/main", f"{HOSTS}. {SENTINEL}"),
        ("redis+sentinel://:hunter2@a:65536/main", f"{HOSTS}. {SENTINEL}"),
        ("redis+sentinel://:hunter2@::1/main", f"{HOSTS}. {SENTINEL}"),
        ("redis+sentinel://:hunter2@[::1/main", f"{HOSTS}. {SENTINEL}"),
        ("redis+sentinel://:hunter2@[1.2.3.4]/main", f"{HOSTS}. {SENTINEL}"),
        ("redis+sentinel://:hunter2@[::g]/main", f"{HOSTS}. {SENTINEL}"),
        (
            "redis+sentinel://:hunter2#@h/main",
            f"it has a space or a # in it, which a URL writes as %20 or %23. {SENTINEL}",
        ),
        ("redis+sentinel://:hunter2/@h/main", f"{HOSTS}. {SENTINEL}"),
        ("redis+cluster://:hunter2@", f"{HOSTS}. {CLUSTER}"),
        ("redis+cluster://:hunter2@a, b", f"it has a space or a # in it, which a URL writes as %20 or %23. {CLUSTER}"),
        ("redis+cluster://:hunter2@a/1", f"a cluster has the database 0 and no other. {CLUSTER}"),
        ("redis+cluster://:hunter2@a/main/0", f"a cluster has the database 0 and no other. {CLUSTER}"),
        ("redis+cluster://:hunter2@a?sentinel_password=x", f"a cluster has no sentinels. {CLUSTER}"),
    ],
)
@pytest.mark.parametrize("load", [load_replay_store, load_async_replay_store])
def test_a_malformed_url_is_an_error_at_the_start_that_says_what_to_write(load, url, why):
    with pytest.raises(ConfigurationError) as refused:
        load(url)

    assert str(refused.value) == f"OAUTH2_REPLAY_STORE is a {url.partition(':')[0]}:// URL, and {why}"
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("load", [load_replay_store, load_async_replay_store])
@pytest.mark.parametrize(
    "url", ["redis+sentinel://h/main?socket_timeout=soon", "redis+cluster://h?socket_timeout=soon"]
)
def test_an_option_that_redis_py_cannot_read_is_an_error_at_the_start(load, url):
    with pytest.raises(ConfigurationError, match="is not a URL that redis-py reads"):
        load(url)


@pytest.mark.parametrize("load", [load_replay_store, load_async_replay_store])
@pytest.mark.parametrize("url", ["redis://h", "unix:///run/redis", "redis+sentinel://h/main", "rediss+cluster://h"])
def test_every_kind_of_redis_may_have_to_wait_for_replicas(load, url):
    load(url, redis_replicas=2)


@pytest.mark.parametrize("load", [load_replay_store, load_async_replay_store])
@pytest.mark.parametrize("setting", ["memory", "sqlite:///x.sqlite", "my_app.stores:Store", object()])
def test_no_other_store_can_wait_for_replicas(load, setting):
    with pytest.raises(ConfigurationError, match="REPLAY_REDIS_REPLICAS is for an OAUTH2_REPLAY_STORE in Redis"):
        load(setting, redis_replicas=1)
