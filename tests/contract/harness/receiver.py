"""Receives what a server under test sends out: webhooks and notifications. Keeps each request and takes it."""

import contextlib
import http.server
import json
import threading

KEPT_HEADERS = ("content-type", "x-kept")


class _Handler(http.server.BaseHTTPRequestHandler):
    def _take(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode(errors="replace")
        with contextlib.suppress(ValueError):
            body = json.loads(body)
        headers = {name: self.headers[name] for name in KEPT_HEADERS if name in self.headers}
        self.server.taken.append({"request": f"{self.command} {self.path}", "headers": headers, "body": body})
        answer = b"taken"
        # Without a date and a server's name, which would be others each time.
        self.send_response_only(200)
        self.send_header("content-type", "text/plain")
        self.send_header("x-kept", "yes")
        self.send_header("x-prefect-hidden", "yes")
        self.send_header("authorization", "secret")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _take  # noqa: N815

    def log_message(self, *_):
        """Says nothing: what came is shown by the case."""


@contextlib.contextmanager
def receiving():
    """Yields the address and the list of requests that came."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.taken = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.taken
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
