"""Two trained classifiers become one, without training: the job of `brickwork demo` in Python.

    brickwork demo --out brickwork-demo
    python3 examples/first_steps.py brickwork-demo
"""

from __future__ import annotations

import sys
from pathlib import Path

import brickwork as bw


def main(demo: Path) -> bw.Model:
    """Cuts a component out of each of the demo's models and joins them."""
    digits, garments = bw.load(demo / "digits.onnx"), bw.load(demo / "garments.onnx")
    data = {"low": demo / "data/digits", "shoes": demo / "data/garments"}
    low = digits.disassemble(
        "0-4", profile=digits.profile(data["low"]), data=data["low"], called="low"
    )
    shoes = garments.disassemble(
        ["sandal", "sneaker", "ankle-boot"],
        profile=garments.profile(data["shoes"]),
        data=data["shoes"],
        called="shoes",
    )
    ready = bw.assemble(low, shoes).calibrate(data, called="ready")
    print(ready.evaluate(data))
    if not ready.verify(low, shoes).holds:
        raise SystemExit("the joined model does not compute what its parts do")
    return ready


if __name__ == "__main__":
    main(Path(sys.argv[1])).save("ready.onnx")
