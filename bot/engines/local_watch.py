"""A thread that notices when active runs move, and says so."""

from __future__ import annotations

import os
import selectors
import socket
import threading
from collections.abc import Callable

LOOK_S = 0.2  # how soon a step's change is seen; ends are seen at once, through the run's line
CHECK_ALIVE_EVERY = 5  # looks; for runs of an earlier service, to which no line leads


class Watch:
    """Calls `look(run_id, line_moved)` for every active run, in its own thread; a run for which it gives False is over.

    The other end of a line is held by the run's supervisor alone, so its death shows at once.
    """

    def __init__(self, look: Callable[[str, bool], bool]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._active: dict[str, socket.socket | None] = {}
        self._thread: threading.Thread | None = None
        self._closed = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)

    def add(self, run_id: str, line: socket.socket | None) -> None:
        """Watch a run, once. Takes the line over."""
        with self._lock:
            if self._closed or (run_id in self._active and (line is None or self._active[run_id] is not None)):
                if line is not None:
                    line.close()
                return
            if line is not None:
                line.setblocking(False)
            self._active[run_id] = line
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="engine-watch", daemon=True)
                self._thread.start()
        self._wake()

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            thread = self._thread
        self._wake()
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        for line in self._active.values():
            if line is not None:
                line.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b".")
        except BlockingIOError:
            return  # the pipe is full, so the thread will wake

    def _run(self) -> None:
        looks = 0
        while not self._closed:
            with self._lock:
                active = dict(self._active)
            moved = self._wait(active)
            if self._closed:
                return
            looks += 1
            for run_id, line in active.items():
                due = run_id in moved or (line is None and looks % CHECK_ALIVE_EVERY == 0)
                if not self._look(run_id, due):
                    self._drop(run_id)

    def _wait(self, active: dict[str, socket.socket | None]) -> set[str]:
        """Until a line moves, or it is time to look again. Gives the runs whose lines moved."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_read, selectors.EVENT_READ, None)
            for run_id, line in active.items():
                if line is not None:
                    selector.register(line, selectors.EVENT_READ, run_id)
            ready = selector.select(LOOK_S if active else None)
        moved = set()
        for key, _ in ready:
            if key.data is None:
                os.read(self._wake_read, 4096)
                continue
            moved.add(key.data)
            self._listen(key.data, key.fileobj)  # type: ignore[arg-type]  # a socket: it was registered as one
        return moved

    def _listen(self, run_id: str, line: socket.socket) -> None:
        try:
            if line.recv(4096):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        with self._lock:  # the supervisor has gone
            if self._active.get(run_id) is line:
                self._active[run_id] = None
        line.close()

    def _drop(self, run_id: str) -> None:
        with self._lock:
            line = self._active.pop(run_id, None)
        if line is not None:
            line.close()
