"""Making releases: consistent, complete, immutable, or not at all."""

import hashlib
import json
import os
import threading
import time

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from astropy.table import Table
from django.db import connection

from lenticular.classifications.models import Classification
from lenticular.common.errors import InvalidInputError
from lenticular.consensus.models import Tally
from lenticular.consensus.selectors import tally_of
from lenticular.releases import making, services
from lenticular.releases.errors import (
    ConsensusDiffersError,
    NoVotesError,
    PredictionsDifferError,
    TooManySubjectsError,
)
from lenticular.releases.models import Release, ReleaseFile
from lenticular.releases.services import make_release
from lenticular.rounds import workspace
from lenticular.selection.models import QueueEntry
from lenticular.workflows.services import publish_version
from tests import universe as world
from tests.universe import FEATURED, SMOOTH_ROUND, build_universe, classify, small_tree

pytestmark = pytest.mark.django_db


def frame(folder):
    return pd.read_parquet(folder / "catalogue.parquet")


def releases_folder():
    return workspace.local_path("releases/shapes")


class TestCatalogue:
    def test_has_one_row_per_galaxy_whose_counts_are_the_tallies(self, universe, folder):
        found = frame(folder).set_index("external_id")
        assert list(found.index) == [subject.external_id for subject in universe.subjects]
        for subject in universe.subjects:
            tally = tally_of(version=universe.version, subject_id=subject.pk)
            row = found.loc[subject.external_id]
            for column in universe.tree.label_cols:
                assert row[column] == (tally.counts.get(column, 0) if tally else 0)
            assert row["classifications"] == (tally.classifications if tally else 0)

    def test_has_totals_and_fractions_that_are_blank_without_votes(self, folder):
        found = frame(folder)
        voted = found["shape_total-votes"] > 0
        shape = [f"shape_{answer}" for answer in ("smooth", "featured", "artifact")]
        assert (found[shape].sum(axis=1) == found["shape_total-votes"]).all()
        fractions = found[[f"{column}_fraction" for column in shape]]
        assert np.allclose(fractions[voted].sum(axis=1), 1)
        assert fractions[~voted].isna().all(axis=None)
        assert found.loc[~voted, "shape_smooth_lower"].isna().all()

    def test_the_interval_holds_the_posterior_mean(self, folder):
        found = frame(folder).dropna(subset=["shape_smooth_mean"])
        assert len(found)
        assert (found["shape_smooth_lower"] < found["shape_smooth_mean"]).all()
        assert (found["shape_smooth_mean"] < found["shape_smooth_upper"]).all()
        row = found.iloc[0]
        votes, total = row["shape_smooth"], row["shape_total-votes"]
        assert np.isclose(row["shape_smooth_mean"], (votes + 1) / (total + 3))

    def test_tells_how_each_galaxy_was_chosen(self, universe, folder):
        found = frame(folder).set_index("external_id")
        for entry in QueueEntry.objects.select_related("subject"):
            row = found.loc[entry.subject.external_id]
            assert row["control_panel"] == entry.in_panel
            assert row["control_panel_probability"] == 0.25
            votes = Classification.objects.filter(subject=entry.subject)
            arms = ["active", "control", "gold", "other"]
            by_arm = [row[f"votes_{arm}"] for arm in arms]
            assert by_arm == [votes.filter(arm=arm).count() for arm in arms[:3]] + [0]
            chances = list(votes.values_list("selection_probability", flat=True))
            if chances:
                assert np.isclose(row["mean_selection_probability"], np.mean(chances))
            else:
                assert np.isnan(row["mean_selection_probability"])

    def test_tells_why_a_galaxy_is_retired(self, universe):
        for volunteer in (universe.other_anonymous, world.create_anonymous_volunteer()):
            classify(universe, volunteer, 12, paths=(world.ARTIFACT,))
        release = make_release(workflow=universe.workflow, user=None, title="Artifacts")
        found = frame(workspace.local_path(release.artefacts))
        assert "artifact" in set(found["retirement_reason"])
        assert release.provenance["subjects"]["retired"]["artifact"] >= 1

    def test_has_no_prediction_without_a_model(self, folder, release):
        found = frame(folder)
        assert found["shape_smooth_predicted"].isna().all()
        assert found["shape_smooth_concentration"].dtype == np.float32
        assert release.round is None

    def test_has_the_current_models_predictions(self, universe, predict, monkeypatch):
        monkeypatch.setattr("lenticular.releases.reading.CHUNK", 5)
        left_out = universe.subjects[3]
        predicted = [subject for subject in universe.subjects if subject != left_out]
        round_ = predict(universe, predicted)
        release = make_release(workflow=universe.workflow, user=None, title="With a model")
        found = frame(workspace.local_path(release.artefacts)).set_index("external_id")
        assert release.round == round_
        assert release.provenance["subjects"]["predicted"] == 11
        assert np.isnan(found.loc[left_out.external_id, "shape_smooth_predicted"])
        last = found.loc[predicted[-1].external_id]
        shape = [11, 12, 13]
        assert last["shape_smooth_concentration"] == shape[0]
        assert np.isclose(last["shape_smooth_predicted"], shape[0] / sum(shape))
        assert np.isclose(last["roundness_round_predicted"], 14 / 29)

    def test_counts_a_merged_person_once(self, universe):
        from lenticular.classify.services import merge_volunteers

        merge_volunteers(anonymous=universe.anonymous, into=universe.volunteer)
        release = make_release(workflow=universe.workflow, user=None, title="Merged")
        tallied = sum(Tally.objects.values_list("classifications", flat=True))
        assert release.votes == tallied
        assert release.provenance["classifications"]["volunteers"] == 1


class TestReaders:
    """What astronomers load the files with sees the types that the schema promises."""

    def test_every_dtype_in_pandas(self, folder):
        found, schema = frame(folder), json.loads((folder / "schema.json").read_text())
        assert list(found) == [column["name"] for column in schema["columns"]]
        for column in schema["columns"]:
            dtype = found[column["name"]].dtype
            if column["type"] == "string":
                assert pd.api.types.is_string_dtype(dtype), column["name"]
            else:
                assert dtype.name.replace("boolean", "bool") == column["type"].replace(
                    "boolean", "bool"
                ), column["name"]

    @pytest.mark.filterwarnings("ignore:No table..len")
    def test_every_dtype_in_astropy(self, universe, predict):
        predict(universe, universe.subjects)
        release = make_release(workflow=universe.workflow, user=None, title="Everything")
        path = workspace.local_path(release.artefacts)
        text = Table.read(path / "catalogue.csv", format="ascii.csv")
        table = Table.read(path / "catalogue.parquet", format="parquet")
        kinds = {"string": "U", "boolean": "bi", "int32": "i", "float32": "f", "float64": "f"}
        for column in json.loads((path / "schema.json").read_text())["columns"]:
            name, kind = column["name"], kinds[column["type"]]
            assert table[name].dtype.kind in kind, name
            if name != "retirement_reason":
                whole = text[name].dtype.kind == "i" and kind == "f" and np.all(text[name] % 1 == 0)
                assert text[name].dtype.kind in kind or whole, name
        assert (text["ra"] == [subject.ra for subject in universe.subjects]).all()
        assert (
            np.ma.getmaskarray(text["shape_smooth_fraction"]) == (text["shape_total-votes"] == 0)
        ).all()

    def test_csv_and_parquet_hold_the_same(self, folder):
        text = pd.read_csv(folder / "catalogue.csv")
        text["retirement_reason"] = text["retirement_reason"].astype(object).fillna("")
        table = frame(folder)
        pd.testing.assert_frame_equal(text, table, check_dtype=False, rtol=1e-6)

    def test_parquet_carries_the_descriptions(self, folder):
        field = pq.read_schema(folder / "catalogue.parquet").field("ra")
        assert field.metadata[b"unit"] == b"deg"
        assert field.metadata[b"ucd"] == b"pos.eq.ra;meta.main"


class TestDocuments:
    def test_checksums_are_of_the_files(self, release, folder):
        names = {path.name for path in folder.iterdir()}
        assert names == set(making.DESCRIPTIONS)
        records = {file.name: file for file in release.files.all()}
        for path in folder.iterdir():
            content = path.read_bytes()
            assert records[path.name].bytes == len(content)
            assert records[path.name].sha256 == hashlib.sha256(content).hexdigest()
        for line in (folder / "SHA256SUMS").read_text().splitlines():
            checksum, name = line.split("  ")
            assert records[name].sha256 == checksum

    def test_the_citation_is_well_formed(self, universe):
        title = 'Round: "smooth" & 星系 # 1'
        release = make_release(workflow=universe.workflow, user=None, title=title)
        cff = yaml.safe_load((workspace.local_path(release.artefacts) / "CITATION.cff").read_text())
        assert cff["cff-version"] == "1.2.0"
        assert cff["title"] == f"{title}, release 1"
        assert cff["authors"] == [{"name": "The volunteers of Shapes"}]
        assert str(cff["date-released"]) == f"{release.created_at:%Y-%m-%d}"

    def test_provenance_names_all_that_it_was_made_from(self, universe, release, folder):
        said = json.loads((folder / "provenance.json").read_text())
        log = Classification.objects.order_by("id")
        assert said["workflow"]["tree_checksum"] == universe.tree.checksum
        assert said["classifications"] == {
            "first_id": log.first().pk, "last_id": log.last().pk, "votes": 7, "volunteers": 2,
        }  # fmt: skip
        assert said["selection"]["rules"]["control_panel"] == 0.25
        assert "drawn at random, once" in said["selection"]["words"]
        assert sum(said["selection"]["votes_by_arm"].values()) == 7
        assert said["release"]["number"] == release.number == 1
        assert said["model"] is None

    def test_the_tree_can_be_read_back(self, universe, folder):
        assert type(universe.tree).from_file(folder / "tree.json") == universe.tree


class TestRules:
    def test_numbers_count_up_and_releases_stay_as_they_are(self, universe, release, folder):
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        classify(universe, universe.other_anonymous, 2)
        second = make_release(workflow=universe.workflow, user=None, title="Shapes")
        assert (release.number, second.number) == (1, 2)
        assert second.votes == release.votes + 2
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    def test_without_votes_nothing_is_released(self, quiet_universe):
        with pytest.raises(NoVotesError, match="must have votes to be released"):
            make_release(workflow=quiet_universe.workflow, user=None, title="Nothing")
        assert not Release.objects.exists()

    def test_versions_are_not_mixed(self, universe):
        document = small_tree().to_dict()
        document["name"] = "Other shapes"
        first = universe.version
        publish_version(workflow=universe.workflow, tree=type(universe.tree).from_dict(document))
        with pytest.raises(NoVotesError):
            make_release(workflow=universe.workflow, user=None, title="New")
        old = make_release(workflow=universe.workflow, user=None, title="Old", version=first)
        assert (old.votes, old.version) == (7, first)

    def test_a_model_of_another_version_predicts_nothing_here(self, universe, predict):
        first = universe.version
        document = small_tree().to_dict()
        document["name"] = "Other shapes"
        other = publish_version(
            workflow=universe.workflow, tree=type(universe.tree).from_dict(document)
        )
        predict(universe, universe.subjects, version=other)
        old = make_release(workflow=universe.workflow, user=None, title="Old", version=first)
        assert old.round is None

    @pytest.mark.parametrize("title", ["", "  ", "x" * 201])
    def test_a_title_is_needed(self, universe, title):
        with pytest.raises(InvalidInputError, match="title must have 1 to 200"):
            make_release(workflow=universe.workflow, user=None, title=title)

    def test_a_version_of_another_workflow_is_refused(self, universe):
        from lenticular.workflows.services import create_workflow

        other = create_workflow(slug="other", name="Other", tree=small_tree())
        with pytest.raises(InvalidInputError, match="version must be one of other"):
            make_release(workflow=other, user=None, title="x", version=universe.version)

    def test_a_request_makes_no_large_release(self, universe):
        with pytest.raises(TooManySubjectsError, match="at most 11 galaxies, shapes has 12"):
            make_release(workflow=universe.workflow, user=None, title="x", at_most=11)

    def test_tallies_that_differ_from_the_log_are_not_released(self, universe):
        Tally.objects.filter(pk=Tally.objects.first().pk).update(counts={"shape_smooth": 9})
        with pytest.raises(ConsensusDiffersError, match="run rebuild_consensus"):
            make_release(workflow=universe.workflow, user=None, title="x")
        assert not Release.objects.exists()

    def test_votes_outside_the_queue_are_not_lost_silently(self, universe):
        voted = Tally.objects.first().subject_id
        QueueEntry.objects.filter(subject=voted).delete()
        with pytest.raises(ConsensusDiffersError, match="fill_queue"):
            make_release(workflow=universe.workflow, user=None, title="x")

    def test_predictions_of_other_galaxies_are_refused(self, universe, predict):
        predict(universe, universe.subjects)
        QueueEntry.objects.filter(subject=universe.subjects[-1]).delete()
        Tally.objects.filter(subject=universe.subjects[-1]).delete()
        with pytest.raises(PredictionsDifferError, match="predicted 'drawn:galaxy-011'"):
            make_release(workflow=universe.workflow, user=None, title="x")


class TestFailure:
    @pytest.mark.parametrize("step", ["write_catalogue", "write_documents"])
    def test_half_way_leaves_nothing(self, universe, monkeypatch, step):
        def fail(*_arguments):
            raise OSError("the disk is full")

        monkeypatch.setattr(making, step, fail)
        with pytest.raises(OSError, match="disk is full"):
            make_release(workflow=universe.workflow, user=None, title="x")
        assert not Release.objects.exists()
        assert not ReleaseFile.objects.exists()
        assert list(releases_folder().iterdir()) == []

    def test_in_the_last_step_leaves_nothing(self, universe, monkeypatch):
        def fail(*_arguments):
            raise OSError("the disk is gone")

        monkeypatch.setattr(services, "_move", fail)
        with pytest.raises(OSError, match="disk is gone"):
            make_release(workflow=universe.workflow, user=None, title="x")
        assert not Release.objects.exists()
        assert list(releases_folder().iterdir()) == []

    def test_what_a_killed_maker_left_is_replaced(self, universe):
        left = workspace.local_path("releases/shapes/0001")
        left.mkdir(parents=True)
        (left / "half.csv").write_text("half")
        release = make_release(workflow=universe.workflow, user=None, title="x")
        assert release.number == 1
        assert not (left / "half.csv").exists()

    def test_a_folder_that_nobody_has_written_to_for_a_day_goes(self, universe):
        yesterday = time.time() - 25 * 3600
        killed, at_work = (releases_folder() / f".making-{name}" for name in ("1", "2"))
        for folder in (killed, at_work):
            folder.mkdir(parents=True)
            (folder / "catalogue.csv").write_text("half")
            os.utime(folder, (yesterday, yesterday))
        os.utime(killed / "catalogue.csv", (yesterday, yesterday))
        with making.making_folder(universe.workflow):
            assert not killed.exists()
            assert at_work.is_dir()


@pytest.mark.django_db(transaction=True)
def test_releases_made_at_once_get_different_numbers():
    universe = build_universe()
    made, failed = [], []
    start = threading.Barrier(3)

    def make():
        start.wait()
        try:
            made.append(make_release(workflow=universe.workflow, user=None, title="At once"))
        except Exception as error:  # noqa: BLE001
            failed.append(error)
        finally:
            connection.close()

    makers = [threading.Thread(target=make) for _ in range(3)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert not failed
    assert sorted(release.number for release in made) == [1, 2, 3]
    for release in made:
        assert len(list(workspace.local_path(release.artefacts).iterdir())) == 8


@pytest.mark.django_db(transaction=True)
def test_a_vote_that_comes_meanwhile_is_in_the_next_release(monkeypatch):
    universe = build_universe()
    write = making.write_catalogue

    def vote_then_write(snapshot, folder):
        voting = threading.Thread(target=_vote, args=(universe,))
        voting.start()
        voting.join()
        return write(snapshot, folder)

    monkeypatch.setattr(making, "write_catalogue", vote_then_write)
    release = make_release(workflow=universe.workflow, user=None, title="Meanwhile")
    assert release.votes == 7
    assert Classification.objects.count() == 8
    assert frame(workspace.local_path(release.artefacts))["classifications"].sum() == 7


def _vote(universe):
    classify(universe, universe.other_anonymous, 1, paths=(SMOOTH_ROUND, FEATURED))
    connection.close()
