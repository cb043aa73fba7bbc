"""``python -m gaussequiv.cli``."""

from gaussequiv.cli import main

main()
