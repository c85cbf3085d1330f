"""What is each field of a page called? By its label, or by the legend of the group that it is, as the page says it.

The list of faults at the top of a form names its fields in these words, which stand in one place only: beside them.
"""

from __future__ import annotations

from html.parser import HTMLParser

_FIELD = "field-"


def labels_in(page: str) -> dict[str, str]:
    """Field to label, of all whose ID is `field-` and their name. One of a group that has a name says that first."""
    reader = _Labels()
    reader.feed(str(page))  # and no markup of a template, which escapes whatever it meets
    reader.close()
    return reader.labels


class _Labels(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.labels: dict[str, str] = {}
        self._groups: list[tuple[str, str]] = []
        """Of each fieldset that is open, the field that it is, and what it is called."""
        self._about: str | None = None
        """The field whose label or legend is being read; empty while it is not known."""
        self._read: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        field = _field(said.get("id", ""))
        if tag == "fieldset":
            self._groups.append((field, said.get("aria-label", "")))
        elif tag == "label":
            self._about, self._read = _field(said.get("for", "")), []
        elif tag == "legend":
            self._about, self._read = (self._groups[-1][0] if self._groups else ""), []
        elif field and self._about == "":
            self._about = field
        elif field and self._groups:
            self.labels.setdefault(field, self._groups[-1][1])

    def handle_data(self, data: str) -> None:
        self._read.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "fieldset" and self._groups:
            self._groups.pop()
        elif tag in {"label", "legend"} and self._about is not None:
            self._end(tag)

    def _end(self, tag: str) -> None:
        text, about = " ".join("".join(self._read).split()), self._about
        self._about = None
        if tag == "legend" and self._groups:
            self._groups[-1] = self._groups[-1][0], text
        elif self._groups and not self._groups[-1][0] and self._groups[-1][1]:
            text = ", ".join((self._groups[-1][1], text))
        if about and text:
            self.labels[about] = text


def _field(element_id: str) -> str:
    return element_id.removeprefix(_FIELD) if element_id.startswith(_FIELD) else ""
