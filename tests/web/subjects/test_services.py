import math
from io import BytesIO

import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy_healpix import HEALPix
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lenticular.common.errors import ConflictError, InvalidInputError, NotFoundError
from lenticular.subjects.models import IMAGE_SIZES, Subject, content_hash
from lenticular.subjects.positions import BadCoordinatesError, check_position, healpix_of
from lenticular.subjects.selectors import get_subject, image_path, image_urls
from lenticular.subjects.services import (
    BadImageError,
    add_subject,
    get_or_create_subject_set,
    get_or_create_survey,
)
from tests.universe import galaxy_png


@pytest.fixture
def survey(db):
    return get_or_create_survey(slug="drawn", name="Drawn galaxies")


@pytest.fixture
def subject_set(survey):
    return get_or_create_subject_set(survey=survey, slug="first", name="First light")


def add(survey, **changes):
    return add_subject(**{"survey": survey, "external_id": "g1", "image": galaxy_png(1), **changes})


def test_an_image_is_kept_in_every_size_and_never_enlarged(survey):
    subject, created = add(survey, image=galaxy_png(1, side=300))

    assert created
    image = subject.images.get()
    assert (image.width, image.height) == (300, 300)
    assert image.sha256 == content_hash(galaxy_png(1, side=300))
    for size, side in IMAGE_SIZES.items():
        with Image.open(image_path(image, size)) as kept:
            assert kept.format == "JPEG"
            assert kept.size == (min(300, side),) * 2
    assert set(image_urls(subject)) == set(IMAGE_SIZES)


def test_nothing_but_pixels_of_the_original_is_kept(survey):
    content = BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "a secret place"
    Image.new("RGB", (40, 20)).save(content, "JPEG", exif=exif)

    subject, _ = add(survey, image=content.getvalue())

    assert b"a secret place" not in image_path(subject.images.get(), "full").read_bytes()


def test_a_file_cut_short_by_a_kill_is_written_again(survey):
    subject, _ = add(survey)
    name = subject.images.get().stored_name("page")
    whole = image_path(subject.images.get(), "page").read_bytes()
    default_storage.delete(name)
    default_storage.save(name, ContentFile(whole[:40]))

    add(survey, external_id="g2")

    assert image_path(subject.images.get(), "page").read_bytes() == whole


def test_a_subject_that_is_there_stays_and_joins_the_sets(survey, subject_set):
    first, _ = add(survey, metadata={"band": "g"})

    again, created = add(
        survey, image=galaxy_png(2), metadata={"band": "r"}, subject_sets=[subject_set]
    )

    assert (again, created) == (first, False)
    assert again.metadata == {"band": "g"}
    assert again.images.count() == 1
    assert list(subject_set.subjects.all()) == [first]


def test_an_id_names_a_subject_within_its_survey(survey):
    other = get_or_create_survey(slug="other", name="Other")

    assert add(survey)[0] != add(other)[0]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"external_id": "  "}, InvalidInputError),
        ({"external_id": "x" * 121}, InvalidInputError),
        ({"external_id": "a\x00b"}, InvalidInputError),
        ({"image": b""}, BadImageError),
        ({"image": b"<svg/>"}, BadImageError),
        ({"image": galaxy_png(1)[:200]}, BadImageError),
        ({"ra": 12.0}, BadCoordinatesError),
        ({"ra": 360.0, "dec": 0.0}, BadCoordinatesError),
        ({"ra": 12.0, "dec": 91.0}, BadCoordinatesError),
    ],
)
def test_what_cannot_be_used_is_refused_and_not_kept(survey, wrong, error):
    with pytest.raises(error):
        add(survey, **wrong)

    assert not Subject.objects.exists()


def test_an_oversized_image_is_refused_undecoded(survey, settings):
    settings.LENTICULAR_MAX_IMAGE_PIXELS = 64 * 63
    with pytest.raises(BadImageError, match="at most 4032 pixels"):
        add(survey)

    settings.LENTICULAR_MAX_IMAGE_BYTES = 100
    with pytest.raises(BadImageError, match="at most 100 bytes"):
        add(survey)


@given(st.floats(0, 360, exclude_max=True), st.floats(-90, 90))
def test_the_index_of_a_position_is_healpix_nested(ra, dec):
    check_position(ra, dec)

    grid = HEALPix(nside=4096, order="nested", frame="icrs")
    assert healpix_of(ra, dec) == grid.skycoord_to_healpix(
        SkyCoord(ra * units.deg, dec * units.deg)
    )


@pytest.mark.parametrize("ra", [-0.1, 360.0, math.nan, math.inf, None])
def test_a_position_off_the_sky_is_refused(ra):
    with pytest.raises(BadCoordinatesError):
        check_position(ra, 10.0)


def test_a_position_may_be_unknown():
    check_position(None, None)

    assert healpix_of(None, None) is None


def test_a_set_belongs_to_one_survey(survey, subject_set):
    other = get_or_create_survey(slug="other", name="Other")

    with pytest.raises(ConflictError, match="belongs to survey drawn, not other"):
        get_or_create_subject_set(survey=other, slug="first", name="First light")
    with pytest.raises(InvalidInputError, match="slug"):
        get_or_create_survey(slug="not a slug", name="Other")


def test_a_subject_that_does_not_exist_is_not_found(db):
    with pytest.raises(NotFoundError, match="subject 7 does not exist"):
        get_subject(subject_id=7)
