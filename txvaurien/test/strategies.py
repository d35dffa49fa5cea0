"""What the property tests of options and settings draw from: values of options, and texts that are odd."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from txvaurien.options import Declared, Option, build, options_of

#: The same examples in every run: a failure can be repeated, and none comes out of the blue.
steady = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

#: Where an option of whole numbers, or of any, is not bounded.
_FAR = 2**53

#: How far from what an option must be above.
_LITTLE = 1e-9

#: A text of one line that may stand in a file: nothing invisible, no space at its ends.
LINE = st.text(
    st.characters(exclude_categories=["C", "Zl", "Zp", "Zs"], include_characters=" "), max_size=12
).map(str.strip)

#: More digits than Python reads as one number (`sys.int_info`), and other texts that make no sense.
ODD = st.sampled_from(
    [
        "9" * 5000,
        "-" + "9" * 400,
        "1e999",
        "nan",
        "inf",
        "-0",
        "٣",
        "\ud800",
        "\0",
        "\\",
        '"',
        "'",
        "[",
        "]",
        "${",
        "$${",
        "${HOME",
        "%(x)s",
        "=",
        ":",
        "..",
        ",",
        "#",
        "\r",
        "\x1c",
        "\u2028",
        "\N{BYTE ORDER MARK}",
    ]
)


def values(option: Option) -> st.SearchStrategy[Any]:
    """Values that the type and the bounds of an option allow; None where it can be off."""
    if option.choices:
        found: st.SearchStrategy[Any] = st.sampled_from(option.choices)
    elif option.kind == "bool":
        found = st.booleans()
    elif option.kind == "int":
        found = st.integers(int(_low(option)), int(_high(option)))
    elif option.kind == "float":
        found = st.floats(_low(option), _high(option), allow_nan=False, allow_infinity=False)
    elif option.kind == "dict":
        found = st.dictionaries(_ADDRESS, _ADDRESS, max_size=3)
    else:
        found = LINE
    return st.none() | found if option.default is None else found


_ADDRESS = st.builds("10.0.0.{}:{}".format, st.integers(1, 9), st.integers(1, 65535))


def _low(option: Option) -> float:
    if option.above is not None:
        return option.above + _LITTLE
    return -_FAR if option.minimum is None else option.minimum


def _high(option: Option) -> float:
    return _FAR if option.maximum is None else option.maximum


@st.composite
def declared(draw: st.DrawFn, classes: list[type[Declared]]) -> Declared:
    """An instance of one of these classes, some of its options set to anything that they take."""
    chosen = draw(st.sampled_from(classes))
    options = {option.attribute: values(option) for option in options_of(chosen)}
    said = draw(st.fixed_dictionaries({}, optional=options))
    return build(chosen, said)


@st.composite
def spoilt(draw: st.DrawFn, texts: list[str]) -> str:
    """One of these texts with a part of it lost, doubled, or put in another's place; or any text."""
    text = draw(st.sampled_from(texts))
    begin = draw(st.integers(0, len(text)))
    end = draw(st.integers(begin, min(len(text), begin + 8)))
    other = draw(st.sampled_from(texts))
    put = draw(st.one_of(st.just(""), ODD, st.text(max_size=5), st.just(text[begin:end] * 2), st.just(other)))
    return text[:begin] + put + text[end:]


def anything(*texts: str) -> st.SearchStrategy[str]:
    """Any text, most of them not far from these."""
    near = spoilt(list(texts))
    return st.one_of(near, near, near, st.text(max_size=20), ODD)


#: What JSON can say, and what Python's reader takes for it.
JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 120),
        st.sampled_from([10**400, -(10**400), 2**63, 2**64, 1e308, float("nan"), float("inf"), 0.5]),
        st.text(max_size=8),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def bent(draw: st.DrawFn, bodies: list[Any]) -> Any:
    """One of these JSON values with something else in the place of a part of it, or beside that."""
    return _bent(draw, draw(st.sampled_from(bodies)))


def _bent(draw: st.DrawFn, said: Any) -> Any:
    if not isinstance(said, (dict, list)) or not said or draw(st.integers(0, 3)) == 0:
        return draw(JSON)
    if isinstance(said, list):
        place = draw(st.integers(0, len(said) - 1))
        return [*said[:place], _bent(draw, said[place]), *said[place + 1 :]]
    name = draw(st.sampled_from(sorted(said)))
    changed = {**said, name: _bent(draw, said[name])}
    if draw(st.booleans()):
        changed[draw(anything(name))] = draw(JSON)
    return changed
