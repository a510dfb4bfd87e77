"""One case's conversation with a server: sends steps, keeps their comparable record, never judges them."""

import datetime
import hashlib
import json
import time

import httpx

from harness.normalise import NIL, Normaliser, utc_now

SHOWN_HEADERS = ("allow", "location", "retry-after", "content-disposition")
JSON = "application/json"
UNSET = object()
# Of a wait for what the server does later; a case that waits in vain shows the answer that it has.
DEADLINE = 120.0


class Absent(dict):
    """Stands for a value that the answer should have had, so that a case runs to its end on any server."""

    def __getitem__(self, key):
        return Absent()

    def __str__(self):
        return NIL

    __format__ = lambda self, _spec: NIL  # noqa: E731

    def __len__(self):
        return 0


class Answer:
    """A parsed answer. `answer["id"]` never raises: a missing value is `Absent`, which prints as the nil UUID."""

    def __init__(self, status: int, body, response: httpx.Response | None = None):
        self.status, self.body, self.response = status, body, response

    def __getitem__(self, key):
        return _dig(self.body, key)

    def __iter__(self):
        return iter(self.body if isinstance(self.body, list) else [])

    def find(self, key, value):
        """The first row of a list answer whose `key` is `value`."""
        for row in self:
            if isinstance(row, dict) and row.get(key) == value:
                return Answer(self.status, row)
        return Answer(self.status, None)


def _dig(body, key):
    try:
        found = body[key]
    except (KeyError, IndexError, TypeError):
        return Absent()
    return Answer(0, found) if isinstance(found, (dict, list)) else found


def plain(value):
    """A body as JSON can carry it: answers and absent values become what they stand for."""
    if isinstance(value, Absent):
        return NIL
    if isinstance(value, Answer):
        return plain(value.body)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


class Session:
    """What a case function receives as `c`."""

    def __init__(self, client: httpx.Client, base_url: str, case: str, salt: str, strict: bool = False, proofs=()):
        self.client = client
        self.base_url = base_url
        self.strict = strict
        self.proofs = proofs
        self.token = hashlib.sha256(case.encode()).hexdigest()[:8]
        replacements = {}
        if salt:
            plain_token = self.token
            self.token = hashlib.sha256((case + salt).encode()).hexdigest()[:8]
            replacements[self.token] = plain_token
        self.normaliser = Normaliser(base_url, replacements, hide_checksums=bool(salt))
        self.steps: list[dict] = []
        self.nil = NIL

    def name(self, base: str) -> str:
        """A name that no other case uses; the same in every run unless salted."""
        return f"{base}-{self.token}"

    def now(self, **delta) -> str:
        """A time relative to now, as clients send it."""
        moment = utc_now() + datetime.timedelta(**delta)
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")

    def get(self, path, **options):
        return self.send("GET", path, **options)

    def post(self, path, body=UNSET, **options):
        return self.send("POST", path, body, **options)

    def patch(self, path, body=UNSET, **options):
        return self.send("PATCH", path, body, **options)

    def put(self, path, body=UNSET, **options):
        return self.send("PUT", path, body, **options)

    def delete(self, path, **options):
        return self.send("DELETE", path, **options)

    def send(self, method, path, body=UNSET, *, raw=None, headers=None, show=None, own=None, sort_by=None, quiet=False, brief=False):
        """Send one request and record its answer.

        `show`: `None` the whole body; a key (or list of keys) a list of those values per row; `"status"` nothing;
        a function of the body. `own`: keep only list rows whose JSON names this case. `sort_by`: rows have no
        promised order. `quiet`: send without recording (set-up that other cases prove). `brief`: of a 422 only type,
        place and message per error, of a success only the status.
        """
        content, sent_headers = self._encode(body, raw, headers)
        response = self._request(method, path, content, sent_headers)
        parsed = _parse(response)
        self.normaliser.note_names(parsed)
        if quiet and response.status_code >= 400 and self.strict:
            raise AssertionError(f"set-up failed: {method} {path} -> {response.status_code} {response.text[:500]}")
        if not quiet:
            if brief:
                parsed, show = _brief(response.status_code, parsed), "status"
            self.steps.append(self._record(method, path, response, parsed, show, own, sort_by))
        return Answer(response.status_code, parsed, response)

    def until(self, wanted, method, path, body=UNSET):
        """Repeat an unrecorded request until `wanted(answer)` holds, for writes that the server does later."""
        end = time.monotonic() + DEADLINE
        content, headers = self._encode(body, None, None)
        while True:
            response = self._request(method, path, content, headers)
            answer = Answer(response.status_code, _parse(response), response)
            if wanted(answer) or time.monotonic() > end:
                return answer
            time.sleep(0.02)

    def ask(self, method, path, body=UNSET):
        """An unrecorded request, for what a case has to see before it goes on."""
        content, headers = self._encode(body, None, None)
        response = self._request(method, path, content, headers)
        return Answer(response.status_code, _parse(response), response)

    def wait(self, holds, seconds=DEADLINE, strict=None):
        """Look again until `holds()`, and answer whether it did; an error when it does not and this is a recording."""
        # A recording is made once, on a machine that may be busy; a replay has to end.
        end = time.monotonic() + seconds * (5 if self.strict else 1)
        while not holds():
            if time.monotonic() > end:
                if self.strict if strict is None else strict:
                    raise AssertionError(f"not seen within {seconds} seconds")
                return False
            time.sleep(0.05)
        return True

    def note(self, title, value):
        """Add a step that is no answer but what a case made of several."""
        self.steps.append({"request": title, "status": 200, "body": self.normaliser.value(json.loads(json.dumps(value)))})

    def _encode(self, body, raw, headers):
        sent = {"accept": "*/*", "user-agent": "contract-suite", **(headers or {})}
        content = raw
        if body is not UNSET:
            content = json.dumps(plain(body), allow_nan=True).encode()
            sent.setdefault("content-type", JSON)
        if isinstance(content, str):
            content = content.encode()
        if content is not None:
            self.normaliser.sent(content.decode(errors="replace"))
        return content, {key: value for key, value in sent.items() if value is not None}

    def _request(self, method, path, content, headers):
        url = self.base_url + path
        asked = utc_now()
        self.normaliser.note_times(path, asked)
        response = self._once(method, url, content, headers)
        for _ in range(3):
            # A busy SQLite makes the reference answer 503 now and then; a 503 that stays is its answer.
            if response.status_code != 503:
                break
            response = self._once(method, url, content, headers)
        self.normaliser.note_times(response.text, asked)
        media_type = response.headers.get("content-type", "").split(";")[0]
        for proof in self.proofs:
            proof.see(method, path, response.status_code, media_type, _parse(response), not response.content)
        return response

    def _once(self, method, url, content, headers):
        try:
            return self.client.request(method, url, content=content, headers=headers)
        except (httpx.ReadError, httpx.RemoteProtocolError):
            # The reference closes the connection after a 500; the next request needs a new one.
            return self.client.request(method, url, content=content, headers={**headers, "connection": "close"})

    def _record(self, method, path, response, parsed, show, own, sort_by):
        seen = parsed
        if isinstance(seen, list) and own:
            seen = [row for row in seen if self.token in json.dumps(row)]
        if isinstance(seen, list) and sort_by:
            seen = sorted(seen, key=lambda row: str(row.get(sort_by) if isinstance(row, dict) else row))
        if show is not None and response.status_code < 400:
            # Through JSON, so that what a case shows looks as it will when read back.
            seen = json.loads(json.dumps(_shown(seen, show)))
        step = {
            "request": f"{method} {self.normaliser.text(path)}",
            "status": response.status_code,
        }
        headers = {key: response.headers[key] for key in SHOWN_HEADERS if key in response.headers}
        if "retry-after" in headers:
            headers["retry-after"] = "<present>"
        kind = response.headers.get("content-type", "")
        if kind != JSON and response.content:
            headers["content-type"] = kind
        if headers:
            step["headers"] = self.normaliser.value(headers)
        if response.content and not (show == "status" and response.status_code < 400):
            step["body"] = self.normaliser.value(seen)
        return step


def _shown(body, show):
    if callable(show):
        return show(body)
    if show == "status":
        return None
    rows = body["results"] if isinstance(body, dict) and "results" in body else body
    if isinstance(rows, list):
        return [_pick(row, show) for row in rows]
    return _pick(rows, show)


def _pick(row, show):
    if isinstance(show, str):
        return row.get(show) if isinstance(row, dict) else row
    return {key: row.get(key, "<absent>") for key in show} if isinstance(row, dict) else row


def _brief(status: int, body):
    details = body.get("exception_detail") if isinstance(body, dict) else None
    if status == 422 and isinstance(details, list):
        return [[error.get("type"), error.get("loc"), error.get("msg")] for error in details]
    return body


def _parse(response: httpx.Response):
    if not response.content:
        return None
    if response.headers.get("content-type", "").startswith(JSON):
        try:
            return json.loads(response.content)
        except ValueError:
            return f"<not JSON> {response.text}"
    return response.text
