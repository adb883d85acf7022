import re
from xml.etree import ElementTree

import pytest

from client.bench.picture import page
from client.bench.statistics import Run, summarize
from tests.client.bench.runs import run, turn

MARKS = {"endpoint": 300, "flush": 130, "transcript": 200, "first_token": 290, "first_audio": 310, "audio_sent": 320}


def drawn(*runs: Run) -> tuple[str, list[ElementTree.Element]]:
    html = page(runs, [summarize(each) for each in runs], {"cores": 2})
    return html, [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]


def test_every_counted_turn_is_a_dot_at_its_latency() -> None:
    _, (distribution,) = drawn(
        run(turn(9000, warm_up=True), turn(0), turn(500), turn(1000), turn(700, failure="lost"), turn(None))
    )
    at = [float(dot.attrib["cx"]) for dot in distribution.iter("circle")]
    assert len(at) == 3
    assert at[1] - at[0] == pytest.approx(at[2] - at[1], abs=0.2)
    (median,) = (line for line in distribution.iter("line") if line.attrib["class"] == "median")
    assert float(median.attrib["x1"]) == at[1]


def test_each_step_of_the_median_turn_is_a_bar() -> None:
    _, (_, waterfall) = drawn(run(turn(400, marks=MARKS)), run(turn(500, marks=MARKS), sessions=2))
    texts = [text.text for text in waterfall.iter("text")]
    assert texts.count("end of turn") == texts.count("300 ms") == 2
    assert {"1 session", "2 sessions"} <= set(texts)
    assert len(list(waterfall.iter("rect"))) == 2 * 5


def test_the_page_needs_nothing_from_elsewhere() -> None:
    html, _ = drawn(run(turn(marks=MARKS)))
    assert not re.search(r"(https?:)?//|<script|<link|url\(|src=", html)


def test_what_was_said_cannot_break_the_page() -> None:
    html, (distribution,) = drawn(run(turn(question="<b>&\"'"), server="<i>"), run(turn(), server="b"))
    assert "<b>" not in html
    assert "<i>" not in html
    assert any("<b>&\"'" in (title.text or "") for title in distribution.iter("title"))


def test_a_run_in_which_nothing_was_heard_is_drawn_too() -> None:
    _, (distribution,) = drawn(run(turn(None, failure="lost")))
    assert not list(distribution.iter("circle"))
