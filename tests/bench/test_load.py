"""The load generator: each request once, its answer in its place."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from bench.load import Answer, NoAnswer, send_all


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[bytes], list[bytes]]], tuple[str, int]]]:
    """Start a server that answers a request (one line) by some pieces, and closes after a piece that is empty."""
    listeners: list[socket.socket] = []

    def serve(answer: Callable[[bytes], list[bytes]]) -> tuple[str, int]:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=accept, args=(listener, answer), daemon=True).start()
        return listener.getsockname()

    def accept(listener: socket.socket, answer: Callable[[bytes], list[bytes]]) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # the test is over
                return
            threading.Thread(target=talk, args=(connection, answer), daemon=True).start()

    def talk(connection: socket.socket, answer: Callable[[bytes], list[bytes]]) -> None:
        with connection, connection.makefile("rb") as requests:
            for request in requests:
                for piece in answer(request.strip()):
                    if not piece:
                        return
                    connection.sendall(piece)

    yield serve
    for listener in listeners:
        listener.close()


def build_answer(body: bytes, *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", body])


@pytest.mark.parametrize("connections", [1, 4, 50])
def test_each_request_is_sent_once_and_answers_stand_in_the_order_of_the_requests(serve, connections):
    seen: list[bytes] = []

    def answer(request: bytes) -> list[bytes]:
        seen.append(request)
        return [build_answer(request)]

    requests = [b"%d\n" % number for number in range(20)]
    answers = send_all(serve(answer), requests, connections=connections)

    assert answers == [Answer(200, b"%d" % number) for number in range(20)]
    assert sorted(seen, key=int) == [request.strip() for request in requests]


def test_an_answer_may_come_in_pieces(serve):
    def answer(request: bytes) -> list[bytes]:
        whole = build_answer(b"in pieces")
        return [whole[:10], whole[10:-4], whole[-4:]]

    assert send_all(serve(answer), [b"one\n"], connections=1) == [Answer(200, b"in pieces")]


def test_a_server_that_closes_after_each_answer_is_connected_to_again(serve):
    address = serve(lambda request: [build_answer(request, b"Connection: close"), b""])

    assert send_all(address, [b"one\n", b"two\n"], connections=1) == [Answer(200, b"one"), Answer(200, b"two")]


def test_a_connection_that_breaks_off_is_no_answer(serve):
    with pytest.raises(NoAnswer):
        send_all(serve(lambda request: [build_answer(b"cut off")[:-3], b""]), [b"one\n"], connections=1)
