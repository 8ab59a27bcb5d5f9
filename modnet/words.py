"""How messages quote, count, shorten, compare and suggest."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from numbers import Real
from typing import Any

Path = tuple[str | int, ...]


MOST_CANDIDATES, LONGEST_CANDIDATE = 2000, 64
"""The most names, and the longest name, among which a suggestion is looked for. A file may have any number of names,
and a message is not worth more time.
"""


NAMES_ELSEWHERE: dict[str, str | None] = {
    "criterion": "loss",
    "dense": "linear",
    "fc": "linear",
    "filters": "out_channels",
    "fully_connected": "linear",
    "hidden_units": "out_features",
    "in_channels": None,
    "in_features": None,
    "input_size": None,
    "logistic": "sigmoid",
    "max_iter": "epochs",
    "normalize": "standardize",
    "p": "rate",
    "solver": "optimizer",
    "units": "out_features",
}
"""Names of Keras, PyTorch and scikit-learn that look unlike those of modnet; None for what modnet finds out itself, the
size of a layer's input."""


def show(value: Any) -> str:
    """A value as a message quotes it, in the notation of a spec file."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    # Python refuses to print integers beyond 4,300 digits (ValueError), and nobody reads even a hundred.
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a whole number of {value.bit_length()} bits"
    if isinstance(value, Real):
        return str(value)
    if isinstance(value, Mapping):
        return _shown_table(value)
    if isinstance(value, Sequence):
        return _shown_list(value)
    return _with_article(type(value).__name__)


def _quoted(text: str) -> str:
    short = text if len(text) <= 60 else text[:57] + "..."
    return '"' + printable(short.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _shown_table(table: Mapping[Any, Any]) -> str:
    kind = table.get("type")
    return f"a table with type = {show(kind)}" if isinstance(kind, str) else "a table"


def _shown_list(items: Sequence[Any]) -> str:
    inner = ", ".join(show(item) for item in items[:6]) + (", ..." if len(items) > 6 else "")
    return f"[{inner}]" if len(inner) <= 60 else f"a list of {len(items)}"


def _with_article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiouAEIOU" or name == "ndarray" else f"a {name}"


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one among `names` that was most likely meant by `name`, or None."""
    if len(name) > LONGEST_CANDIDATE:
        return None
    candidates = [name for name in islice(names, MOST_CANDIDATES) if len(name) <= LONGEST_CANDIDATE]
    folded = {candidate.replace("_", "").replace("-", "").lower(): candidate for candidate in candidates}
    key = name.replace("_", "").replace("-", "").lower()
    if key in folded:
        return folded[key]
    import difflib  # only for messages
    import heapq

    matcher = difflib.SequenceMatcher(b=key)

    def promise(candidate: str) -> float:
        """An upper bound of the similarity, which costs little for names that differ much."""
        # b stays the same: SequenceMatcher indexes its second sequence once, and compares many first ones with it.
        matcher.set_seq1(candidate)
        bound = matcher.real_quick_ratio()
        return bound if bound < 0.6 else matcher.quick_ratio()

    # The exact ratio takes quadratic time, so it is computed only for the names with the highest upper bound.
    promising = heapq.nlargest(20, folded, key=promise)
    found = difflib.get_close_matches(key, promising, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def nearest_term(name: str, terms: Sequence[str]) -> str | None:
    """As `nearest`, for a term of modnet, of which people know other names, beginnings and initials."""
    words = name.lower().replace("-", "_")
    if len(name) > LONGEST_CANDIDATE or words in terms:
        return nearest(name, terms)
    if words in NAMES_ELSEWHERE and NAMES_ELSEWHERE[words] in (None, *terms):
        return NAMES_ELSEWHERE[words]
    within = max((term for term in terms if f"_{term}_" in f"_{words}_"), key=len, default=None)
    return _abbreviated(words, terms) or nearest(name, terms) or within


def _abbreviated(name: str, terms: Sequence[str]) -> str | None:
    """The only term that begins so, `accuracy` for `acc`, or whose words do, `learning_rate` for `lr`."""
    longer = [term for term in terms if len(name) > 2 and term.startswith(name)]
    if len(longer) == 1:
        return longer[0]
    short = [term for term in terms if "_" in term and "".join(part[:1] for part in term.split("_")) == name]
    return short[0] if len(short) == 1 else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`; did you mean "x"?`, or "" where nothing is near."""
    return _question(nearest(name, names))


def did_you_mean_term(name: str, terms: Sequence[str]) -> str:
    """As `did_you_mean`, for a term of modnet."""
    return _question(nearest_term(name, terms))


def _question(found: str | None) -> str:
    return f"; did you mean {show(found)}?" if found else ""


def path_text(path: Path) -> str:
    """("network", "layers", 2, "type") -> network.layers[2].type"""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif (
            isinstance(part, str) and 0 < len(part) <= 60 and all(letter.isalnum() or letter in "_-" for letter in part)
        ):
            text += f".{part}" if text else part
        else:
            text += f".{show(part)}" if text else show(part)
    return text


MOST_LISTED = 20
"""How many items of a list a message shows."""


def printable(text: str) -> str:
    """The text with control characters escaped: names and values from a file could otherwise steer the terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def harmless(text: str) -> str:
    """`printable`, but line breaks and tabs stay."""
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else printable(c) for c in text)


def legible(name: str, longest: int = 80) -> str:
    """A name from a file, made fit for a message: short, on one line, without control characters."""
    return printable(name[:longest]) + ("..." if len(name) > longest else "")


def itemised(items: Iterable[str], title: str = "") -> list[str]:
    """A line for each of the first `MOST_LISTED` items, each after the title, and a line that counts the others."""
    lines = []
    count = 0
    for count, text in enumerate(items, 1):
        if count <= MOST_LISTED:
            lines.append(f"{title}{text}")
    if count > MOST_LISTED:
        lines.append(f"{title}{count - MOST_LISTED:,} more")
    return lines


def counted(number: int, noun: str) -> str:
    """`1,200 rows`, `1 row`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(names: Sequence[str], most: int) -> str:
    """The first `most` names, and the number of the others: `a, b and 3 more`."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def in_columns(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """The lines of a table: the first `left` columns are aligned on the left, the others on the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row[:left], widths[:left], strict=True)]
        cells += [text.rjust(width) for text, width in zip(row[left:], widths[left:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return lines


def shape_text(shape: tuple[int | None, ...]) -> str:
    """A shape as text; a variable axis is "any"."""
    inner = ", ".join("any" if axis is None else str(axis) for axis in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


def readable_bytes(count: int) -> str:
    """1536 -> "1.5 kB"; decimal units."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{count} B" if unit == "B" else f"{size:.1f} {unit}" if size < 100 else f"{size:.0f} {unit}"
        size /= 1000
    raise AssertionError


def time_text(seconds: float) -> str:
    """A duration for people: "0.51 s", "12.3 s", "4m05s", "2h07m"."""
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    return f"{minutes // 60}h{minutes % 60:02}m"


def time_left(done: float, whole: float, seconds: float) -> str:
    """`, about 3m20s left`, after so many seconds; "" while that is not known."""
    if done <= 0 or seconds < 1:
        return ""
    left = seconds * (whole - done) / done
    return f", about {f'{max(round(left), 1)} s' if left < 60 else time_text(left)} left"


def free_name(name: str, taken: Container[str]) -> str:
    """The name, or the first of name_2, name_3 and so on that is not used."""
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name}_{count}"
    return free


def changes(path: str, before: Any, now: Any) -> Iterator[str]:
    """The places where two plain values differ, each with both values: `training.epochs: 20 before, now 30`."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys((*before, *now)):
            yield from changes(f"{path}.{key}", before.get(key), now.get(key))
    elif isinstance(before, list | tuple) and isinstance(now, list | tuple) and len(before) == len(now):
        for number, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from changes(f"{path}[{number}]", old, new)
    elif before != now:
        yield f"{path}: {short_value(before)} before, now {short_value(now)}"


def short_value(value: Any) -> str:
    """A plain value for a message; None is "not given"."""
    text = "not given" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
