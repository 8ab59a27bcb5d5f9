"""The command `modnet`. Nothing here is imported before it is needed: `modnet --help` loads no component."""

import sys


def main() -> None:
    """Runs the command line and ends the process.

    Exit status: 0 done; 1 the work failed (training diverged, the disk is full); 2 a wrong call or wrong input (a
    spec, data or model file); 130 interrupted by Ctrl-C; 143 stopped by SIGTERM, 129 by SIGHUP.
    """
    try:
        _run()
    except KeyboardInterrupt:  # while the commands are imported; later, the group of commands reports it
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def _run() -> None:
    try:
        import click
        import rich  # noqa: F401
    except ImportError as error:
        if error.name not in ("click", "rich"):
            raise
        print("the command modnet needs click and rich:  pip install 'modnet-core[cli]'", file=sys.stderr)
        sys.exit(2)
    from modnet.cli.app import cli
    from modnet.cli.output import open_missing_streams

    open_missing_streams()
    assert isinstance(cli, click.Command)
    cli.main(prog_name="modnet")
