#!/usr/bin/env python3
"""Components of any networks and data sets, joined and calibrated: the pairs of the paper's table 2.

Components are refitted, scores calibrated on training images; every figure is from the test images.
"""
from assemble import HEAD, joined, lines
from assemble_more import component
from driver import arguments, driver, save, table


def part(run, options, model, images, classes):
    """A component, its row, and which images are its own."""
    data = options.data / images
    brick, row = component(run, options.models / model, data, classes)
    return brick, row, ["--data", f"{brick.stem}={data}"]


def main():
    parser = arguments(__doc__, "join")
    parser.add_argument("--parts", nargs="+", required=True, metavar="MODEL:IMAGES:CLASSES",
                        help="a network of MODELS, a folder of DATA, class numbers such as 0-2 or 3,5")
    parser.add_argument("--samples", default=200, type=int, help="images per class to calibrate on")
    options = parser.parse_args()
    run = driver(options)
    bricks, rows, data = zip(*(part(run, options, *words.split(":")) for words in options.parts))
    rows = [*rows, *joined(run, options.name, bricks, sum(data, []), options.samples)]
    title = " + ".join(options.parts)
    notes = f"""
Components are cut with default thresholds and refitted. Calibration uses {options.samples} training images per class."""
    save(options, run, f"Joined: {title}", table(HEAD, lines(rows)) + "\n" + notes, {title: rows}, key="joined")


if __name__ == "__main__":
    main()
