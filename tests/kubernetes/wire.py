"""A wire between a worker and an API server, on a port of its own: it can be cut, joined again, and led to another API server."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path


class Wire:
    """Forwards bytes. What it forwards is cut at once when it is cut or led elsewhere; new connections are then refused, or go there."""

    def __init__(self, port: int) -> None:
        self.target: int | None = port
        self.lock = threading.Lock()
        self.open: set[socket.socket] = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def kubeconfig(self, original: Path, folder: Path) -> Path:
        """The same as `original`, through this wire."""
        host = "https://127.0.0.1:"
        before, _, rest = original.read_text().partition(host)
        path = folder / f"wire-{self.port}.kubeconfig"
        path.write_text(before + host + str(self.port) + rest.lstrip("0123456789"))
        return path

    def lead(self, port: int | None) -> None:
        """Where new connections go from now on; `None`: nowhere."""
        with self.lock:
            self.target = port
            ending = list(self.open)
        for end in ending:
            self.end(end)

    def close(self) -> None:
        self.lead(None)
        self.listener.close()

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self.listener.accept()
                threading.Thread(target=self.forward, args=(here,), daemon=True).start()

    def forward(self, here: socket.socket) -> None:
        with self.lock:
            target = self.target
        try:
            if target is None:
                raise ConnectionRefusedError
            there = socket.create_connection(("127.0.0.1", target), timeout=5)
            there.settimeout(None)
        except OSError:
            return here.close()
        with self.lock:
            self.open |= {here, there}
            stays = self.target == target
        if not stays:
            self.end(here)
            self.end(there)
        back = threading.Thread(target=self.pump, args=(there, here), daemon=True)
        back.start()
        self.pump(here, there)
        back.join()
        with self.lock:
            self.open -= {here, there}
        for end in (here, there):
            end.close()

    @staticmethod
    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def end(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
