"""Rule files as text, fast, to the byte as Go's yaml.v2 writes them: what Sloth prints, and what people diff.

YAML 1.1 in block style with two spaces: text of several lines as literal blocks, other text plain where it stays text,
quoted where it would not, folded at column 80. Tabs, controls and characters beyond U+FFFF are escaped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cmp_to_key, lru_cache
from typing import TYPE_CHECKING, Any, Final

from holdfast.slo.compat.resolve import is_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WIDTH: Final = 80
_LONGEST_KEY: Final = 128
_SHORT_KEY: Final = 24
_SHORT_TEXT: Final = 40
"""With the deepest indentation there is, both together end well before the width: such a line is never folded."""
_B: Final = "\n\u2028\u2029"
_MARKS: Final = re.compile(
    r"""\A(?:[#,\[\]{}&*!|>'"%@`\x20]|[?:-](?:\x20|\Z)|---|\.\.\.)|:(?:\x20|\Z)|\x20(?:\#|\Z)|[\u2028\u2029]"""
)
"""What would end plain text, or begin something else."""
_NO_BLOCK: Final = re.compile("\x20[\u2028\u2029]")
_NO_SINGLE: Final = re.compile(rf"\x20[{_B}]|[{_B}]\x20")
_LINE: Final = re.compile(rf"(?:\A|(?<=[{_B}]))(?=[^{_B}])")
_SHORT: Final = dict(zip('\0\a\b\t\n\v\f\r\x1b"\\\x85\xa0\u2028\u2029', '0abtnvfre"\\N_LP', strict=True))
_NEVER: Final = '"\\\u2028\u2029'
"""Characters that never stand in double quotes as they are."""
_LENGTHS: Final = {2: "x", 4: "u", 8: "U"}
_LONE: Final = re.compile(r"(?<!\x20)\x20(?!\x20)")
_FIRST: Final = re.compile(r"(?<!\x20)\x20")
_BREAK: Final = re.compile("[\n\r\x85\u2028\u2029]")
_EXOTIC: Final = re.compile("([\u2028\u2029])")
_EXOTICS: Final = ("\u2028", "\u2029")
_QUOTES: Final = ("'", '"')
_SIMPLE: Final = re.compile(r"[a-z_]*")


def dump(groups: Sequence[Mapping[str, Any]]) -> str:
    """A Prometheus rule file: each group {name, interval?, rules}, each rule {record or alert, expr, labels, ...}.

    Keys are written in the order given; what is empty and no text is left out.
    """
    return document({"groups": groups})


def document(tree: Mapping[str, Any]) -> str:
    """A tree of mappings, lists of mappings, and texts as one YAML document, keys in the order given."""
    writer = _Writer()
    writer.mapping(tree, "", "")
    return "".join(writer.out)


def ordered(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels in the order in which yaml.v2 writes the keys of a map: signs before letters, numbers by value."""
    return {name: labels[name] for name in _order(tuple(labels))}


@dataclass(slots=True)
class _Writer:
    """The lines so far, and the last labels: with its column, and as they were written, for many rules share theirs."""

    out: list[str] = field(default_factory=list)
    labels: tuple[object, str, str] = (None, "", "")

    def mapping(self, tree: Mapping[str, Any], lead: str, pad: str) -> None:
        """One mapping at the column of `pad`; before its first key stands `lead`."""
        for key, value in tree.items():
            if isinstance(value, str):
                line = _line(key, value) if len(value) <= _SHORT_TEXT else ""
                self.out.append(lead + (line or _entry(key, value, pad)))
            elif value:
                self.out.append(f"{lead}{_short_key(key) or _key(key, pad)}:\n")
                if isinstance(value, list | tuple):
                    for item in value:
                        self.mapping(item, pad + "- ", pad + "  ")
                else:
                    self.below(value, pad + "  ")
            else:
                continue
            lead = pad

    def below(self, tree: Mapping[str, Any], pad: str) -> None:
        """A mapping under its key; one of short texts alone, as most are, is written at once."""
        if tree is self.labels[0] and pad == self.labels[1]:
            self.out.append(self.labels[2])
        elif set(map(type, tree.values())) == {str} and all(lines := [*map(_line, tree, tree.values())]):
            self.labels = (tree, pad, pad + pad.join(lines))
            self.out.append(self.labels[2])
        else:
            self.mapping(tree, pad, pad)


def _entry(key: str, value: str, pad: str) -> str:
    """One key with its text, whole lines."""
    name = _short_key(key) or _key(key, pad)
    if "\n" in value and (literal := _literal(value, pad + "  ")) is not None:
        return f"{name}: {literal}"
    column = len(pad) + len(name) + 2 if "\n" not in name else len(pad) + 2
    return f"{name}: {_placed(value, column, pad + '  ')}\n"


@lru_cache(maxsize=1024)
def _placed(value: str, column: int, pad: str) -> str:
    """A text that begins at a column; what is folded goes on at `pad`."""
    shown = _flat(value)
    return shown if column + len(shown) <= _WIDTH and shown.isascii() else _folded(shown, column, pad)


@lru_cache(maxsize=16384)
def _line(key: str, value: str) -> str:
    """One key with its text where that looks the same in any column; else nothing."""
    name = _short_key(key)
    if not name or len(value) > _SHORT_TEXT or "\n" in value or not value.isascii():
        return ""
    shown = _flat(value)
    return f"{name}: {shown}\n" if len(shown) <= _SHORT_TEXT else ""


@lru_cache(maxsize=4096)
def _short_key(key: str) -> str | None:
    """A key that looks the same in any column; None for others."""
    shown = _flat(key) if key.isascii() and not _BREAK.search(key) else ""
    return shown if len(shown) <= _SHORT_KEY else None


def _key(key: str, pad: str) -> str:
    """A key; a long one, or one of several lines, stands on lines of its own."""
    if len(key.encode()) <= _LONGEST_KEY and not _BREAK.search(key):
        return _flat(key)
    inner = pad + "  "
    shown = _literal(key, inner) or _folded(_flat(key), len(inner), inner) + "\n"
    return f"? {shown}{pad}"


def _flat(text: str) -> str:
    """Text on one line: plain, or in quotes."""
    if _odd(text) or "\n" in text or not is_text(text):
        return _double(text)
    if not _MARKS.search(text):
        return text
    return _double(text) if _NO_SINGLE.search(text) else "'" + text.replace("'", "''") + "'"


def _odd(text: str) -> bool:
    """Whether some of it can only be shown escaped."""
    if text.isascii():
        return not text.replace("\n", "").isprintable()
    return not all(character == "\n" or _shown(character) for character in text)


def _shown(character: str) -> bool:
    """Whether yaml.v2 writes a character as it is: no control, mark of byte order, or any beyond U+FFFD."""
    return " " <= character <= "~" or ("\xa0" <= character <= "\ufffd" and character != "\ufeff")


def _double(text: str) -> str:
    # yaml.v2 takes a mark of byte order at the beginning for a property of every character of the text.
    marked = text.startswith("\ufeff")
    return '"' + "".join(_escape(one) if marked or one in _NEVER or not _shown(one) else one for one in text) + '"'


def _escape(character: str) -> str:
    if character in _SHORT:
        return "\\" + _SHORT[character]
    code = ord(character)
    digits = next(count for count in (2, 4, 8) if code < 16**count)
    return f"\\{_LENGTHS[digits]}{code:0{digits}X}"


def _folded(text: str, column: int, pad: str) -> str:
    """Flat text whose lines end at the first space beyond the width, but none right inside the quotes."""
    quote = text[0] if text[0] in _QUOTES else None
    first, *rest = _EXOTIC.split(text)
    out = [_lines(first, column, pad, quote)]
    for index, part in enumerate(rest):
        bare = not part or part in _EXOTICS or (part == quote and index == len(rest) - 1)
        out.append(part if bare else pad + _lines(part, len(pad), pad, quote))
    return "".join(out)


def _lines(text: str, column: int, pad: str, quote: str | None) -> str:
    """As `_folded`, without exotic breaks; double quotes can also end a line before several spaces."""
    double = quote == '"'
    words = (_FIRST if double else _LONE).split(text)
    out, at = [words[0]], column + len(words[0])
    last = len(words) - 1
    for index, word in enumerate(words[1:], 1):
        edge = (index == 1 and words[0] == quote) or (index == last and word == quote)
        lead = " " if at <= _WIDTH or edge else "\n" + pad + ("\\" if double and word.startswith(" ") else "")
        out.append(lead + word)
        at = at + 1 + len(word) if lead == " " else len(lead) - 1 + len(word)
    return "".join(out)


def _literal(text: str, pad: str) -> str | None:
    """Several lines as they are; None for one line, and for what a block cannot hold."""
    if "\n" not in text or " \n" in text or text[-1] == " " or _odd(text):
        return None
    if not text.isascii() and _NO_BLOCK.search(text):
        return None
    hint = "2" if text[0] in f" {_B}" else ""
    if text[-1] not in _B:
        hint += "-"
    elif len(text) == 1 or text[-2] in _B:
        hint += "+"
    ended = text if text[-1] in _B else text + "\n"
    if "\n\n" not in text and text[0] != "\n" and text.isascii():
        return f"|{hint}\n{pad}" + ended.replace("\n", "\n" + pad, text.count("\n", 0, -1))
    return f"|{hint}\n{_LINE.sub(pad, ended)}"


@lru_cache(maxsize=4096)
def _order(names: tuple[str, ...]) -> tuple[str, ...]:
    if all(map(_SIMPLE.fullmatch, names)):
        return tuple(sorted(names))
    return tuple(sorted(names, key=cmp_to_key(_compare)))


def _compare(one: str, other: str) -> int:
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a == b:
            continue
        if a.isalpha() or b.isalpha():
            return (ord(a) - ord(b)) if a.isalpha() and b.isalpha() else -1 if b.isalpha() else 1
        return _compare_numbers(one, other, at)
    return len(one) - len(other)


def _compare_numbers(one: str, other: str, at: int) -> int:
    """The numbers that begin where two names first differ; a zero there may belong to a longer number."""
    inside = "0" in (one[at], other[at]) and bool(re.search(r"[1-9]\d*\Z", one[:at]))
    (a, a_digits), (b, b_digits) = (_number(name, at, inside=inside) for name in (one, other))
    return (a - b) or (a_digits - b_digits) or (ord(one[at]) - ord(other[at]))


def _number(name: str, at: int, *, inside: bool) -> tuple[int, int]:
    digits = re.match(r"\d*", name[at:])
    assert digits  # noqa: S101 - the shape allows nothing else
    return int(f"{'1' if inside else '0'}{digits[0]}"), len(digits[0])
