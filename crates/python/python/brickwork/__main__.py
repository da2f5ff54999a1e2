"""`python -m brickwork` is the `brickwork` command."""

from brickwork._command import main

main()
