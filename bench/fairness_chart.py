"""Draws the simulated waits as docs/images/fairness.svg.

The picture has a ground of its own, so that it is legible on a light and on a dark page. Its text
is large, because a phone shows it at half its size.
"""

import math
from typing import NamedTuple

from bench import fairness
from bench.fairness import FAIR, FAIR_AND_LIMITED, ONE_QUEUE, Scenario

WIDTH, HEIGHT = 720, 640
LEFT, RIGHT, TOP, BOTTOM = 112, 24, 116, 92
#: The waits at the bottom and at the top of the picture, in seconds.
SHORTEST, LONGEST = 0.1, 200

_STYLE = """
  text { font: 24px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 27px }
  .quiet { fill: #59636e }
  .ground { fill: #ffffff; stroke: #d1d9e0 }
  .grid { stroke: #d1d9e0; stroke-width: 2 }
  .flood { fill: #afb8c1; opacity: 0.35 }
  .line { fill: none; stroke-linejoin: round }
  .one { stroke: #c4320a } .fair { stroke: #0969da } .limited { stroke: #1a7f37 }
  text.one { fill: #c4320a; stroke: none } text.fair { fill: #0969da; stroke: none }
  text.limited { fill: #1a7f37; stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .quiet { fill: #9198a1 }
    .ground { fill: #0d1117; stroke: #3d444d }
    .grid { stroke: #30363d }
    .flood { fill: #656c76; opacity: 0.35 }
    .one { stroke: #ff8f6b } .fair { stroke: #6cb6ff } .limited { stroke: #57c46c }
    text.one { fill: #ff8f6b } text.fair { fill: #6cb6ff } text.limited { fill: #57c46c }
  }
"""


class Curve(NamedTuple):
    scenario: Scenario
    style: str
    width: int
    #: Its lines.
    label: tuple[str, ...]
    #: Where it stands: seconds after the begin, and seconds of wait.
    at: tuple[float, float]


CURVES = (
    Curve(FAIR_AND_LIMITED, "limited", 10, ("fair queue,", "5 active tasks"), (200, 0.24)),
    Curve(FAIR, "fair", 5, ("fair queue",), (88, 2.6)),
    Curve(ONE_QUEUE, "one", 5, ("one queue for all",), (64, 13.5)),
)


def x(seconds: float) -> float:
    return LEFT + seconds / fairness.SECONDS * (WIDTH - LEFT - RIGHT)


def y(wait: float) -> float:
    share = math.log(max(wait, SHORTEST) / SHORTEST) / math.log(LONGEST / SHORTEST)
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def draw() -> str:
    """Return the picture as SVG."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        ' aria-label="Longest wait of small users while one user floods the queue">',
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" x="1" y="1" width="{WIDTH - 2}" height="{HEIGHT - 2}" rx="12"/>',
        _text(24, 46, "How long small users wait", "title"),
        _text(24, 80, f"longest wait in each {fairness.SPAN} seconds", "quiet"),
        *_flood(),
        *_axes(),
        *(_line(curve) for curve in CURVES),
        *(line for curve in CURVES for line in _label(curve)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _flood() -> list[str]:
    begin = fairness.FLOOD_BEGINS
    end = begin + fairness.FLOOD_TASKS / fairness.FLOOD_TASKS_PER_SECOND
    return [
        f'<rect class="flood" x="{x(begin):.1f}" y="{TOP}" width="{x(end) - x(begin):.1f}"'
        f' height="{HEIGHT - TOP - BOTTOM}"/>',
        _text(x(end) + 10, TOP + 22, f"◂ one user sends {fairness.FLOOD_TASKS:,} tasks", "quiet"),
    ]


def _axes() -> list[str]:
    parts = []
    for wait, label in ((0.1, "≤ 0.1 s"), (1, "1 s"), (10, "10 s"), (100, "100 s")):
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(wait):.1f}"'
            f' y2="{y(wait):.1f}"/>'
        )
        parts.append(_text(LEFT - 12, y(wait) + 8, label, "quiet", "end"))
    for minute in range(fairness.SECONDS // 60 + 1):
        parts.append(_text(x(minute * 60), HEIGHT - BOTTOM + 36, str(minute), "quiet", "middle"))
    caption = "minute in which the task was created"
    parts.append(_text(WIDTH - RIGHT, HEIGHT - 20, caption, "quiet", "end"))
    return parts


def _line(curve: Curve) -> str:
    waits = fairness.longest_waits(curve.scenario)
    points = " ".join(
        f"{x((number + 0.5) * fairness.SPAN):.1f},{y(wait):.1f}"
        for number, wait in enumerate(waits)
    )
    return f'<polyline class="line {curve.style}" stroke-width="{curve.width}" points="{points}"/>'


def _label(curve: Curve) -> list[str]:
    seconds, wait = curve.at
    return [
        _text(x(seconds), y(wait) + 28 * number, line, curve.style)
        for number, line in enumerate(curve.label)
    ]


def _text(x: float, y: float, text: str, style: str, anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'
