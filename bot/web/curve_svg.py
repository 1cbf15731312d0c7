"""A curve as a picture that stands on its own: in our pages, in a comment, in light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import floor, isclose, log10

from bot.domain.gate.verdict import number_text
from bot.domain.plots import Curve

WIDTH, HEIGHT = 520, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 44, 52

STYLE = """
.paper{fill:#fff}.grid{stroke:#d8dee4;stroke-width:1}.diagonal{stroke:#8c959f;stroke-width:1.5;stroke-dasharray:5 5}
.curve{fill:none;stroke:#0969da;stroke-width:2.5;stroke-linejoin:round}.area{fill:#0969da;opacity:.1}
text{font:13px system-ui,sans-serif;fill:#59636e}.title{font-weight:600;font-size:14px;fill:#1f2328}
@media (prefers-color-scheme:dark){.paper{fill:#0d1117}.grid{stroke:#2a313c}.curve{stroke:#4493f8}.area{fill:#4493f8}
text{fill:#9198a1}.title{fill:#f0f6fc}}
"""


def curve_svg(curve: Curve, *, title: str) -> str:
    xs, ys = _axis([x for x, _ in curve.points], curve.is_roc), _axis([y for _, y in curve.points], curve.is_roc)
    heading = title if curve.area is None else f"{title} (area {number_text(curve.area, digits=4)})"
    points = " ".join(f"{_x(x, xs):.1f},{_y(y, ys):.1f}" for x, y in curve.points)
    first, last = curve.points[0][0], curve.points[-1][0]
    area = f"{_x(first, xs):.1f},{_y(ys[0], ys):.1f} {points} {_x(last, xs):.1f},{_y(ys[0], ys):.1f}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">',
        f"<title>{escape(heading)}</title><style>{STYLE}</style>",
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
        f'<text class="title" x="{LEFT}" y="26">{escape(heading)}</text>',
        *_x_grid(xs, ys),
        *_y_grid(xs, ys),
        _diagonal(xs, ys) if curve.is_roc else "",
        f'<polygon class="area" points="{area}"/><polyline class="curve" points="{points}"/>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">{escape(curve.x_label)}</text>',
        f'<text transform="translate(16 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">',
        f"{escape(curve.y_label)}</text></svg>",
    ]
    return "".join(parts)


def _axis(values: Sequence[float], is_share: bool) -> list[float]:
    """The values at which grid lines are drawn; the first and last bound the picture."""
    if is_share:
        return [0.0, 0.25, 0.5, 0.75, 1.0]
    low, high = min(values), max(values)
    if isclose(low, high, rel_tol=1e-12):  # nothing to scale by
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    step = _round_step((high - low) / 4)
    first = floor(low / step)
    last = -floor(-high / step)
    return [number * step for number in range(first, last + 1)]


def _round_step(rough: float) -> float:
    """The next larger of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** floor(log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def _x(value: float, axis: Sequence[float]) -> float:
    return LEFT + (value - axis[0]) / (axis[-1] - axis[0]) * (WIDTH - LEFT - RIGHT)


def _y(value: float, axis: Sequence[float]) -> float:
    return HEIGHT - BOTTOM - (value - axis[0]) / (axis[-1] - axis[0]) * (HEIGHT - TOP - BOTTOM)


def _x_grid(xs: Sequence[float], ys: Sequence[float]) -> list[str]:
    top, bottom = _y(ys[-1], ys), _y(ys[0], ys)
    return [
        f'<line class="grid" x1="{_x(x, xs):.1f}" x2="{_x(x, xs):.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>'
        f'<text x="{_x(x, xs):.1f}" y="{bottom + 18:.1f}" text-anchor="middle">{number_text(x, digits=3)}</text>'
        for x in xs
    ]


def _y_grid(xs: Sequence[float], ys: Sequence[float]) -> list[str]:
    left, right = _x(xs[0], xs), _x(xs[-1], xs)
    return [
        f'<line class="grid" x1="{left:.1f}" x2="{right:.1f}" y1="{_y(y, ys):.1f}" y2="{_y(y, ys):.1f}"/>'
        f'<text x="{left - 8:.1f}" y="{_y(y, ys) + 4:.1f}" text-anchor="end">{number_text(y, digits=3)}</text>'
        for y in ys
    ]


def _diagonal(xs: Sequence[float], ys: Sequence[float]) -> str:
    """What guessing would give."""
    return (
        f'<line class="diagonal" x1="{_x(xs[0], xs):.1f}" y1="{_y(ys[0], ys):.1f}" '
        f'x2="{_x(xs[-1], xs):.1f}" y2="{_y(ys[-1], ys):.1f}"/>'
    )
