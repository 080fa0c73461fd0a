"""A web server that answers, or misbehaves, as a test says; and names that lead where a test says."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

GIVES_UP = 10  # seconds; far beyond each limit that a test sets
TLS_HELLO = b"\x16\x03"
real_getaddrinfo = socket.getaddrinfo


@dataclass
class Request:
    line: str
    headers: dict[str, str]
    came_to: str  # the address that was connected to

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]


@dataclass
class Server:
    port: int
    requests: list[Request] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    connections: list[socket.socket] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "public.example", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    def drip(self, connection: socket.socket, data: bytes, seconds: float = 0.02) -> None:
        """Send a byte now and then, for as long as the test lasts."""
        for _ in range(round(GIVES_UP / seconds)):
            if self.stopped.wait(seconds):
                return
            connection.sendall(data)


Answer = Callable[[Server, socket.socket, Request], None]


def reply(body: bytes = b"", status: str = "200 OK", *, length: int | None = None, **headers: str) -> Answer:
    """Answer so. Underscores in the headers' names are hyphens; content is HTML unless content_type says otherwise.

    length: what is claimed in place of the body's own length.
    """

    def answer(server: Server, connection: socket.socket, request: Request) -> None:
        given = {"content_type": "text/html", **headers, "content_length": str(len(body) if length is None else length)}
        lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items() if value]
        connection.sendall(f"HTTP/1.1 {status}\r\n{''.join(lines)}\r\n".encode() + body)
        if length is not None:
            server.stopped.wait(GIVES_UP)

    return answer


def redirect(location: str, status: str = "302 Found") -> Answer:
    return reply(b"", status, location=location)


@contextmanager
def serving(answers: Answer | dict[str, Answer], certificate: Path | None = None) -> Iterator[Server]:
    """A server on every address of this computer that answers all paths alike, or each its own way."""
    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)

    def talk(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            request = read_request(connection)
            server.requests.append(request)
            answer = answers[request.path] if isinstance(answers, dict) else answers
            answer(server, connection, request)

    def accept() -> None:
        with suppress(OSError):  # closed at the end
            while True:
                connection = listener.accept()[0]
                server.connections.append(connection)
                threading.Thread(target=secured, args=(connection,), daemon=True).start()

    def secured(connection: socket.socket) -> None:
        with suppress(OSError):
            talk(tls.wrap_socket(connection, server_side=True) if tls else connection)

    with socket.create_server(("", 0)) as listener:
        server = Server(listener.getsockname()[1])
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stopped.set()
            for connection in server.connections:
                connection.close()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(GIVES_UP)


def read_request(connection: socket.socket) -> Request:
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        more = connection.recv(4096)
        if not more:
            raise OSError("went away without asking")
        data += more
        if data.startswith(TLS_HELLO):
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            raise OSError("speaks TLS")
    line, *lines = data.decode("latin-1").split("\r\n")
    headers = dict(one.lower().split(": ", 1) for one in lines if one)
    return Request(line, headers, connection.getsockname()[0])


class Names:
    """Stands in for socket.getaddrinfo: the addresses of a name, or several answers that it gives one after another."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, list[list[str]]] = {}

    def set(self, name: str, *answers: list[str]) -> None:
        self.answers[name] = list(answers)

    def __call__(self, host: str, port: int, *args, **options) -> list[tuple]:
        self.asked.append(host)
        answers = self.answers.get(host)
        if answers is None:
            # No test asks a name server: what is no name is spelled out, what is one is not known.
            return real_getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [found for address in addresses for found in real_getaddrinfo(address, port, type=socket.SOCK_STREAM)]


def self_signed(folder: Path, host: str) -> Path:
    """A certificate for the host, with its key, that only itself vouches for."""
    file = folder / "certificate.pem"
    make = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={host} -addext subjectAltName=DNS:{host}"
    subprocess.run([*make.split(), "-keyout", folder / "key.pem", "-out", file], check=True, capture_output=True)
    file.write_text(file.read_text() + (folder / "key.pem").read_text())
    return file
