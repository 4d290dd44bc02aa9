"""The ``frhead`` command: finds the subcommand, and turns what goes wrong into text and exit codes.

Exit codes: 0 done; 2 something given to the program is wrong, and the message says what; 130
stopped by Ctrl-C or SIGTERM, the same command goes on; 1 anything else, with a traceback.
"""

from __future__ import annotations

import importlib
import sys
import traceback

import click

from frhead_core.errors import FRHeadError, InputError

_COMMANDS = (
    "run",
    "prepare",
    "train",
    "evaluate",
    "ensemble",
    "report",
    "compare",
    "ablation",
    "sweep",
    "predict",
    "champion",
    "compile",
    "submit",
    "runs",
    "schedule",
    "data",
    "console",
    "clean",
    "benchmarks",
    "import-weights",
    "export-model",
    "hub",
    "synthetic",
    "export",
    "import",
)
_MODULES = {"import": "import_data"}  # where the module cannot be called like the command
STOPPED = 130


class _CommandsByName(click.Group):
    """Imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        name = _MODULES.get(cmd_name, cmd_name.replace("-", "_"))
        module = importlib.import_module(f"pipeline.commands.{name}")
        command: click.Command = module.command
        return command


@click.group(cls=_CommandsByName, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="frhead-pipeline")
def cli() -> None:
    """FR-Head: from raw 3D-skeleton recordings to an accuracy report.

    Example: frhead run nw-ucla --raw all_sqe.zip
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    sys.exit(exit_code_of(arguments))


def exit_code_of(arguments: list[str] | None = None) -> int:
    """Run the command line; the one place where errors become text."""
    try:
        result = cli.main(args=arguments, prog_name="frhead", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nstopped; the same command goes on from here", err=True)
        return STOPPED
    except Exception as error:
        expected = _expected(error)
        if expected is None:
            traceback.print_exc()
            return 1
        click.echo(f"error: {expected}", err=True)
        return expected.exit_code


def _expected(error: Exception) -> FRHeadError | None:
    """What the user can mend: the project's own errors, and files that cannot be used."""
    if isinstance(error, FRHeadError):
        return error
    if isinstance(error, OSError) and error.filename is not None:
        return InputError(f"cannot be used ({error.strerror})", file=error.filename)
    return None


if __name__ == "__main__":
    main()
