"""Where the keys of a TOML text stand: `tomllib` reads values but forgets their lines.

A second, small reader that runs only over text `tomllib` has accepted; it may therefore trust the grammar.
"""

import re
import tomllib
from collections import Counter

from edge_agent.settings.base import Location

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)[ \t]*""")
_STRING = re.compile(r'''"""(?:[^"\\]|\\[\s\S]|"(?!""))*"{3,5}|\'\'\'[\s\S]*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*\'''')
_SCALAR = re.compile(r"[^,\]}#\r\n]+")


def key_lines(text: str) -> dict[Location, int]:
    r"""Line, from 1, of every table, key and list item of a valid TOML text.

    >>> key_lines("[a]\nb = [1,\n 2]")[("a", "b", 1)]
    3
    """
    reader = _Reader(text)
    reader.document()
    return reader.lines


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.line = 1
        self.lines: dict[Location, int] = {}
        self.items: Counter[Location] = Counter()

    def document(self) -> None:
        table: Location = ()
        while self._skip_blank() < len(self.text):
            if self.text[self.position] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Location:
        is_item = self.text.startswith("[[", self.position)
        self._move(2 if is_item else 1)
        *parents, last = self._dotted_key()
        self._move(2 if is_item else 1)
        place: Location = ()
        for part in parents:
            place = self._newest((*place, part))
        place = (*place, last)
        self.lines.setdefault(place, self.line)
        if is_item:
            self.items[place] += 1
            place = self._newest(place)
        self._note(place)
        return place

    def _newest(self, place: Location) -> Location:
        """A header that passes through an array of tables means its newest item."""
        return (*place, self.items[place] - 1) if place in self.items else place

    def _pair(self, table: Location) -> None:
        line = self.line
        place = table
        for part in self._dotted_key():
            place = (*place, part)
            self.lines.setdefault(place, line)
        self._move(1)  # =
        self._value(place)

    def _dotted_key(self) -> list[str]:
        parts: list[str] = []
        while match := _KEY.match(self.text, self.position):
            raw = match[1]
            parts.append(next(iter(tomllib.loads(f"{raw} = 0"))) if raw[0] in "\"'" else raw)
            self._move(len(match[0]))
            if self.text[self.position] != ".":
                break
            self._move(1)
        return parts

    def _value(self, place: Location) -> None:
        start = self.text[self._skip_blank()]
        if start in "[{":
            self._move(1)
            number = 0
            while self.text[self._skip_blank()] not in "]}":
                if self.text[self.position] == ",":
                    self._move(1)
                elif start == "[":
                    self._note((*place, number))
                    self._value((*place, number))
                    number += 1
                else:
                    self._pair(place)
            self._move(1)
        else:
            match = (_STRING if start in "\"'" else _SCALAR).match(self.text, self.position)
            self._move(len(match[0]) if match else 1)

    def _note(self, place: Location) -> None:
        self.lines.setdefault(place, self.line)

    def _skip_blank(self) -> int:
        match = _BLANK.match(self.text, self.position)
        self._move(len(match[0]) if match else 0)
        return self.position

    def _move(self, count: int) -> None:
        self.line += self.text.count("\n", self.position, self.position + count)
        self.position += count
