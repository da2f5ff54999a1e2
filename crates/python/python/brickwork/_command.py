"""The `brickwork` command."""

from __future__ import annotations

import sys

from brickwork import _native


def main() -> None:
    """Does what the command line says."""
    sys.exit(_native.main(["brickwork", *sys.argv[1:]]))
