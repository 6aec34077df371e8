"""A proxy in front of a server, which can be told to be sick, or to be another server."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress

ANSWERS = {
    "error": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\nsick",
    "foreign": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
}
"""To any question, in these modes."""


class Proxy:
    """Listens on a port of its own. `mode` is "well", "stall", "reset", "gone" or an answer."""

    def __init__(self, port: int | None = None) -> None:
        self.mode = "well"
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def be(self, mode: str) -> None:
        """Fall ill, or get well; connections that are open are cut."""
        self.mode = mode
        while self._open:
            _close(self._open.pop())

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # or the thread would wait in it for ever
        self._accepting.join()
        self._listener.close()
        self.be("gone")

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        if self.mode == "stall":  # until it is cut
            return
        with suppress(OSError):
            if self.mode == "well":
                self._pass_on(client)
            elif self.mode in ANSWERS:
                client.recv(65536)
                client.sendall(ANSWERS[self.mode])
                client.shutdown(socket.SHUT_WR)
                while client.recv(65536):  # else what was not read would reset the connection
                    pass
            else:  # a reset instead of an orderly end
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
        _close(client)  # also if it was cut in between: a socket without an end is a warning

    def _pass_on(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._port)) as server:
            self._open.append(server)
            threading.Thread(target=_copy, args=(server, client), daemon=True).start()
            _copy(client, server)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        _close(end)


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)  # wakes who waits for it
    connection.close()
