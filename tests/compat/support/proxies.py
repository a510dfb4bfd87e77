"""Loopback proxies: one hides the worker channel, which is what a worker meets at a server, or behind a gateway, without it; one
keeps an answer to itself."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

REFUSAL = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@contextmanager
def without_worker_channel(url: str) -> Iterator[tuple[str, list[str]]]:
    """The URL of a proxy to `url`, and the list of the request lines that it refused."""
    upstream = urlsplit(url)
    refused: list[str] = []

    def carry(client: socket.socket) -> None:
        # A socket is opened for the channel and for nothing else, so the first request tells what the connection is for.
        with client:
            first = client.recv(65536)
            request = first.split(b"\r\n", 1)[0].decode(errors="replace")
            if "/workers/connect" in request:
                refused.append(request)
                client.sendall(REFUSAL)
                return
            with socket.create_connection((upstream.hostname, upstream.port)) as server:
                server.sendall(first)
                back = threading.Thread(target=pump, args=(server, client), daemon=True)
                back.start()
                pump(client, server)
                back.join()

    with listening(carry) as port:
        yield f"http://127.0.0.1:{port}{upstream.path}", refused


@contextmanager
def listening(carry: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port whose connections are carried, each in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=carry, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@contextmanager
def holding_the_answer(url: str, holds: Callable[[bytes], bool]) -> Iterator[tuple[str, threading.Event]]:
    """The URL of a proxy to `url` that keeps the answer to the first request that `holds` says yes to, and an event that is set once
    the server has given that answer. One request a connection, whatever clients ask for."""
    upstream = urlsplit(url)
    held = threading.Event()

    def carry(client: socket.socket) -> None:
        with client:
            request = whole_request(client)
            if not request:
                return
            with socket.create_connection((upstream.hostname, upstream.port)) as server:
                head, _, body = request.partition(b"\r\n\r\n")
                server.sendall(head + b"\r\nConnection: close\r\n\r\n" + body)
                answer = b"".join(iter(lambda: server.recv(65536), b""))
            if not held.is_set() and holds(request):
                held.set()
                # Nothing comes but the end of whoever waits.
                client.recv(1)
                return
            client.sendall(answer)

    with listening(carry) as port:
        yield f"http://127.0.0.1:{port}{upstream.path}", held


def whole_request(client: socket.socket) -> bytes:
    """A request of known length, or nothing if the client ends before."""
    request = b""
    while True:
        head, end, body = request.partition(b"\r\n\r\n")
        if end:
            lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            if len(body) >= int(lengths[0] if lengths else 0):
                return request
        try:
            more = client.recv(65536)
        except OSError:
            return b""
        if not more:
            return b""
        request += more
