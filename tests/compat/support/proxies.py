"""A loopback proxy that hides the worker channel: what a worker meets at a server, or behind a gateway, without it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

REFUSAL = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@contextmanager
def without_worker_channel(url: str) -> Iterator[tuple[str, list[str]]]:
    """The URL of a proxy to `url`, and the list of the request lines that it refused."""
    upstream = urlsplit(url)
    refused: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=carry, args=(client,), daemon=True).start()

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

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}{upstream.path}", refused
    finally:
        listener.close()


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
