"""Ways to spoil an input: bytes, lines, cells of a table, and values as JSON has them."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

MARKER = "q" * 300
"""A name that no message may repeat at length."""

NUMBERS = (
    *("0", "-0", "1", "-1", "2", "8", "9", "1e308", "1e999", "-1e999", "1e-320", "1e30", "1_0"),
    *("nan", "NaN", "inf", "-inf", "Infinity", ".inf", ".nan", "0x10", "010", "0o7", "1:20", "1,5"),
    *("\uff19", "\u0663", "2147483648", "9007199254740993", "18446744073709551616", "+3", " 4 "),
    "9" * 400,
)
NAMES = (
    *("", " ", "a", "a-b", "a_b", "A", "gc", "gc ", "_", "-", "0a", "x.y", "a/b", "..", "true"),
    *("\0", "a\0b", "\x1b[31mred", "\x07", "\x7f", "\x85", "\u2028", "\u202e", "\ufeff", "\ud800"),
    *(
        "e\u0301",
        "\u00e9",
        "\U0001f600",
        "[/b]",
        "[red]x",
        "[link=file:///etc]x",
        "<script>x",
        "%s",
    ),
    *("{}", "{0}", "${HOME}", "$(id)", "`id`", "~", "~nouser", "null", "a,b", "a;b", 'a"b', "a'b"),
    *("a\nb", "a\rb", "a\tb", "__class__", "constructor", MARKER),
)
PATHS = (
    *("../outside/tone.wav", "../../outside/tone.wav", "../../../outside/tone.wav", "/etc/passwd"),
    *("./a.wav", "a//b.wav", "a/../a.wav", "way/tone.wav", "tone-link.wav", "C:\\a.wav", "a\\b"),
    *("~/a.wav", "~nouser/a.wav", "file:///a.wav", ".", "..", "/", "/dev/null", "a.wav/", "fifo"),
    *("//a.wav", "a" * 255, "d/" * 2000, "%2e%2e/a.wav", "\u2025/a.wav", "nul\0.wav", ".hidden"),
)
BYTES = (
    *(b"", b"\0", b"\xff", b"\xfe", b"\xef\xbb\xbf", b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80"),
    *(b"\r", b"\n", b"\r\n", b"\t", b" ", b'"', b"'", b",", b";", b":", b"-", b"#", b"{", b"}"),
    *(b"[", b"]", b"\\", b"\\u0000", b"\\ud800", b"\x1b[2J", b"\x80", b"null", b"true", b"{}"),
    *(b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x01\x00\x00\x00"),
)


def tokens() -> tuple[bytes, ...]:
    """Everything above, as bytes."""
    texts = (*NUMBERS, *NAMES, *PATHS)
    return (*BYTES, *(text.encode("utf-8", "surrogatepass") for text in texts))


_TOKENS = tokens()


# -- bytes and text ---------------------------------------------------------------------------


def _flip(rng: Random, data: bytes) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


def _overwrite(rng: Random, data: bytes) -> bytes:
    place, new = rng.randrange(len(data)), rng.choice(_TOKENS)
    return data[:place] + new + data[place + len(new) :]


def _insert(rng: Random, data: bytes) -> bytes:
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(_TOKENS) + data[place:]


def _delete(rng: Random, data: bytes) -> bytes:
    first = rng.randrange(len(data))
    return data[:first] + data[first + _length(rng, data) :]


def _repeat(rng: Random, data: bytes) -> bytes:
    first = rng.randrange(len(data))
    part = data[first : first + _length(rng, data)]
    return data[:first] + part * rng.choice((2, 2, 3, 50)) + data[first + len(part) :]


def _truncate(rng: Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _move(rng: Random, data: bytes) -> bytes:
    first = rng.randrange(len(data))
    part, rest = data[first:][: _length(rng, data)], data[:first]
    place = rng.randrange(len(rest) + 1)
    return rest[:place] + part + rest[place:] + data[first + len(part) :]


def _lines(rng: Random, data: bytes) -> bytes:
    """Lines exchanged, doubled or dropped."""
    lines = data.splitlines(keepends=True)
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(3):
        case 0:
            lines[one], lines[other] = lines[other], lines[one]
        case 1:
            lines.insert(one, lines[other])
        case _:
            del lines[one]
    return b"".join(lines)


def _word(rng: Random, data: bytes) -> bytes:
    """What stands between two marks of punctuation becomes something else."""
    marks = [n for n, byte in enumerate(data) if byte in b',:\n{}[]" ']
    if not marks:
        return _overwrite(rng, data)
    first = rng.choice(marks) + 1
    last = next((n for n in marks if n >= first), len(data))
    return data[:first] + rng.choice(_TOKENS) + data[last:]


def _length(rng: Random, data: bytes) -> int:
    return rng.randint(1, max(1, min(len(data), rng.choice((4, 40, 400)))))


_EDITS: tuple[Callable[[Random, bytes], bytes], ...] = (
    *(_flip, _flip, _overwrite, _insert, _insert, _delete, _repeat, _truncate, _move),
    *(_lines, _lines, _word, _word, _word),
)


def spoiled(rng: Random, data: bytes, others: Sequence[bytes] = (), most: int = 6) -> bytes:
    """``data`` after some edits; now and then the end comes from one of the ``others``."""
    for _ in range(rng.randint(1, most)):
        if not data:
            return rng.choice(_TOKENS)
        data = rng.choice(_EDITS)(rng, data)
    if others and rng.random() < 0.05:
        other = rng.choice(others)
        data = data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]
    return data


def noise(rng: Random, most: int = 200) -> bytes:
    """Random bytes, or only such as text formats give a meaning."""
    alphabet = rng.choice((bytes(range(256)), bytes(range(32, 127)), b"\n \t-:{}[],&*!|>'\"%#?@a1"))
    return bytes(rng.choices(alphabet, k=rng.randint(0, most)))


# -- values -----------------------------------------------------------------------------------


def odd_value(rng: Random) -> Any:
    """A value of any type, seldom one that fits."""
    match rng.randrange(12):
        case 0:
            return rng.choice((None, True, False))
        case 1:
            return rng.choice((0, 1, -1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63), 10**30))
        case 2:
            return rng.choice((0.0, -0.0, 0.5, 1e-320, 1e308, -1e308, 1e30, 1.5, 1e21))
        case 3:
            return rng.choice((float("nan"), float("inf"), float("-inf")))
        case 4:
            return rng.choice(([], {}, [[]], [{}], {"": None}, [None], [1, 2], {"a": 1}))
        case 5:
            return nested(rng)
        case 6:
            return rng.choice(NUMBERS)
        case 7:
            return rng.choice(PATHS)
        case 8:
            return MARKER
        case 9:
            return [odd_value(rng) for _ in range(rng.randrange(4))]
        case _:
            return rng.choice(NAMES)


def nested(rng: Random) -> Any:
    """Lists or dicts inside each other."""
    value: Any = rng.choice((None, 1, "a", [], {}))
    as_list = rng.random() < 0.5
    for _ in range(rng.choice((2, 5, 30, 120))):
        value = [value] if as_list else {"a": value}
    return value


def near_value(rng: Random, value: Any) -> Any:
    """A value that looks like another one."""
    match value:
        case bool():
            return rng.choice((not value, int(value), str(value).lower(), None))
        case int() if abs(value) < 10**200:
            way = rng.randrange(6)
            steps = (value + 1, value - 1, -value, value * 10**6, float(value), str(value))
            return steps[way]
        case float() if math.isfinite(value):
            way = rng.randrange(6)
            return (value * 1e6, -value, value + 1e-9, int(value), str(value), 0.0)[way]
        case str():
            text = value.encode("utf-8", "surrogatepass") or b"a"
            return spoiled(rng, text, most=2).decode("utf-8", "replace")
        case list() if value:
            return rng.choice((value[::-1], value + value[:1], value[1:], value[0], [value]))
        case dict() if value:
            return rng.choice((list(value), [value], list(value.values()), {**value, "a": 1}))
        case _:
            return odd_value(rng)


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every container in ``value`` with each of its keys."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        found.append((value, key))
        if isinstance(inner, dict | list):
            _places(inner, found)
    return found


def spoiled_value(rng: Random, value: Any, most: int = 3) -> Any:
    """A deep copy with some of its values, keys or entries changed."""
    value = copy.deepcopy(value)
    for _ in range(rng.randint(1, most)):
        places = _places(value, []) if isinstance(value, dict | list) else []
        if not places or rng.random() < 0.01:
            value = odd_value(rng) if rng.random() < 0.5 else near_value(rng, value)
            continue
        holder, key = rng.choice(places)
        match rng.randrange(8):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[rng.choice(NAMES)] = holder.pop(key)
            case 1 | 2:
                other, its = rng.choice(places)
                holder[key] = copy.deepcopy(other[its])
            case 3 if isinstance(holder, dict):
                holder[rng.choice(NAMES)] = odd_value(rng)
            case 3:
                holder.insert(key, copy.deepcopy(holder[key]))
            case 4 | 5:
                holder[key] = odd_value(rng)
            case _:
                holder[key] = near_value(rng, holder[key])
    return value


def json_bytes(rng: Random, value: Any) -> bytes:
    """JSON of a value, now and then nested deeper than a reader may follow, or no JSON at all."""
    text = json.dumps(value, ensure_ascii=rng.random() < 0.8, indent=rng.choice((None, 1)))
    match rng.randrange(40):
        case 0:
            depth = rng.choice((600, 5000))
            text = text.replace("1", rng.choice(("[" * depth + "]" * depth, "[" * depth)), 1)
        case 1:
            text = text.replace("0", "9" * 5000, 1)
        case 2:
            return text.encode(rng.choice(("utf-16", "utf-32", "utf-8-sig")), "surrogatepass")
    return text.encode("utf-8", "surrogatepass")
