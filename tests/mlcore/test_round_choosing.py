"""What a round asks about next, on predictions that no network had to make."""

from dataclasses import replace

import mlcore.cnn  # noqa: F401 - before torch

# isort: split
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.special import softmax

from mlcore.files import write_json
from mlcore.round_choosing import choose_subjects
from mlcore.round_files import RoundFiles
from mlcore.round_plan import ACQUISITION_RULES, RoundConfig, RoundPlan
from mlcore.tree import DecisionTree

N, D, VOTES = 120, 6, 8
CONFIG = RoundConfig(
    acquisition="information",
    dimensions=4,
    draws=8,
    batch=12,
    retirement_votes=20,
    expected_votes=4,
)


@pytest.fixture(scope="module")
def tree():
    def question(slug, *answers):
        listed = [{"slug": a, "text": {"en": a}, "next": following} for a, following in answers]
        return {"slug": slug, "text": {"en": slug}, "help": {}, "answers": listed}

    return DecisionTree.from_dict(
        {
            "slug": "tiny",
            "name": "Tiny",
            "start": "shape",
            "questions": [
                question("shape", ("round", None), ("bar", "bright")),
                question("bright", ("yes", None), ("no", None)),
            ],
        }
    )


def a_survey(seed=0, n=N, voted=60):
    """Galaxies whose first two numbers say what volunteers see; the first `voted` have votes."""
    rng = np.random.default_rng(seed)
    looks = rng.standard_normal((n, D)).astype(np.float32)
    fractions = [softmax(2 * looks[:, [place, D - 1 - place]], axis=1) for place in (0, 1)]
    counts = np.hstack([rng.multinomial(VOTES, each) for each in fractions])
    counts[:, 2:] = np.minimum(counts[:, 2:], counts[:, 1:2])
    counts[voted:] = 0
    return looks, counts


def choose(
    folder, tree, looks, counts, *, config=CONFIG, pending=None, control=None, received=None
):
    """Run the stage as a round would, and return its record and its queue."""
    n = len(looks)
    columns = {
        "id_str": [f"s:{number}" for number in range(n)],
        "file_loc": [""] * n,
        "control": np.zeros(n, dtype=bool) if control is None else control,
        "retired": np.arange(n) == n - 1,
        "pending": np.zeros(n, dtype=np.int32) if pending is None else pending,
        **dict(zip(tree.label_cols, counts.astype(np.int32).T, strict=True)),
    }
    if received is not None:
        columns["received"] = received
    files = RoundFiles(RoundPlan(tree, 3, config, folder / "shared"), folder)
    for name in ("input", "predict", "acquire"):
        (folder / name).mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), folder / "input" / "subjects.parquet")
    shard = {"id_str": columns["id_str"]}
    for place, column in enumerate(tree.label_cols):
        shard[f"{column}_concentration"] = np.full(n, 1.0 + place % 2, dtype=np.float32)
    shard["representation"] = pa.FixedSizeListArray.from_arrays(looks.ravel(), looks.shape[1])
    pq.write_table(pa.table(shard), folder / "predict" / "shard-00000.parquet")
    write_json(folder / "predict" / "shards.json", {"shards": 1, "galaxies": n})
    files.folder("predict").finish({}, {"unreadable": {}})
    record = choose_subjects(files)
    return record, pq.read_table(folder / "acquire" / "queue.parquet").to_pydict()


def wanted(queue):
    return dict(zip(queue["id_str"], queue["votes_wanted"], strict=True))


@pytest.mark.parametrize("rule", ACQUISITION_RULES)
def test_every_rule_makes_a_queue(rule, tmp_path, tree):
    record, queue = choose(tmp_path, tree, *a_survey(), config=replace(CONFIG, acquisition=rule))
    assert record["rule"] == rule
    assert record["fallback"] == ""
    assert 0 < record["batch"] == CONFIG.batch or rule == "design"
    assert record["batch_votes"] == sum(queue["votes_wanted"][: record["batch"]])
    assert len(set(queue["id_str"])) == N - 1
    if rule != "design":
        rest = queue["score"][record["batch"] :]
        assert rest == sorted(rest, reverse=True)


def test_after_the_batch_votes_are_spread_thin_at_random(tmp_path, tree):
    looks, counts = a_survey()
    pending = np.where(np.arange(N) % 7 == 0, 2, 0).astype(np.int32)
    config = replace(CONFIG, acquisition="design")
    record, queue = choose(tmp_path, tree, looks, counts, config=config, pending=pending)
    rest = slice(record["batch"], None)
    rows = np.array([int(id_str[2:]) for id_str in queue["id_str"][rest]])
    given = VOTES * (rows < 60) + pending[rows]
    assert given.tolist() == sorted(given)
    assert queue["votes_wanted"][rest] == (pending[rows] + 1).tolist()
    none = rows[given == 0]
    assert len(none) > 5
    assert none.tolist() != sorted(none)
    _, again = choose(tmp_path, tree, looks, counts, config=config, pending=pending)
    assert again == queue


def test_where_chance_chooses_all_votes_are_spread_thin_too(tmp_path, tree):
    config = replace(CONFIG, acquisition="design")
    record, queue = choose(tmp_path, tree, *a_survey(voted=3), config=config)
    assert (record["rule"], record["batch"]) == ("random", 0)
    assert set(queue["votes_wanted"]) == {1}
    assert {int(id_str[2:]) for id_str in queue["id_str"][-3:]} == {0, 1, 2}


@pytest.mark.parametrize("rule", ["design", "information"])
def test_the_queue_says_which_votes_it_knew(rule, tmp_path, tree):
    looks, counts = a_survey()
    config = replace(CONFIG, acquisition=rule)
    _, queue = choose(tmp_path, tree, looks, counts, config=config)
    known = dict(zip(queue["id_str"], queue["votes"], strict=True))
    assert known == {f"s:{row}": VOTES * (row < 60) for row in range(N - 1)}

    _, queue = choose(tmp_path, tree, looks, counts, config=config, received=np.arange(N))
    assert all(
        votes == int(i[2:]) for i, votes in zip(queue["id_str"], queue["votes"], strict=True)
    )


@pytest.mark.parametrize("rule", ["bald", "margin", "entropy", "random"])
def test_other_rules_take_the_best_and_ask_for_all_votes(rule, tmp_path, tree):
    _, queue = choose(tmp_path, tree, *a_survey(), config=replace(CONFIG, acquisition=rule))
    assert queue["score"] == sorted(queue["score"], reverse=True)
    assert set(queue["votes_wanted"]) == {20, 20 - VOTES}


def test_our_batch_asks_for_as_many_votes_as_are_worth_it(tmp_path, tree):
    _, queue = choose(tmp_path, tree, *a_survey())
    batch = queue["votes_wanted"][: CONFIG.batch]
    assert min(batch) >= 3
    assert max(batch) < 20 - VOTES


def test_galaxies_without_votes_come_first_where_votes_are_in(tmp_path, tree):
    _, queue = choose(tmp_path, tree, *a_survey())
    unvoted = [int(id_str[2:]) >= 60 for id_str in queue["id_str"][: CONFIG.batch]]
    assert np.mean(unvoted) > 0.6


def test_promised_votes_lower_a_score_and_are_part_of_the_votes_wanted(tmp_path, tree):
    looks, counts = a_survey()
    _, before = choose(tmp_path, tree, looks, counts)
    best = before["id_str"][0]
    pending = np.where(np.arange(N) == int(best[2:]), 9, 0).astype(np.int32)
    _, after = choose(tmp_path, tree, looks, counts, pending=pending)
    scores = [dict(zip(q["id_str"], q["score"], strict=True))[best] for q in (before, after)]
    assert scores[1] < 0.6 * scores[0]
    assert wanted(after)[best] >= 9


def test_twins_of_a_chosen_galaxy_wait(tmp_path, tree):
    looks, counts = a_survey()
    _, before = choose(tmp_path, tree, looks, counts)
    best = int(before["id_str"][0][2:])
    others = [row for row in range(60, N - 1) if row != best][:30]
    looks[others] = looks[best] + 1e-4 * looks[others]
    config = replace(CONFIG, expected_votes=20)
    _, ours = choose(tmp_path, tree, looks, counts, config=config)
    _, plain = choose(tmp_path, tree, looks, counts, config=replace(CONFIG, acquisition="entropy"))
    names = {f"s:{row}" for row in [*others, best]}
    ours, plain = (sum(i in names for i in queue["id_str"][:12]) for queue in (ours, plain))
    assert ours <= 2
    assert plain >= 4


def test_votes_promised_on_galaxies_outside_the_shortlist_count(tmp_path, tree):
    looks, counts = a_survey(n=400)
    config = replace(CONFIG, batch=2, expected_votes=5, retirement_votes=40)
    _, queue = choose(tmp_path, tree, looks, counts, config=config)
    best = int(queue["id_str"][0][2:])
    twins = [best, *(row for row in range(60, 100) if row != best)][:11]
    looks[twins] = looks[best] + 1e-3 * looks[twins]
    pending = np.zeros(400, dtype=np.int32)
    pending[twins[6:]] = 30
    names = {f"s:{row}" for row in twins}
    _, before = choose(tmp_path, tree, looks, counts, config=config)
    record, after = choose(tmp_path, tree, looks, counts, config=config, pending=pending)
    assert set(before["id_str"][:2]) & names
    assert not set(after["id_str"][:2]) & names
    assert record["batch"] == 2


def test_the_panel_is_never_in_the_batch(tmp_path, tree):
    control = np.arange(N) % 3 == 0
    record, queue = choose(tmp_path, tree, *a_survey(), control=control)
    panel = [int(id_str[2:]) % 3 == 0 for id_str in queue["id_str"]]
    assert panel == sorted(panel)
    assert not any(panel[: record["batch"]])


UNUSABLE = {
    "nan": np.full((N, D), np.nan, dtype=np.float32),
    "constant": np.ones((N, D), dtype=np.float32),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_useless_representations_leave_it_to_chance(kind, tmp_path, tree):
    _, counts = a_survey()
    record, queue = choose(tmp_path, tree, UNUSABLE[kind], counts)
    assert record["rule"] == "random"
    assert "representations must have" in record["fallback"]
    assert record["dimensions"] == 0
    assert set(record["doubts"]) == {"shape", "bright"}
    assert not (tmp_path / "acquire" / "reducer.npz").exists()
    assert queue["score"] == sorted(queue["score"], reverse=True)
    assert queue["id_str"] != sorted(queue["id_str"], key=lambda each: int(each[2:]))
    near = pq.read_table(tmp_path / "acquire" / "neighbours" / "shard-00000.parquet")
    assert near["neighbour"].to_pylist() == [[]] * N


def test_too_few_votes_leave_it_to_chance(tmp_path, tree):
    record, _ = choose(tmp_path, tree, *a_survey(voted=3))
    assert record["rule"] == "random"
    assert record["fallback"] == "shape: 3 distinct galaxies with votes, 5 are needed"


def test_no_votes_leave_it_to_chance(tmp_path, tree):
    record, queue = choose(tmp_path, tree, *a_survey(voted=0))
    assert record["labelled"] == 0
    assert record["fallback"] == "shape: 0 distinct galaxies with votes, 5 are needed"
    assert set(queue["votes_wanted"]) == {20}


def test_votes_for_one_answer_alone_are_told_and_the_rule_goes_on(tmp_path, tree):
    looks, counts = a_survey()
    counts[:60] = [VOTES, 0, 0, 0]
    record, queue = choose(tmp_path, tree, looks, counts)
    assert record["rule"] == "information"
    assert record["doubts"]["shape"] == "all votes are for one answer"
    assert "0 distinct galaxies" in record["doubts"]["bright"]
    assert np.isfinite(queue["score"]).all()


def test_duplicate_galaxies_are_no_trouble(tmp_path, tree):
    looks, counts = a_survey()
    looks[10:50] = looks[9]
    record, queue = choose(tmp_path, tree, looks, counts)
    assert record["rule"] == "information"
    assert np.isfinite(queue["score"]).all()


def test_three_galaxies_are_enough_for_a_queue(tmp_path, tree):
    looks, counts = a_survey(n=3, voted=2)
    record, queue = choose(tmp_path, tree, looks, counts)
    assert record["rule"] == "random"
    assert sorted(queue["id_str"]) == ["s:0", "s:1"]


def test_everyone_retired_leaves_nothing(tmp_path, tree):
    looks, counts = a_survey(n=6, voted=6)
    record, queue = choose(
        tmp_path, tree, looks, counts, config=replace(CONFIG, retirement_votes=VOTES)
    )
    assert record["candidates"] == record["batch"] == record["batch_votes"] == 0
    assert queue["id_str"] == []
