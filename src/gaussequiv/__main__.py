"""``python -m gaussequiv``, and the command `gaussequiv`: signals are heard before anything large is imported."""

from gaussequiv import _process


def main() -> None:
    """Entry point."""
    _process.run(_command)


def _command() -> None:
    from gaussequiv.cli import app

    app()


if __name__ == "__main__":
    main()
