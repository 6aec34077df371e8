"""A proxy in front of a server, which can be told to be sick: to stall, reset or answer 500."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress

ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\nConnection: close\r\n\r\nsick"


class Proxy:
    """Listens on a port of its own. `mode` is "well", "stall", "reset", "error" or "gone"."""

    def __init__(self, port: int | None = None) -> None:
        self.mode = "well"
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def be(self, mode: str) -> None:
        """Fall ill, or get well; connections that are open are cut."""
        self.mode = mode
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        self.be("gone")
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        if self.mode == "well":
            server = socket.create_connection(("127.0.0.1", self._port))
            self._open.append(server)
            threading.Thread(target=_copy, args=(server, client), daemon=True).start()
            _copy(client, server)
        elif self.mode == "error":
            with suppress(OSError):
                client.recv(65536)
                client.sendall(ERROR)
                client.close()
        elif self.mode != "stall":
            # a reset instead of an orderly end
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.close()
