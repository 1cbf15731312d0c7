"""Whose turn it is to write."""

from __future__ import annotations

import threading
from collections.abc import Callable

from bot.store.turn import Turn


def wait_in_line(turn: Turn, name: str, order: list[str], *, urgent: bool) -> threading.Thread:
    """Gives the thread once it stands in line."""

    def write() -> None:
        assert turn.acquire(urgent=urgent, timeout_s=10)
        order.append(name)
        turn.release()

    queue = turn._urgent if urgent else turn._others
    waiting = len(queue)
    thread = threading.Thread(target=write)
    thread.start()
    until(lambda: len(queue) > waiting)
    return thread


def until(happened: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(10_000):
        if happened():
            return
        pause.wait(0.001)
    raise AssertionError("it did not happen")


def test_the_urgent_come_first_and_the_others_in_the_order_in_which_they_came():
    turn, order = Turn(), list[str]()
    assert turn.acquire(urgent=False, timeout_s=1)
    turn._others_had_it_s = float("inf")  # no turn in between is due
    threads = [wait_in_line(turn, name, order, urgent=False) for name in ("first", "second")]
    threads += [wait_in_line(turn, "webhook", order, urgent=True)]

    turn.release()
    for thread in threads:
        thread.join()
    assert order == ["webhook", "first", "second"]


def test_a_flood_of_urgent_writes_leaves_the_others_a_turn_now_and_then():
    turn, order = Turn(), list[str]()
    assert turn.acquire(urgent=True, timeout_s=1)
    threads = [wait_in_line(turn, f"webhook {number}", order, urgent=True) for number in (1, 2)]
    threads += [wait_in_line(turn, "loop", order, urgent=False)]

    turn.release()  # the others never had one
    for thread in threads:
        thread.join()
    assert order == ["loop", "webhook 1", "webhook 2"]


def test_who_waited_too_long_leaves_the_line_and_the_turn_goes_to_the_next():
    turn = Turn()
    assert turn.acquire(urgent=False, timeout_s=1)

    assert not turn.acquire(urgent=True, timeout_s=0.001)
    turn.release()
    assert turn.acquire(urgent=False, timeout_s=1)
