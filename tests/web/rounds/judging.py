"""Judges a round as its evaluate stage would, on votes and concentrations that are given."""

from lenticular.rounds import workspace
from lenticular.rounds.models import RoundState
from mlcore.calibration import fit_calibration
from mlcore.evaluation.comparison import compare
from mlcore.evaluation.details import detail
from mlcore.evaluation.figures import evaluate
from mlcore.evaluation.report import evaluation_report
from mlcore.files import write_json


def judge(round_, ids, counts, concentrations, *, previous=None, lookalikes=None):
    """Write ``evaluation.json`` of galaxies (n,) with votes and concentrations (n, A).

    Where look-alikes' fractions (n, A) are given, the calibration says how they are trusted.

    The round's record gets the same figures, and the round ends.
    """
    tree = round_.version.tree
    result = {**evaluate(counts, concentrations, tree).to_dict(), "previous": None}
    result |= {"comparison": None, "verdict": "There was no model before this one."}
    if previous is not None:
        compared = compare(counts, concentrations, previous, tree, seed=0).to_dict()
        before = evaluate(counts, previous, tree).to_dict()
        result |= {"previous": before, "comparison": compared, "verdict": "Said by the gate."}
    details = detail(ids, counts, concentrations, tree, seed=0)
    calibration = fit_calibration(counts, concentrations, tree, lookalikes)
    folder = workspace.stage_folder(round_, "evaluate")
    folder.begin({})
    write_json(folder.path / "evaluation.json", evaluation_report(result, details, calibration))
    folder.finish({}, result)
    round_.evaluation, round_.votes = result, int(counts.sum())
    round_.state = RoundState.SUCCEEDED
    round_.save()
