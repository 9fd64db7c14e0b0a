import os
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from django.core.management import CommandError, call_command
from PIL import Image

from lenticular.subjects import imports
from lenticular.subjects.imports import import_manifest
from lenticular.subjects.manifests import ManifestError, open_manifest
from lenticular.subjects.models import ImportRun, Subject
from lenticular.subjects.services import get_or_create_subject_set, get_or_create_survey
from tests.universe import galaxy_png

REAL = Path(os.environ.get("LENTICULAR_REAL_DATA", Path(__file__).parents[4] / "shared" / "data"))


@pytest.fixture
def subject_set(db):
    survey = get_or_create_survey(slug="drawn", name="Drawn galaxies")
    return get_or_create_subject_set(survey=survey, slug="first", name="First light")


@pytest.fixture
def folder(tmp_path):
    """A folder of five good images."""
    images = tmp_path / "manifest"
    images.mkdir()
    for number in range(5):
        (images / f"g{number}.png").write_bytes(galaxy_png(number))
    return images


def table(folder, text):
    path = folder / "manifest.csv"
    path.write_text(text)
    return path


def counts(run):
    return run.added, run.already_there, run.rejected


def reasons(run):
    return {reject.row: reject.code for reject in run.rejects.all()}


def test_a_folder_is_imported_under_its_file_names(folder, subject_set):
    (folder / "notes.txt").write_text("not an image, not asked for")

    run = import_manifest(source=folder, subject_set=subject_set)

    assert counts(run) == (5, 0, 0)
    assert run.finished_at is not None
    names = subject_set.subjects.order_by("external_id").values_list("external_id", flat=True)
    assert list(names) == ["g0", "g1", "g2", "g3", "g4"]


def test_running_it_again_adds_nothing(folder, subject_set):
    import_manifest(source=folder, subject_set=subject_set)

    assert counts(import_manifest(source=folder, subject_set=subject_set)) == (0, 5, 0)
    assert Subject.objects.count() == 5


def test_an_import_that_was_killed_is_resumed(folder, subject_set, monkeypatch):
    monkeypatch.setattr(imports, "CHUNK", 2)

    def die(_rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_manifest(source=folder, subject_set=subject_set, on_rows=die)

    assert ImportRun.objects.get().finished_at is None
    assert counts(import_manifest(source=folder, subject_set=subject_set)) == (3, 2, 0)


def test_columns_say_what_volunteers_see(folder, subject_set):
    source = table(
        folder,
        "external_id,location:1,ra,dec,metadata:band,metadata:#truth,!metadata:z,gz1_class\n"
        "a,g0.png,10.5,-3.25,gri,spiral,0.1,elliptical\n"
        "b,g1.png,,,,,,\n",
    )

    import_manifest(source=source, subject_set=subject_set)

    first, second = Subject.objects.order_by("external_id")
    assert (first.ra, first.dec) == (10.5, -3.25)
    assert first.healpix is not None
    assert first.metadata == {"band": "gri"}
    assert first.hidden_metadata == {"truth": "spiral", "z": "0.1", "gz1_class": "elliptical"}
    assert (second.ra, second.metadata, second.hidden_metadata) == (None, {}, {})


def test_every_bad_row_is_reported_with_its_reason_and_good_rows_are_kept(
    folder, subject_set, settings
):
    settings.LENTICULAR_MAX_IMAGE_PIXELS = 5000
    (folder.parent / "outside.png").write_bytes(galaxy_png(9))
    (folder / "link.png").symlink_to(folder.parent / "outside.png")
    (folder / "cut.png").write_bytes(galaxy_png(3)[:-60])
    (folder / "page.jpg").write_text("<html>404</html>")
    Image.new("L", (100, 100)).save(folder / "bomb.png")
    source = table(
        folder,
        "id,file,ra,dec\n"
        "good,g0.png,1,2\n"
        "gone,absent.png,1,2\n"
        "cut,cut.png,1,2\n"
        "html,page.jpg,1,2\n"
        "bomb,bomb.png,1,2\n"
        "ra,g1.png,400,2\n"
        "word,g1.png,east,2\n"
        "half,g1.png,1,\n"
        "good,g1.png,1,2\n"
        "up,../outside.png,1,2\n"
        "root,/etc/passwd,1,2\n"
        "link,link.png,1,2\n"
        ",g1.png,1,2\n"
        "none,,1,2\n"
        "folder,.,1,2\n"
        f"{'x' * 121},g1.png,1,2\n"
        "last,g2.png,3,4\n",
    )

    run = import_manifest(source=source, subject_set=subject_set)

    assert counts(run) == (2, 0, 15)
    assert reasons(run) == {
        2: "missing",
        3: "truncated",
        4: "not-an-image",
        5: "too-many-pixels",
        6: "bad-coordinates",
        7: "bad-coordinates",
        8: "bad-coordinates",
        9: "duplicate-id",
        10: "outside-folder",
        11: "outside-folder",
        12: "outside-folder",
        13: "blank-id",
        14: "missing",
        15: "missing",
        16: "bad-id",
    }
    assert set(Subject.objects.values_list("external_id", flat=True)) == {"good", "last"}


def test_a_short_row_and_a_control_character_are_reported(folder, subject_set):
    source = table(folder, 'id,file\nshort\n"a\x1b[2Jb",g0.png\nc,g1.png\n')

    run = import_manifest(source=source, subject_set=subject_set)

    assert reasons(run) == {1: "missing", 2: "bad-id"}
    assert "\x1b" not in run.rejects.get(row=2).message + run.rejects.get(row=2).external_id


@pytest.mark.filterwarnings("ignore:.*W03")  # VOTable ids without colons, by astropy
@pytest.mark.parametrize("suffix", ["parquet", "fits", "vot"])
def test_other_tables_say_the_same(folder, subject_set, suffix):
    source = folder / f"manifest.{suffix}"
    columns = {
        "id_str": ["a", "b"],
        "file": ["g0.png", "g1.png"],
        "ra": [10.5, 11.5],
        "dec": [1.0, 2.0],
        "metadata:z": [0.25, 0.5],
    }
    if suffix == "parquet":
        pq.write_table(pa.table(columns), source)
    else:
        Table(columns).write(source, format={"vot": "votable"}.get(suffix, suffix))

    run = import_manifest(source=source, subject_set=subject_set)

    assert counts(run) == (2, 0, 0)
    first = Subject.objects.get(external_id="a")
    assert (first.ra, first.dec, first.metadata) == (10.5, 1.0, {"z": 0.25})


def test_images_may_lie_in_another_folder(folder, subject_set, tmp_path):
    source = table(tmp_path, "id,file\na,g0.png\n")

    run = import_manifest(source=source, subject_set=subject_set, folder=folder)

    assert counts(run) == (1, 0, 0)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("m.csv", b"", "must have a column of images"),
        ("m.csv", b"id,ra\na,1\n", "must have a column of images"),
        ("m.csv", b"id,f\xffile\n", "must be CSV in UTF-8"),
        ("m.parquet", b"not parquet", "must be Parquet"),
        ("m.xlsx", b"PK\x03\x04", "must be CSV, Parquet, FITS or VOTable"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_told_at_once(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ManifestError, match=reason):
        open_manifest(tmp_path / name)


def test_a_manifest_damaged_further_on_keeps_the_rows_before(folder, subject_set, monkeypatch):
    monkeypatch.setattr(imports, "CHUNK", 1)
    source = folder / "manifest.csv"
    source.write_bytes(b"id,file\na,g0.png\n" + b"b,g1.png\n" * 2000 + b"c,\xff\n")

    with pytest.raises(ManifestError, match="UTF-8"):
        import_manifest(source=source, subject_set=subject_set)

    assert Subject.objects.filter(external_id="a").exists()


def test_a_source_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ManifestError, match="there is no"):
        open_manifest(tmp_path / "absent.csv")
    (tmp_path / "m.csv").write_text("id,file\n")
    with pytest.raises(ManifestError, match="folder must be a folder"):
        open_manifest(tmp_path / "m.csv", folder=tmp_path / "absent")


class TestCommand:
    def run(self, *arguments):
        output = StringIO()
        call_command("import_subjects", *map(str, arguments), "--quiet", stdout=output)
        return output.getvalue()

    def test_it_reports_what_it_did(self, db, folder):
        (folder / "cut.png").write_bytes(galaxy_png(3)[:-60])

        told = self.run(folder, "--survey", "drawn", "--subject-set", "first")

        assert "row 1 (cut): truncated: " in told
        assert told.endswith("5 added, 0 already there, 1 rejected\n")

    def test_what_it_cannot_read_is_an_error(self, db, tmp_path):
        with pytest.raises(CommandError, match="there is no"):
            self.run(tmp_path / "absent", "--survey", "drawn")


@pytest.mark.real
@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real data in {REAL}")
def test_real_hubble_images_but_for_the_truncated_one(subject_set):
    run = import_manifest(source=REAL / "gz_hubble" / "images", subject_set=subject_set)

    assert counts(run) == (55, 0, 1)
    assert reasons(run) == {48: "truncated"}


def renderings(external_id):
    images = Subject.objects.get(external_id=external_id).images.order_by("position")
    return list(images.values_list("rendering", "position"))


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ("location:1,location:2,location:3", ["main", "2", "3"]),
        ("image:optical,image:infra-red,image:UV", ["optical", "infra-red", "UV"]),
        ("file,image:infrared,location:2", ["main", "infrared", "2"]),
    ],
)
def test_a_galaxy_may_have_several_renderings(folder, subject_set, columns, names):
    source = table(folder, f"id,{columns}\na,g0.png,g1.png,g2.png\nb,g3.png,,g4.png\n")

    run = import_manifest(source=source, subject_set=subject_set)

    assert counts(run) == (2, 0, 0)
    assert renderings("a") == [(name, place) for place, name in enumerate(names)]
    assert renderings("b") == [(names[0], 0), (names[2], 1)]
    assert Subject.objects.get(external_id="a").hidden_metadata == {}


def test_a_rendering_that_can_not_be_used_rejects_its_row(folder, subject_set):
    (folder / "page.jpg").write_text("<html>404</html>")
    source = table(
        folder,
        "id,image:optical,image:infrared\n"
        "good,g0.png,g1.png\n"
        "gone,g1.png,absent.png\n"
        "html,g2.png,page.jpg\n"
        "up,g3.png,../outside.png\n"
        "first,,g4.png\n",
    )

    run = import_manifest(source=source, subject_set=subject_set)

    assert counts(run) == (1, 0, 4)
    assert reasons(run) == {2: "missing", 3: "not-an-image", 4: "outside-folder", 5: "missing"}


@pytest.mark.parametrize("name", ["", "infra red", "a" * 41, "紅外"])
def test_a_bad_name_of_a_rendering_is_refused(folder, name):
    with pytest.raises(ManifestError, match="the name of a rendering must be"):
        open_manifest(table(folder, f"id,file,image:{name}\na,g0.png,g1.png\n"))
