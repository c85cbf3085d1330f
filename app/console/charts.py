"""How do numbers become a picture? Bars in SVG, made by the server: no script, no style of its own, and it prints.

A screen reader is told what the picture is about; the numbers are in a table behind it (see `templates/overview.html`).
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

_WIDTH, _HEIGHT, _FOOT, _HEAD = 480, 140, 20, 18
"""About as many as it has pixels beside another one, so that its words have the size of small print."""

_BAR = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}: {:,}</title></rect>')


def bars(title: str, values: Sequence[tuple[str, int]], kind: str) -> Markup:
    """One bar for each label and value, in their order; `kind` is the class that colours them."""
    most = max((value for _, value in values), default=0)
    room = _HEIGHT - _FOOT - _HEAD
    step = _WIDTH / max(len(values), 1)
    every = max(1, -(-len(values) // 6))
    drawn: list[Markup] = []
    for place, (label, value) in enumerate(values):
        height = room * value / most if most else 0
        if value:
            left, top = place * step + 1, _HEAD + room - height
            drawn.append(_BAR.format(kind, left, top, max(step - 2, 1), height, label, value))
        if place % every == 0:
            drawn.append(Markup('<text x="{:.1f}" y="{}">{}</text>').format(place * step + 1, _HEIGHT - 5, label))
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}"><text x="1" y="12">{:,}</text>'
        '<line x1="0" y1="{}" x2="{}" y2="{}"></line>{}</svg>'
    ).format(_WIDTH, _HEIGHT, title, most, _HEAD + room, _WIDTH, _HEAD + room, Markup("").join(drawn))
