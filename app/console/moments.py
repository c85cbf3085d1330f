"""How are moments and lengths of time told? In UTC; a script writes moments in the viewer's zone."""

from __future__ import annotations

from markupsafe import Markup

from app.console import words
from tokenserver.clock import DAY, HOUR, MINUTE, rfc3339

_UNITS = ((DAY, words.DAYS), (HOUR, words.HOURS), (MINUTE, words.MINUTES))


def when(moment: float | None, never: str = words.NEVER) -> Markup:
    """A moment, to be written in the viewer's zone by the script; UTC without it."""
    if moment is None:
        return Markup('<span class="quiet">{}</span>').format(never)
    text = str(rfc3339(moment))
    shown = f"{text[:10]} {text[11:16]} UTC"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(text, f"{text[:10]} {text[11:19]} UTC", shown)


def day(moment: float | None, never: str = words.NEVER) -> Markup:
    """The day of a moment, where there is little room; the rest is in its title."""
    if moment is None:
        return when(None, never)
    text = str(rfc3339(moment))
    shown = f"{text[:10]} {text[11:19]} UTC"
    return Markup('<time datetime="{}" title="{}" data-day>{}</time>').format(text, shown, text[:10])


def ago(moment: float | None, now: float) -> str:
    """`3 hours ago`, `in 2 days`: the nearest, in the largest unit of which there is more than one."""
    if moment is None:
        return words.NEVER
    seconds = abs(now - moment)
    unit, names = next((one for one in _UNITS if seconds >= 1.5 * one[0]), (1, words.SECONDS))
    distance = words.counted(round(seconds / unit), names)
    return (words.AHEAD if moment > now else words.AGO).format(distance)


def lasting(seconds: float) -> str:
    """`90 days`, `15 minutes`: in the largest unit of which there are two, or exactly one."""
    for unit, names in _UNITS:
        count = int(seconds // unit)
        if count >= 2 or (count == 1 and seconds % unit == 0):
            return words.counted(count, names)
    return words.counted(int(seconds), words.SECONDS)
