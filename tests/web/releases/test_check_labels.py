"""What a release says of galaxies is what ``check_labels`` holds labels against."""

import pytest
from django.core.management import call_command

from lenticular.releases.services import make_release
from lenticular.rounds.selectors import prediction_id
from lenticular.rounds.workspace import local_path
from mlcore.files import write_json

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_catalogue_is_read_as_it_is(universe, predict, tmp_path, capsys, ending):
    predict(universe, universe.subjects[:8])
    release = make_release(workflow=universe.workflow, user=universe.astronomer, title="Shapes")
    tree = universe.version.tree
    write_json(tmp_path / "tree.json", tree.to_dict())
    answer = tree.question(tree.start).answers[0].slug
    lines = [f"{prediction_id(subject)},{answer}" for subject in universe.subjects]
    (tmp_path / "labels.csv").write_text("\n".join(["id_str,label", *lines]))
    call_command(
        "check_labels", tmp_path / "labels.csv",
        local_path(release.artefacts) / f"catalogue.{ending}",
        "--tree", tmp_path / "tree.json", "--out", tmp_path / "out.csv",
    )  # fmt: skip
    assert f"8 of {len(lines)} matched" in capsys.readouterr().out
