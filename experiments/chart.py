"""Line charts as SVG: panels side by side, one colour, dash and marker for each name everywhere."""
import math
from collections import namedtuple
from xml.sax.saxutils import escape

Panel = namedtuple("Panel", "title x y lines")  # lines: {name: [(x, y), ...]}

# Okabe and Ito: told apart with every kind of colour vision. Markers and dashes tell them apart in grey.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
DASHES = ["", "6 3", "2 3", "8 3 2 3"]
SHAPES = [
    lambda x, y: f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>',
    lambda x, y: f'<rect x="{x - 3.2:.1f}" y="{y - 3.2:.1f}" width="6.4" height="6.4"/>',
    lambda x, y: f'<path d="M{x:.1f} {y - 4.2:.1f}l4 7.4h-8z"/>',
    lambda x, y: f'<path d="M{x:.1f} {y - 4.6:.1f}l4.6 4.6-4.6 4.6-4.6-4.6z"/>',
]
WIDTH, HEIGHT = 380, 290
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 34, 48
LEGEND_ROW = 22
FONT = "font-family='system-ui, sans-serif' font-size='12' fill='#222'"


def steps(low, high, about=5):
    """Round numbers that span `low` to `high`."""
    if low == high:
        low, high = low - 1, high + 1
    rough = (high - low) / about
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 10) for k in range(first, last + 1)]


def style(names, name):
    k = names.index(name)
    return COLOURS[k % len(COLOURS)], DASHES[k % len(DASHES)], SHAPES[k % len(SHAPES)]


def text(x, y, words, anchor="middle", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(words)}</text>'


def frame(panel, xs, ys, place_x, place_y):
    """Grid, ticks, labels, title."""
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for y in ys:
        yield f'<path d="M{LEFT} {place_y(y):.1f}H{right}" stroke="#ddd"/>'
        yield text(LEFT - 8, place_y(y) + 4, f"{y:,g}", "end")
    for x in xs:
        yield f'<path d="M{place_x(x):.1f} {bottom}v4" stroke="#444"/>'
        yield text(place_x(x), bottom + 18, f"{x:,g}")
    yield f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#444"/>'
    yield text((LEFT + right) / 2, 20, panel.title, more="font-weight='bold'")
    yield text((LEFT + right) / 2, HEIGHT - 10, panel.x)
    middle = (TOP + bottom) / 2
    yield text(14, middle, panel.y, more=f"transform='rotate(-90 14 {middle:.1f})'")


def curve(points, look, place_x, place_y):
    colour, dash, shape = look
    spots = [(place_x(x), place_y(y)) for x, y in points]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
    yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.8" stroke-dasharray="{dash}"/>'
    for (x, y), spot in zip(points, spots):
        yield f'<g fill="{colour}">{shape(*spot)}<title>{x:,g}: {y:,g}</title></g>'


def drawn(panel, names):
    points = [point for line in panel.lines.values() for point in line]
    low, high = min(x for x, _ in points), max(x for x, _ in points)
    xs = [x for x in steps(low, high, 6) if low <= x <= high]
    ys = steps(min(y for _, y in points), max(y for _, y in points))
    inner = 10  # keeps the first and last marker off the axes
    span_x, span_y = WIDTH - LEFT - RIGHT - 2 * inner, HEIGHT - TOP - BOTTOM
    place_x = lambda x: LEFT + inner + span_x * (x - low) / ((high - low) or 1)
    place_y = lambda y: HEIGHT - BOTTOM - span_y * (y - ys[0]) / (ys[-1] - ys[0])
    yield from frame(panel, xs, ys, place_x, place_y)
    for name, line in panel.lines.items():
        yield from curve(line, style(names, name), place_x, place_y)


def legend(names, top, columns, width):
    for k, name in enumerate(names):
        x, y = 20 + k % columns * width / columns, top + k // columns * LEGEND_ROW
        colour, dash, shape = style(names, name)
        yield f'<path d="M{x:.1f} {y}h30" stroke="{colour}" stroke-width="1.8" stroke-dasharray="{dash}"/>'
        yield f'<g fill="{colour}">{shape(x + 15, y)}</g>' + text(x + 38, y + 4, name, "start")


def chart(panels, columns=2):
    """The SVG of `panels`, row by row, over one legend."""
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    columns = min(columns, len(panels))
    rows, width = math.ceil(len(panels) / columns), columns * WIDTH
    per_row = max(1, width // 260)
    height = rows * HEIGHT + math.ceil(len(names) / per_row) * LEGEND_ROW + 12
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
             f'height="{height}" {FONT}>', f'<rect width="{width}" height="{height}" fill="#fff"/>']
    for k, panel in enumerate(panels):
        parts.append(f'<g transform="translate({k % columns * WIDTH} {k // columns * HEIGHT})">')
        parts += [*drawn(panel, names), "</g>"]
    parts += [*legend(names, rows * HEIGHT + 14, per_row, width), "</svg>"]
    return "\n".join(parts) + "\n"
