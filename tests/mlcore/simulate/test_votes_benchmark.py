"""The benchmark's core on a small survey, and its note where real galaxies are absent."""

import json

from tests.benchmarks import votes_needed
from tests.mlcore.simulate.vote_surveys import make_survey, small_plan


def test_has_a_row_for_each_strategy_and_keeps_the_report(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(votes_needed, "WORKERS", 1)
    rows = votes_needed.measure(make_survey(), tmp_path, small_plan(goal=0.4), seeds=2)
    assert [row["votes needed"] for row in rows][-1] == "ours"
    assert {row["survey"] for row in rows} == {"small"}
    assert rows[0]["seeds worse"] == "0 of 2"
    kept = json.loads((tmp_path / "votes-needed-small.json").read_text())
    assert len(kept["seeds"]) == 2
    assert "seed 1 done" in capsys.readouterr().err


def test_says_so_where_real_galaxies_are_absent(tmp_path, monkeypatch):
    monkeypatch.setattr(votes_needed, "REAL", tmp_path / "none")
    (row,) = votes_needed._real(tmp_path)
    assert "not measured" in row["votes needed"]
    drawn = votes_needed.measure(make_survey(), tmp_path, small_plan(goal=0.2), seeds=1)
    assert list(row) == list(drawn[0])
