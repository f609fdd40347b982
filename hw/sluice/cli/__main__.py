"""``python -m sluice.cli`` is ``sluice``."""

from sluice.cli import main

main()
