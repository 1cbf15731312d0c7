"""The command line: one file per subcommand, loaded when it is used, so that `--help` answers at once."""

from __future__ import annotations

import importlib
import os
import sys
from importlib.metadata import version

import click

from bot.domain.errors import TransientError, UserError

# name: (module, what it does)
COMMANDS = {
    "demo": ("bot.cli.demo", "Show the whole loop on two sample repositories."),
    "serve": ("bot.cli.serve", "Run the service: webhooks, pages, and the loop."),
    "run": ("bot.cli.run", "Train or evaluate the models of this working tree, without a service."),
    "init": ("bot.cli.init", "Write an mlops.yaml that fits what is here."),
    "validate": ("bot.cli.validate", "Check an mlops.yaml; every error with its line and fix."),
    "watch": ("bot.cli.watch", "Let the service watch a bare git repository."),
    "connect": ("bot.cli.connect", "Let a GitLab project tell the service what happens in it."),
    "comment": ("bot.cli.comment", "Write a comment, such as /train, on a change."),
    "versions": ("bot.cli.versions", "List registered versions, and where each serves."),
    "environments": ("bot.cli.environments", "List what serves in which environment."),
    "deploy": ("bot.cli.deploy", "Let a model of the default branch, or a version, serve."),
    "rollback": ("bot.cli.rollback", "Let the version serve again that served before."),
    "reproduce": ("bot.cli.reproduce", "Train a version again from its lock, and compare."),
    "ledger": ("bot.cli.ledger", "Show who did what, when, to what."),
    "rebuild": ("bot.cli.rebuild", "Make the index of versions anew, from git."),
    "prune": ("bot.cli.prune", "Remove what old runs left, and nobody needs any more."),
    "doctor": ("bot.cli.doctor", "Say what works and what does not, with the remedy."),
    "explain": ("bot.cli.explain", "Say what would run for a change, why, and what is missing."),
    "replay": ("bot.cli.replay", "Let the service handle a stored webhook once more."),
}

USER_ERROR_EXIT = 2
UNAVAILABLE_EXIT = 75  # EX_TEMPFAIL of sysexits.h: try again
INTERRUPTED_EXIT = 130  # as a shell says of what Ctrl-C ended; click's 1 would read as "a gate was missed"


class LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from bot.domain.nearest import nearest

        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            guess = nearest(args[0], list(COMMANDS))
            hint = f" Did you mean `{guess}`?" if guess else ""
            ctx.fail(f"There is no command `{args[0]}`.{hint} See `mlops-bot --help`.")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("mlops-bot"), prog_name="mlops-bot")
def group() -> None:
    """Train, evaluate and deploy models by pushing a commit or writing a comment.

    Start with `mlops-bot demo`. In a repository of your own: `mlops-bot init`, then `mlops-bot run train`.
    """


def main() -> None:
    """The entry point. Errors that the user can mend end with code 2, what may pass by itself with 75."""
    try:
        sys.exit(group.main(prog_name="mlops-bot", standalone_mode=False))
    except click.Abort:
        click.echo("aborted", err=True)
        sys.exit(INTERRUPTED_EXIT)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(INTERRUPTED_EXIT)
    except UserError as error:
        click.echo(f"error: {error.problem}", err=True)
        if error.fix:
            click.echo(f"  fix: {error.fix}", err=True)
        sys.exit(USER_ERROR_EXIT)
    except TransientError as error:
        click.echo(f"error: {error.problem}", err=True)
        sys.exit(UNAVAILABLE_EXIT)
