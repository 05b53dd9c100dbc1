"""A real HTTP server in a thread that speaks as Ollama and OpenAI do, and misbehaves as it is asked to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["Asked"], None]


class Asked(BaseHTTPRequestHandler):
    """One request; `server.script` says how the next ones are answered, then all are answered well."""

    server: Service

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.requests.append({"path": self.path, "token": self.headers.get("Authorization"), **body})
            behaviour = self.server.script.pop(0) if self.server.script else None
        if behaviour is not None:
            behaviour(self)
        else:
            self.answer_well(body["input"])

    def answer_well(self, texts: list[str], dimensions: int = 4) -> None:
        vectors = [[float(len(text)), 1.0, *[0.0] * (dimensions - 2)] for text in texts]
        if self.path.endswith("/api/embed"):
            self.say(200, {"embeddings": vectors})
        else:
            data = [{"index": place, "embedding": vector} for place, vector in enumerate(vectors)]
            self.say(200, {"data": data[::-1]})  # services may answer in any order

    def say(self, status: int, content: Any, **headers: str) -> None:
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


class Service(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.lock = threading.Lock()
        self.requests: list[dict[str, Any]] = []
        self.script: list[Behaviour] = []
        self.release = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


def status(code: int, **headers: str) -> Behaviour:
    return lambda asked: asked.say(code, {"error": "no"}, **headers)


def cut(asked: Asked) -> None:
    """Promises more than it sends, then hangs up."""
    asked.send_response(200)
    asked.send_header("Content-Length", "1000")
    asked.end_headers()
    asked.wfile.write(b'{"data": [')
    asked.wfile.flush()
    asked.close_connection = True


def hang_up(asked: Asked) -> None:
    asked.close_connection = True
    asked.connection.close()


def silent(asked: Asked) -> None:
    """Says nothing until the test lets it go."""
    asked.server.release.wait(30)


def content(value: Any) -> Behaviour:
    return lambda asked: asked.say(200, value)


def of_dimensions(count: int) -> Behaviour:
    return lambda asked: asked.answer_well(["x"], count)
