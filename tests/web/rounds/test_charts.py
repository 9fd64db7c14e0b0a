"""Charts of an evaluation, in numbers and as SVG."""

import re

import pytest

from lenticular.rounds.charts import (
    LearningPoint,
    coverage_chart,
    learning_chart,
    reliability_chart,
    round_ticks,
)
from lenticular.rounds.templatetags.round_charts import HEIGHT, LEFT, TOP, WIDTH, round_chart

BIN = {"predicted": 0.5, "observed": 0.25, "observed_low": 0.1, "observed_high": 0.4}


@pytest.mark.parametrize(
    ("high", "ticks"),
    [
        (1650.0, [0, 500, 1000, 1500]),
        (0.23, [0, 0.05, 0.1, 0.15, 0.2]),
        (1.0, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.0, [0]),
        (float("nan"), [0]),
    ],
)
def test_ticks_are_round(high, ticks):
    assert round_ticks(high) == pytest.approx(ticks)


def test_a_point_is_where_its_numbers_say():
    drawn = round_chart(reliability_chart([BIN], "shape"))
    x, y = LEFT + WIDTH / 2, TOP + HEIGHT * 0.75
    assert f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}"' in drawn
    ends = f"{x:g},{TOP + HEIGHT * 0.9:g} {x:g},{TOP + HEIGHT * 0.6:g}"
    assert f'<polyline class="line" points="{ends}"/>' in drawn


def test_a_point_without_an_interval_is_hollow():
    bin_ = {**BIN, "observed_low": None, "observed_high": None}
    drawn = round_chart(reliability_chart([bin_], "shape"))
    assert '<circle class="mark hollow"' in drawn
    assert '<polyline class="line"' not in drawn


def test_coverage_stands_on_bars_beside_what_is_claimed():
    levels = [{"level": 0.9, "covered": 0.7, "low": 0.6, "high": 0.8}]
    drawn = round_chart(coverage_chart(levels, "shape"))
    assert drawn.count("<rect") == 1
    assert f'height="{HEIGHT * 0.7:.1f}"' in drawn
    assert ">70%</text>" in drawn
    assert f"{TOP + HEIGHT * 0.1:g}" in re.search(r'class="limit".*?points="([^"]*)"', drawn)[1]


def test_one_round_alone_has_a_floor_across():
    chart = learning_chart([LearningPoint(1, 500, 0.2, 0.1, 0.3, 0.15)], "shape")
    assert chart.guides[0].places == ((0.0, 0.15), (500.0, 0.15))
    assert "<svg" in round_chart(chart)


def test_a_question_that_no_round_has_judged_is_drawn_empty():
    drawn = round_chart(learning_chart([], "shape"))
    assert "<circle" not in drawn
    assert "nan" not in drawn


def test_text_is_escaped():
    assert "<b>" not in round_chart(reliability_chart([BIN], "<b>"))
