"""HTTP messages, without sockets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

JSON_TYPE = "application/json;charset=utf-8"

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Request:
    """One request as it arrived. Header names are in lowercase."""

    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> str:
        return urlsplit(self.target).query

    def header(self, name: str) -> str:
        """The first header with that (lowercase) name, or the empty string."""
        return next((value for key, value in self.headers if key == name), "")

    def parameter(self, name: str) -> str:
        """The first query parameter with that name, or the empty string."""
        return parse_qs(self.query, keep_blank_values=True).get(name, [""])[0]

    def form(self) -> dict[str, str]:
        """The fields of a URL-encoded form body; empty for any other body."""
        if not self.header("content-type").lower().startswith("application/x-www-form-urlencoded"):
            return {}
        fields = parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return {name: values[0] for name, values in fields.items()}

    def authorization(self) -> tuple[str, str]:
        """The scheme and credentials of the Authorization header; empty strings if it is absent."""
        scheme, _, credentials = self.header("authorization").partition(" ")
        return scheme, credentials.strip()


@dataclass(frozen=True)
class Response:
    """One response before it becomes bytes."""

    status: int
    body: bytes = b""
    headers: Headers = field(default=())

    @classmethod
    def json(cls, status: int, content: Any, *headers: tuple[str, str]) -> Response:
        """A JSON response."""
        body = json.dumps(content, separators=(",", ":")).encode()
        return cls(status, body, (("Content-Type", JSON_TYPE), *headers))

    def with_headers(self, *headers: tuple[str, str]) -> Response:
        return Response(self.status, self.body, (*self.headers, *headers))

    def head(self, content_length: int | None = None) -> bytes:
        """The status line and headers. A 204 has no length unless one is given; an explicit framing header wins."""
        lines = [f"HTTP/1.1 {self.status} {_reason(self.status)}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        own_framing = {"content-length", "transfer-encoding"} & {name.lower() for name, _ in self.headers}
        if content_length is None and self.status not in (204, 304):
            content_length = len(self.body)
        if content_length is not None and not own_framing:
            lines.append(f"Content-Length: {content_length}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def encode(self) -> bytes:
        """The complete response as the bytes of one write."""
        return self.head() + self.body


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
