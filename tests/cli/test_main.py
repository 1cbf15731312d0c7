"""The command line as a whole: what it lists, what it says to a slip, and the codes it ends with."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bot import cli
from bot.cli import COMMANDS, main
from bot.domain.errors import TransientError, UserError


def run(*arguments: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["mlops-bot", *arguments])
    with pytest.raises(SystemExit) as raised:
        main()
    captured = capsys.readouterr()
    return raised.value.code or 0, captured.out, captured.err  # type: ignore[return-value]  # a number or None here


def test_help_lists_every_command_with_what_it_does(capsys, monkeypatch):
    code, out, _ = run("--help", capsys=capsys, monkeypatch=monkeypatch)

    assert code == 0
    for name, (_, words) in COMMANDS.items():
        assert f"  {name} " in out
        assert words.split()[0] in out


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name: str, capsys, monkeypatch):
    code, out, err = run(name, "--help", capsys=capsys, monkeypatch=monkeypatch)

    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: mlops-bot {name} ")


def test_a_slip_is_answered_with_the_nearest_command(capsys, monkeypatch):
    code, _, err = run("sreve", capsys=capsys, monkeypatch=monkeypatch)

    assert code == 2
    assert "There is no command `sreve`. Did you mean `serve`? See `mlops-bot --help`." in err


def test_a_wrong_option_ends_with_2_and_says_which(capsys, monkeypatch):
    code, _, err = run("serve", "--prot", "1", capsys=capsys, monkeypatch=monkeypatch)

    assert code == 2
    assert "No such option" in err
    assert "--prot" in err


def raising(error: BaseException):
    def fail(**_arguments: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UserError("It is not there.", "Look elsewhere."), 2, "error: It is not there.\n  fix: Look elsewhere.\n"),
        (TransientError("The forge is away."), 75, "error: The forge is away.\n"),
        (KeyboardInterrupt(), 130, "aborted\n"),
    ],
)
def test_each_kind_of_end_has_its_code_and_its_words(error, code: int, words: str, capsys, monkeypatch):
    monkeypatch.setattr(cli.group, "main", raising(error) if not isinstance(error, KeyboardInterrupt) else _aborted)
    monkeypatch.setattr(sys, "argv", ["mlops-bot"])

    with pytest.raises(SystemExit) as raised:
        main()

    assert raised.value.code == code
    assert capsys.readouterr().err == words


def _aborted(**_arguments: object) -> None:
    """As click does with Ctrl-C."""
    raise cli.click.Abort


def test_help_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['mlops-bot', '--help']\n"
        "from bot.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'kfp', 'dvc', 'sqlalchemy', 'fastapi', 'git', 'jinja2', 'fsspec', 'uvicorn'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.stderr == "[]\n"


def test_a_reader_who_has_enough_gets_no_traceback():
    command = f"{sys.executable} -c 'from bot.cli import main; main()' --help | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)

    assert done.stderr == ""
