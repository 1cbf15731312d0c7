"""Asking a server that is ours whether it is ready, without ever waiting for it."""

from __future__ import annotations

import contextlib
import socket


class Probe:
    """A GET request, which must be answered 200. A server that is still starting answers late."""

    def __init__(self, port: int, path: str) -> None:
        self._line = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._line.settimeout(1.0)
        with contextlib.suppress(OSError):  # a line that is not there reads as a fault
            self._line.connect(("127.0.0.1", port))
            self._line.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        self._line.setblocking(False)

    def fileno(self) -> int:
        return self._line.fileno()

    def is_good(self) -> bool:
        """To be asked once, when there is something to read."""
        try:
            return self._line.recv(4096).startswith((b"HTTP/1.1 200 ", b"HTTP/1.0 200 "))
        except OSError:
            return False

    def close(self) -> None:
        self._line.close()
