"""``python -m colporteur``."""

from colporteur.cli import main

main()
