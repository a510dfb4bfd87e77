"""The Kubernetes API for measuring: kept-alive requests in JSON, and a watch that notes when what came. Knows nothing of runs."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import yaml


class Api:
    """One thread's connection to the API server, as the administrator."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.place = cluster["server"].removeprefix("https://")
        self.context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        self.headers = {"Content-Type": "application/json"}
        if "token" in user:
            self.headers["Authorization"] = f"Bearer {user['token']}"
        else:
            with tempfile.NamedTemporaryFile() as both:
                both.write(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
                both.flush()
                self.context.load_cert_chain(both.name)
        self.connection = self.connect()

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self.place, context=self.context, timeout=600)

    def raw(self, method: str, path: str, body: object = None) -> bytes:
        data = None if body is None else json.dumps(body)
        for last in (False, True):
            try:
                self.connection.request(method, path, data, self.headers)
                answer = self.connection.getresponse()
                text = answer.read()
                break
            except (OSError, http.client.HTTPException):
                self.connection.close()
                if last:
                    raise
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300].decode(errors='replace')}")
        return text

    def __call__(self, method: str, path: str, body: object = None) -> dict:
        return json.loads(self.raw(method, path, body))

    def items(self, path: str) -> list[dict]:
        found, more = [], ""
        while True:
            page = self("GET", f"{path}{'&' if '?' in path else '?'}limit=500&continue={more}")
            found += page["items"]
            more = page["metadata"].get("continue", "")
            if not more:
                return found

    def watch(self, path: str, each: Callable[[str, dict, float], None]) -> threading.Event:
        """Calls `each` with the kind, the object and the time of every change from now on, in a thread, until the event is set."""
        version = self("GET", f"{path}?limit=1")["metadata"]["resourceVersion"]
        done = threading.Event()

        def read() -> None:
            nonlocal version
            while not done.is_set():
                connection = self.connect()
                with contextlib.suppress(OSError, http.client.HTTPException):
                    connection.request("GET", f"{path}?watch=1&allowWatchBookmarks=true&resourceVersion={version}", headers=self.headers)
                    for line in connection.getresponse():
                        change, now = json.loads(line), time.time()
                        if change["type"] == "ERROR":
                            break
                        version = change["object"]["metadata"]["resourceVersion"]
                        if change["type"] != "BOOKMARK":
                            each(change["type"], change["object"], now)
                        if done.is_set():
                            break
                connection.close()

        threading.Thread(target=read, daemon=True).start()
        return done
