"""The cache that training reads: what it keeps, and what it costs when a survey changes."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mlcore import images
from mlcore.decoding import shrink_centre
from mlcore.errors import (
    ArtefactError,
    CancelledError,
    ImageError,
    ImagesAwayError,
    InvalidInputError,
    UnreadableError,
)
from mlcore.images import ImageCache

REAL = Path(os.environ.get("LENTICULAR_REAL_DATA", Path(__file__).parents[3] / "shared/data"))


def noise(width=40, height=30, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def gallery(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(150)]
    for number, path in enumerate(paths):
        noise(12, 12, seed=number).save(path)
    return paths, [f"g{number}" for number in range(150)]


def stop_after(calls):
    asked = []

    def should_stop():
        asked.append(None)
        return len(asked) > calls

    return should_stop


class TestImageCache:
    def test_holds_each_image_in_order(self, gallery, tmp_path):
        paths, ids = gallery
        cache = ImageCache.build(paths, ids, tmp_path / "cache", size=12)
        assert (cache.ids, cache.images.shape) == (tuple(ids), (150, 12, 12, 3))
        assert all(
            np.array_equal(image, Image.open(path))
            for image, path in zip(cache.images, paths, strict=True)
        )

    def test_opens_as_it_was_built_and_cannot_be_written(self, gallery, tmp_path):
        built = ImageCache.build(*gallery, tmp_path / "cache", size=8, crop_fraction=0.5)
        opened = ImageCache.open(tmp_path / "cache")
        assert np.array_equal(built.images, opened.images)
        assert (opened.size, opened.crop_fraction) == (8, 0.5)
        with pytest.raises(ValueError, match="read-only"):
            opened.images[0] = 0

    def test_finds_rows_by_id(self, gallery, tmp_path):
        cache = ImageCache.build(*gallery, tmp_path / "cache", size=8)
        assert cache.rows(["g3", "g1"]).tolist() == [3, 1]
        with pytest.raises(InvalidInputError, match="'g999' is not"):
            cache.rows(["g1", "g999"])

    def test_goes_on_where_it_was_stopped(self, gallery, tmp_path):
        paths, ids = gallery
        with pytest.raises(CancelledError, match="images was stopped"):
            ImageCache.build(paths, ids, tmp_path / "a", size=8, should_stop=stop_after(1))
        for path in paths[:64]:
            path.unlink()
        resumed = ImageCache.build(paths, ids, tmp_path / "a", size=8)
        assert np.array_equal(
            resumed.images[100], shrink_centre(noise(12, 12, 100), size=8, crop_fraction=1)
        )
        assert resumed.images[:64].any(axis=(1, 2, 3)).all()

    @pytest.mark.parametrize("cut", [1, 200, 12_000])
    def test_a_kill_that_lost_written_bytes_costs_those_rows_alone(self, gallery, tmp_path, cut):
        paths, ids = gallery
        whole = ImageCache.build(paths, ids, tmp_path / "whole", size=8)
        with pytest.raises(CancelledError):
            ImageCache.build(paths, ids, tmp_path / "a", size=8, should_stop=stop_after(1))
        for name in ("images.a.u8", "rows.a.jsonl"):
            half = tmp_path / "a" / name
            os.truncate(half, max(half.stat().st_size - cut, 0))
        assert np.array_equal(
            ImageCache.build(paths, ids, tmp_path / "a", size=8).images, whole.images
        )

    def test_does_not_take_another_requests_rows(self, gallery, tmp_path):
        paths, ids = gallery
        with pytest.raises(CancelledError):
            ImageCache.build(paths, ids, tmp_path / "a", size=8, should_stop=stop_after(1))
        cache = ImageCache.build(paths[::-1], ids, tmp_path / "a", size=12)
        assert np.array_equal(cache.images[0], Image.open(paths[-1]))

    def test_a_finished_cache_is_not_decoded_again(self, gallery, tmp_path):
        paths, ids = gallery
        ImageCache.build(paths, ids, tmp_path / "a", size=8)
        for path in paths:
            path.unlink()
        assert len(ImageCache.build(paths, ids, tmp_path / "a", size=8)) == 150

    def test_an_unreadable_image_raises_and_keeps_what_was_before(self, gallery, tmp_path):
        paths, ids = gallery
        paths[70].write_bytes(b"no image")
        with pytest.raises(ImageError, match=r"70\.png must be a JPEG") as refused:
            ImageCache.build(paths, ids, tmp_path / "a", size=8)
        assert refused.value.code == "not-an-image"
        with pytest.raises(ArtefactError):
            ImageCache.open(tmp_path / "a")

    def test_unreadable_images_can_be_left_out_by_name(self, gallery, tmp_path):
        paths, ids = gallery
        paths[70].write_bytes(b"no image")
        paths[3].unlink()
        cache = ImageCache.build(paths, ids, tmp_path / "a", size=12, skip_unreadable=True)
        assert len(cache) == 148
        assert cache.unreadable["g3"].startswith("missing: ")
        assert cache.unreadable["g70"].startswith("not-an-image: ")
        assert np.array_equal(cache.images[cache.rows(["g149"])[0]], Image.open(paths[149]))

    def test_reports_progress_to_the_end(self, gallery, tmp_path):
        said = []
        ImageCache.build(
            *gallery, tmp_path / "a", size=8, on_progress=lambda *each: said.append(each)
        )
        assert [each[1] for each in said] == sorted(each[1] for each in said)
        assert said[-1] == ("images", 1.0, "150 of 150 images ready")

    def test_an_empty_survey_has_an_empty_cache(self, tmp_path):
        assert ImageCache.build([], [], tmp_path / "a", size=8).images.shape == (0, 8, 8, 3)

    @pytest.mark.parametrize(
        ("ids", "options", "message"),
        [
            (["a"], {"size": 8}, r"paths must be as many as ids \(1\), are 2"),
            (["a", "a"], {"size": 8}, "ids must be unique, 1 are repeated"),
            (["a", "b"], {"size": 7}, "size must be at least 8, is 7"),
            (["a", "b"], {"size": 8, "crop_fraction": 0.0}, r"crop_fraction must be in \(0, 1\]"),
        ],
    )
    def test_refuses_a_bad_request(self, gallery, tmp_path, ids, options, message):
        with pytest.raises(InvalidInputError, match=message):
            ImageCache.build(gallery[0][:2], ids, tmp_path / "a", **options)

    @pytest.mark.parametrize("damage", ["missing", "short", "header", "json"])
    def test_a_damaged_cache_is_refused(self, gallery, tmp_path, damage):
        ImageCache.build(*gallery, tmp_path / "a", size=8)
        images, header = tmp_path / "a" / "images.a.u8", tmp_path / "a" / "cache.json"
        if damage == "missing":
            images.unlink()
        elif damage == "short":
            os.truncate(images, 100)
        else:
            header.write_text("{}" if damage == "header" else "{")
        with pytest.raises(ArtefactError):
            ImageCache.open(tmp_path / "a")


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that are decoded, as they are."""
    names, decode = [], images.decode_image

    def noted(path):
        names.append(path.name)
        return decode(path)

    monkeypatch.setattr(images, "decode_image", noted)
    return names


def build(paths, ids, directory, **options):
    return ImageCache.build(paths, ids, directory, size=8, **options)


def assert_right(cache, paths, ids):
    """The cache is the one that is made of these images alone."""
    assert cache.ids == tuple(ids)
    expected = [
        shrink_centre(Image.open(path).convert("RGB"), size=8, crop_fraction=1) for path in paths
    ]
    assert np.array_equal(cache.images, expected)


class TestAnotherSurveyThanBefore:
    def test_one_that_has_grown_decodes_what_is_new(self, gallery, tmp_path, decoded):
        paths, ids = gallery
        build(paths[:140], ids[:140], tmp_path / "a")
        decoded.clear()
        grown = build(paths, ids, tmp_path / "a")
        assert sorted(decoded) == sorted(path.name for path in paths[140:])
        assert_right(grown, paths, ids)

    def test_others_in_another_order_and_fewer_decode_nothing(self, gallery, tmp_path, decoded):
        paths, ids = gallery
        build(paths, ids, tmp_path / "a")
        decoded.clear()
        order = np.random.default_rng(0).permutation(150)[:90]
        some = [paths[place] for place in order], [ids[place] for place in order]
        assert_right(build(*some, tmp_path / "a"), *some)
        assert decoded == []

    def test_a_galaxy_with_another_file_is_decoded_again(self, gallery, tmp_path, decoded):
        paths, ids = gallery
        build(paths, ids, tmp_path / "a")
        decoded.clear()
        noise(12, 12, seed=999).save(tmp_path / "better.png")
        changed = [*paths[:70], tmp_path / "better.png", *paths[71:]]
        assert_right(build(changed, ids, tmp_path / "a"), changed, ids)
        assert decoded == ["better.png"]

    def test_another_size_or_crop_is_decoded_anew(self, gallery, tmp_path, decoded):
        paths, ids = gallery
        build(paths[:9], ids[:9], tmp_path / "a")
        ImageCache.build(paths[:9], ids[:9], tmp_path / "a", size=8, crop_fraction=0.5)
        other = ImageCache.build(paths[:9], ids[:9], tmp_path / "a", size=12, crop_fraction=0.5)
        assert len(decoded) == 27
        assert other.images.shape == (9, 12, 12, 3)

    @pytest.mark.parametrize("calls", [0, 1, 2])
    def test_a_kill_on_the_way_costs_nothing_that_was_there(
        self, gallery, tmp_path, decoded, calls
    ):
        paths, ids = gallery
        build(paths[:140], ids[:140], tmp_path / "a")
        with pytest.raises(CancelledError):
            build(paths[::-1], ids[::-1], tmp_path / "a", should_stop=stop_after(calls))
        assert_right(build(paths[::-1], ids[::-1], tmp_path / "a"), paths[::-1], ids[::-1])
        assert len(decoded) == len(set(decoded)) == 150

    def test_what_an_unfinished_one_has_is_taken_over(self, gallery, tmp_path, decoded):
        paths, ids = gallery
        with pytest.raises(CancelledError):
            build(paths[:149], ids[:149], tmp_path / "a", should_stop=stop_after(2))
        assert_right(build(paths, ids, tmp_path / "a"), paths, ids)
        assert len(decoded) == 150

    def test_of_a_finished_and_an_unfinished_one_the_fuller_is_taken(
        self, gallery, tmp_path, decoded
    ):
        paths, ids = gallery
        build(paths[:9], ids[:9], tmp_path / "a")
        with pytest.raises(CancelledError):
            build(paths[:149], ids[:149], tmp_path / "a", should_stop=stop_after(2))
        assert_right(build(paths, ids, tmp_path / "a"), paths, ids)
        assert len(decoded) == 150

    def test_a_full_disk_costs_what_was_not_written(self, gallery, tmp_path, decoded, monkeypatch):
        paths, ids = gallery
        build(paths[:64], ids[:64], tmp_path / "a")

        def full(_path, _document):
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(images, "write_json", full)
            with pytest.raises(OSError, match="No space left"):
                build(paths, ids, tmp_path / "a")
        assert_right(ImageCache.open(tmp_path / "a"), paths[:64], ids[:64])
        assert_right(build(paths, ids, tmp_path / "a"), paths, ids)
        assert len(decoded) == 150

    def test_who_has_the_old_one_open_keeps_it(self, gallery, tmp_path):
        paths, ids = gallery
        old = build(paths[:20], ids[:20], tmp_path / "a")
        build(paths[10:], ids[10:], tmp_path / "a")
        build(paths, ids, tmp_path / "a")
        assert_right(old, paths[:20], ids[:20])

    def test_no_more_than_one_cache_is_left_on_disk(self, gallery, tmp_path):
        paths, ids = gallery
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "images.u8").write_bytes(b"of an older version")
        for number in (20, 90, 150):
            build(paths[:number], ids[:number], tmp_path / "a")
        left = sorted(path.name.split(".")[0] for path in (tmp_path / "a").iterdir())
        assert left == ["cache", "images", "rows"]


class TestUnreadable:
    def test_is_tried_again_and_nothing_else(self, gallery, tmp_path, decoded):
        paths, ids = gallery
        whole = paths[3].read_bytes()
        paths[3].unlink()
        paths[70].write_bytes(b"no image")
        first = build(paths, ids, tmp_path / "a", skip_unreadable=True)
        assert list(first.unreadable) == ["g3", "g70"]
        decoded.clear()
        again = build(paths, ids, tmp_path / "a", skip_unreadable=True)
        assert (sorted(decoded), again.unreadable) == (["3.png", "70.png"], first.unreadable)
        paths[3].write_bytes(whole)
        back = build(paths, ids, tmp_path / "a", skip_unreadable=True)
        assert list(back.unreadable) == ["g70"]
        assert_right(back, paths[:70] + paths[71:], ids[:70] + ids[71:])
        assert set(decoded) == {"3.png", "70.png"}

    def test_is_not_tried_again_where_that_is_not_wanted(self, gallery, tmp_path, decoded):
        paths, ids = gallery
        whole = paths[3].read_bytes()
        paths[3].unlink()
        build(paths, ids, tmp_path / "a", skip_unreadable=True)
        paths[3].write_bytes(whole)
        decoded.clear()
        options = {"skip_unreadable": True, "retry_unreadable": False}
        assert list(build(paths, ids, tmp_path / "a", **options).unreadable) == ["g3"]
        assert decoded == []

    def test_is_tried_again_where_a_build_goes_on(self, gallery, tmp_path):
        paths, ids = gallery
        whole = paths[3].read_bytes()
        paths[3].unlink()
        with pytest.raises(CancelledError):
            build(paths, ids, tmp_path / "a", skip_unreadable=True, should_stop=stop_after(1))
        paths[3].write_bytes(whole)
        assert_right(build(paths, ids, tmp_path / "a", skip_unreadable=True), paths, ids)

    def test_raises_where_a_cache_left_it_out_and_that_is_not_wanted(self, gallery, tmp_path):
        paths, ids = gallery
        paths[3].unlink()
        build(paths, ids, tmp_path / "a", skip_unreadable=True)
        with pytest.raises(ImageError, match=r"3\.png must be a file"):
            build(paths, ids, tmp_path / "a")

    def test_half_may_be(self, gallery, tmp_path):
        paths, ids = gallery
        for path in paths[:75]:
            path.unlink()
        assert len(build(paths, ids, tmp_path / "a", skip_unreadable=True)) == 75

    def test_more_than_half_are_an_error_until_they_are_back(self, gallery, tmp_path):
        paths, ids = gallery
        contents = [path.read_bytes() for path in paths[:76]]
        for path in paths[:76]:
            path.unlink()
        for _ in range(2):
            with pytest.raises(
                ImagesAwayError,
                match=r"half of 150 images .* 76 are not: 76 missing; such as g0 \(missing: ",
            ):
                build(paths, ids, tmp_path / "a", skip_unreadable=True)
        for path, content in zip(paths[:76], contents, strict=True):
            path.write_bytes(content)
        assert_right(build(paths, ids, tmp_path / "a", skip_unreadable=True), paths, ids)


class TestReadingThatFails:
    @pytest.mark.parametrize("at", [0, 100])
    def test_stops_the_build_and_is_forgotten(self, gallery, tmp_path, monkeypatch, *, at):
        paths, ids = gallery
        opened = Path.open

        def open_or_fail(path, *given, **options):
            if path == paths[at]:
                raise OSError(errno.EMFILE, "Too many open files")
            return opened(path, *given, **options)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "open", open_or_fail)
            with pytest.raises(ImagesAwayError, match=rf"{at}\.png cannot be read .*Too many open"):
                build(paths, ids, tmp_path / "a", skip_unreadable=True)
        cache = build(paths, ids, tmp_path / "a", skip_unreadable=True)
        assert cache.unreadable == {}
        assert_right(cache, paths, ids)

    def test_a_folder_that_is_away_stops_the_build(self, gallery, tmp_path):
        folder = tmp_path / "mount"
        folder.mkdir()
        paths = [path.rename(folder / path.name) for path in gallery[0]]
        folder.rename(tmp_path / "away")
        with pytest.raises(ImagesAwayError, match=r"its folder .*/mount is not there"):
            build(paths, gallery[1], tmp_path / "a", skip_unreadable=True)
        (tmp_path / "away").rename(folder)
        assert_right(build(paths, gallery[1], tmp_path / "a"), paths, gallery[1])

    @pytest.mark.parametrize("name", ["cache.json", "images.a.u8"])
    def test_a_cache_that_cannot_be_read_just_now_is_not_made_again(
        self, gallery, tmp_path, monkeypatch, decoded, *, name
    ):
        paths, ids = gallery
        build(paths, ids, tmp_path / "a")
        decoded.clear()
        with monkeypatch.context() as patched:
            fail = _failing(name)
            patched.setattr(Path, "read_text", fail(Path.read_text))
            patched.setattr(np, "memmap", fail(np.memmap))
            with pytest.raises(UnreadableError):
                build(paths, ids, tmp_path / "a")
        assert_right(build(paths, ids, tmp_path / "a"), paths, ids)
        assert decoded == []

    @pytest.mark.parametrize("left", ["", "{", "[]", '{"slot": "c"}'])
    def test_a_damaged_header_is_made_again_without_decoding(
        self, gallery, tmp_path, decoded, left
    ):
        paths, ids = gallery
        build(paths, ids, tmp_path / "a")
        decoded.clear()
        (tmp_path / "a" / "cache.json").write_text(left)
        assert_right(build(paths, ids, tmp_path / "a"), paths, ids)
        assert decoded == []

    def test_a_damaged_line_costs_what_comes_after_it(self, gallery, tmp_path, decoded):
        paths, ids = gallery
        build(paths, ids, tmp_path / "a")
        decoded.clear()
        (tmp_path / "a" / "cache.json").unlink()
        lines = (tmp_path / "a" / "rows.a.jsonl").read_text().split("\n")
        (tmp_path / "a" / "rows.a.jsonl").write_text(
            "\n".join([*lines[:101], "\0\0", *lines[102:]])
        )
        assert_right(build(paths, ids, tmp_path / "a"), paths, ids)
        assert len(decoded) == 50


def _failing(name):
    """Wrap a function of a path: it fails for the file of this name."""

    def wrap(function):
        def call(path, *given, **options):
            if Path(path).name == name:
                raise OSError(errno.EMFILE, "Too many open files")
            return function(path, *given, **options)

        return call

    return wrap


@pytest.mark.real
def test_names_the_truncated_jpeg_among_real_ones(tmp_path):
    folder = REAL / "gz_hubble" / "images"
    if not folder.is_dir():
        pytest.skip("no real data beside the project")
    paths = sorted(folder.rglob("*.jpg")) + sorted(folder.rglob("*.jpeg"))
    ids = [path.name for path in paths]
    cache = ImageCache.build(paths, ids, tmp_path / "a", size=32, skip_unreadable=True)
    assert [reason.split(":")[0] for reason in cache.unreadable.values()] == ["truncated"]
