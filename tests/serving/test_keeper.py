"""The keeper of a model server, with small programs in the server's place."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from pipelines.serving.folder import ServerFolder
from pipelines.serving.server_log import ServerLog
from tests.serving.kit import until

# what a keeper does around a server, without the server's environment
KEEP = """\
import signal, socket, subprocess, sys
from pathlib import Path
from pipelines.serving.keeper import Keeper
from pipelines.serving.server_log import ServerLog
from pipelines.steps import processes

processes.adopt_orphans()
listening = socket.create_server(("127.0.0.1", 0))
command = [sys.executable, "-c", sys.argv[1], str(listening.fileno())]
server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=[listening.fileno()],
                          preexec_fn=processes.die_with_parent)
port = listening.getsockname()[1]
listening.close()
log = ServerLog(Path(sys.argv[2]) / "log")
keeper = Keeper(server, port=port, model="m", memory_bytes=0, log=log, silence_limit_s=0.5, ready_pause_s=0.02,
                on_ready=lambda: (Path(sys.argv[2]) / "ready").write_text(str(server.pid)),
                is_wanted=(Path(sys.argv[2]) / "log").exists)
signal.signal(signal.SIGTERM, lambda number, frame: keeper.ask_to_stop())
ended = keeper.run()
print(ended.exit_code, ended.words)
"""
SERVER = """\
import os, socket, subprocess, sys, time
listening = socket.socket(fileno=int(sys.argv[1]))
def answer(status):
    line, _ = listening.accept()
    line.recv(1000)
    line.sendall(f"HTTP/1.1 {status} X\\r\\n\\r\\n".encode())
    line.close()
"""


def keep(program: str, folder: Path, act: Callable[[subprocess.Popen[str]], None] = lambda _keeper: None) -> str:
    keeper = start_keeper(program, folder)
    act(keeper)
    words, _ = keeper.communicate(timeout=60)
    return words.strip()


def start_keeper(program: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", KEEP, SERVER + program, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_server_is_ready_once_it_says_so_and_ends_in_peace_when_its_keeper_is_told_to(tmp_path: Path) -> None:
    program = "answer(404)\nanswer(503)\nprint('almost', flush=True)\nwhile True: answer(200)"

    def stop(keeper: subprocess.Popen[str]) -> None:
        until((tmp_path / "ready").exists)
        keeper.terminate()

    assert keep(program, tmp_path, stop) == f"{-signal.SIGTERM} It was told to end."
    assert ServerFolder(tmp_path).log_tail(5) == ("almost",)


def test_a_home_folder_that_is_removed_takes_its_servers_with_it(tmp_path: Path) -> None:
    def remove(_keeper: subprocess.Popen[str]) -> None:
        until((tmp_path / "ready").exists)
        (tmp_path / "log").unlink()

    assert keep("while True: answer(200)", tmp_path, remove) == f"{-signal.SIGTERM} It is wanted no more."


def test_a_server_that_hangs_is_ended(tmp_path: Path) -> None:
    words = keep("answer(200)\ntime.sleep(600)", tmp_path)

    assert words == f"{-signal.SIGTERM} The model server hung: it did not say that it was ready for 0.5 s."


def test_the_last_words_of_a_server_tell_why_it_ended(tmp_path: Path) -> None:
    assert keep("print('no such column')\nsys.exit(1)", tmp_path) == (
        "1 The model server ended with exit code 1. Its last words: no such column"
    )
    assert keep("print('The model could not be loaded: x')\nsys.exit(3)", tmp_path) == (
        "3 The model could not be loaded: x"
    )
    assert keep("os.kill(os.getpid(), 9)", tmp_path) == "-9 The model server was ended by SIGKILL."


def test_what_a_server_started_ends_with_it(tmp_path: Path) -> None:
    keep("print(subprocess.Popen(['sleep', '600'], start_new_session=True).pid)", tmp_path)

    assert not psutil.pid_exists(int(ServerFolder(tmp_path).log_tail(1)[0]))


def test_a_server_does_not_outlive_its_killed_keeper(tmp_path: Path) -> None:
    keeper = start_keeper("while True: answer(200)", tmp_path)
    until(lambda: (tmp_path / "ready").exists() and (tmp_path / "ready").read_text())
    server = int((tmp_path / "ready").read_text())
    keeper.kill()
    keeper.communicate()

    until(lambda: not psutil.pid_exists(server) or psutil.Process(server).status() == psutil.STATUS_ZOMBIE)


def test_a_log_is_masked_and_goes_on_when_it_is_full_with_its_newest_lines_kept(tmp_path: Path) -> None:
    log = ServerLog(tmp_path / "log", limit_bytes=1000)
    for number in range(300):
        log.feed(f"line {number} of https://user:secret-word@example.com\n".encode())
    log.close()

    sizes = [path.stat().st_size for path in (tmp_path / "log", tmp_path / "log.1")]
    assert all(0 < size <= 1000 for size in sizes)
    assert ServerFolder(tmp_path).log_tail(25) == tuple(
        f"line {number} of https://***@example.com" for number in range(275, 300)
    )


def test_the_lock_of_a_folder_tells_whether_its_keeper_lives(tmp_path: Path) -> None:
    folder = ServerFolder(tmp_path)
    with folder.lock() as mine:
        assert mine
        assert folder.is_held
        with folder.lock() as second:
            assert not second
    assert not folder.is_held
    assert not ServerFolder(tmp_path / "none").is_held
