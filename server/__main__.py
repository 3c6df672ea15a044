"""``python -m server`` and the command ``loomis``."""

import signal


def main() -> None:
    """Run the command line. Ctrl-C while it is loaded ends the program at once, and without a traceback."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from server.cli import main as run

    signal.signal(signal.SIGINT, before)
    run()


if __name__ == "__main__":
    main()
