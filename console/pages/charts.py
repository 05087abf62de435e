"""Charts drawn by the server: stacked columns over time as SVG, in the colours of the page's stylesheet."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log10

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 960, 220, 56, 24, 8


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of thing over the slots; `style` is its class in the stylesheet."""

    name: str
    style: str
    values: Sequence[int]


@dataclass(frozen=True, slots=True)
class Bar:
    """A column's part, in the chart's own units."""

    x: float
    y: float
    width: float
    height: float
    style: str
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A label of an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """The chart as the template draws it."""

    bars: tuple[Bar, ...]
    ups: tuple[Mark, ...]
    alongs: tuple[Mark, ...]
    series: tuple[Series, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    base: int = HEIGHT - BOTTOM


def columns(series: Sequence[Series], labels: Sequence[str], every: int) -> Chart:
    """Columns of stacked series, a label below every so many."""
    number = len(labels)
    tops = [sum(each.values[n] for each in series) for n in range(number)]
    most = _round_up(max(tops, default=0))
    step, high = (WIDTH - LEFT) / max(number, 1), HEIGHT - BOTTOM - TOP
    bars = []
    for n in range(number):
        y = float(HEIGHT - BOTTOM)
        for each in series:
            if each.values[n]:
                height = each.values[n] / most * high
                y -= height
                title = f"{labels[n]}: {each.values[n]:,} {each.name}"
                bars.append(Bar(LEFT + n * step + 1, round(y, 2), step - 2, round(height, 2), each.style, title))
    ups = tuple(Mark(HEIGHT - BOTTOM - high * part / 4, f"{most * part // 4:,}") for part in range(5))
    alongs = tuple(Mark(LEFT + (n + 0.5) * step, labels[n]) for n in range(0, number, every))
    return Chart(tuple(bars), ups, alongs, tuple(series))


def _round_up(most: int) -> int:
    """The top of the scale: 4, 8, 20, 40, 80, 200 and so on, so that quarters are whole."""
    if most <= 4:
        return 4
    power = int(10 ** int(log10(most / 4)))
    return next(factor * power for factor in (4, 8, 20, 40, 80) if factor * power >= ceil(most))
