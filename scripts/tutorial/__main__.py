"""`python -m tutorial` is the `tutorial` command."""

from tutorial.cli import main

main()
