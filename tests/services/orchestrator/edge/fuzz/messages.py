"""Messages that a broken client might send: good ones, damaged in a few places, and noise."""

import base64
import copy
import json
import os
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

MESSAGES = int(os.environ.get("FUZZ_MESSAGES", "400"))
"""How many messages each endpoint is sent; `make fuzz` sends more."""

Json = Any
Frame = str | bytes

_NAMES = st.sampled_from(["type", "event_id", "session", "item", "audio", "text", "id", "", "💥", "x" * 300])
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 0, 1, 2**31, 2**63, 1e308, -1e308, 0.5]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=20),
    st.sampled_from(["", " ", "\x00", "null", "auto", "inf", "é" * 200, "audio/pcmu", "a" * 70_000]),
)
_JUNK = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_NAMES, inner, max_size=3)),
    max_leaves=5,
)


def _places(value: Json, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything inside a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    paths: list[tuple[Any, ...]] = []
    for key, child in children:
        paths += [(*above, key), *_places(child, (*above, key))]
    return paths


@st.composite
def damaged(draw: st.DrawFn, seeds: Sequence[Json]) -> Json:
    """One of `seeds`, with up to three of its fields missing, foreign, repeated elsewhere or of another kind."""
    message = copy.deepcopy(draw(st.sampled_from(list(seeds))))
    for _ in range(draw(st.integers(0, 3))):
        places = _places(message)
        if not places:
            break
        *way, last = draw(st.sampled_from(places))
        holder = message
        for step in way:
            holder = holder[step]
        match draw(st.sampled_from(["remove", "replace", "replace", "add", "wrap"])):
            case "remove":
                del holder[last]
            case "replace":
                holder[last] = draw(_JUNK)
            case "add" if isinstance(holder, dict):
                holder[draw(_NAMES)] = draw(_JUNK)
            case _:
                holder[last] = [holder[last]]
    return message


@st.composite
def frames(draw: st.DrawFn, seeds: Sequence[Json]) -> Frame:
    """A WebSocket frame: mostly a message like `seeds`; also a cut one, any text, bytes of any number."""
    match draw(st.sampled_from(["message"] * 5 + ["cut", "text", "bytes", "sound"])):
        case "message":
            return json.dumps(draw(damaged(seeds)))
        case "cut":
            text = json.dumps(draw(st.sampled_from(list(seeds))))
            return text[: draw(st.integers(0, len(text)))]
        case "text":
            return draw(st.text(max_size=40))
        case "bytes":
            return draw(st.binary(max_size=64))
        case _:
            return b"\x10\x27" * draw(st.integers(0, 700))


def audio(seconds: float, rate: int = 24_000) -> str:
    """Something loud, base64."""
    return base64.b64encode(b"\x10\x27" * int(seconds * rate)).decode()
