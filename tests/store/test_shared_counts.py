"""Do nodes count together in a real Redis, and is one that is gone or silent told within its time?"""

from __future__ import annotations

import socket
import time

import pytest

from app.settings import InvalidSettings
from app.store.shared_counts import TIMEOUT, SharedCounts
from tests.support.redis import a_redis
from tests.support.world import eventually, free_port
from tokenserver.errors import Unavailable


@pytest.fixture(scope="module")
def one_redis(tmp_path_factory):
    """It takes seconds to end."""
    server = a_redis(tmp_path_factory.mktemp("redis"), free_port())
    yield server
    server.shutdown(nosave=True)


@pytest.fixture
def redis(one_redis):
    one_redis.flushall()
    return one_redis


@pytest.fixture
def url(redis):
    return f"redis://127.0.0.1:{redis.server_config['port']}/0"


def test_counts_add_up_across_connections(url):
    first, second = SharedCounts(url), SharedCounts(url)
    assert first.add([("a", 2, 60), ("b", 1, 60)]) == {"a": 2, "b": 1}
    assert second.add([("a", 3, 60)]) == {"a": 5}


def test_counts_expire_by_themselves(url, redis):
    SharedCounts(url).add([("a", 1, 60)])
    (key,) = redis.keys()
    assert 0 < redis.ttl(key) <= 60


def test_a_unix_socket_will_do(redis):
    assert SharedCounts(f"unix://{redis.socket_file}?db=0").add([("a", 1, 60)]) == {"a": 1}


def test_nothing_is_added_for_nothing(url):
    assert SharedCounts(url).add([]) == {}


def test_one_that_is_gone_is_told_at_once(tmp_path):
    port = free_port()
    gone = a_redis(tmp_path, port)
    shared = SharedCounts(f"redis://127.0.0.1:{port}")
    shared.add([("a", 1, 60)])
    gone.shutdown(nosave=True)
    with pytest.raises(Unavailable):
        shared.add([("a", 1, 60)])


def test_one_that_is_silent_is_waited_for_no_longer_than_said():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        shared = SharedCounts(f"redis://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(Unavailable):
            shared.add([("a", 1, 60)])
        assert time.monotonic() - began < 20 * TIMEOUT + 1  # a busy machine; the default would be seconds, three times


def test_one_that_comes_back_is_used_again(tmp_path):
    port = free_port()
    shared = SharedCounts(f"redis://127.0.0.1:{port}")
    with pytest.raises(Unavailable):
        shared.add([("a", 1, 60)])
    server = a_redis(tmp_path, port)
    try:
        assert eventually(lambda: answer_of(shared), "it answers") == {"a": 1}
    finally:
        server.shutdown(nosave=True)


def answer_of(shared):
    try:
        return shared.add([("a", 1, 60)])
    except Unavailable:
        return None


def test_no_password_is_in_an_error():
    with pytest.raises(InvalidSettings) as refused:
        SharedCounts("redis://:hunter2@[broken")
    assert "hunter2" not in str(refused.value)
    with pytest.raises(Unavailable) as lost:
        SharedCounts(f"redis://:hunter2@127.0.0.1:{free_port()}").add([("a", 1, 60)])
    assert "hunter2" not in f"{lost.value!r} {lost.value.detail}"
