"""Decoding what strangers send, and the cache that training reads."""

import os
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from mlcore.errors import ArtefactError, CancelledError, ImageError, InvalidInputError
from mlcore.images import ImageCache, decode_image, shrink_centre

REAL = Path(os.environ.get("LENTICULAR_REAL_DATA", Path(__file__).parents[3] / "shared/data"))


def encoded(image, form="PNG", **options):
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def noise(width=40, height=30, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def png_header(width, height):
    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    )


def code_of(source, **limits):
    with pytest.raises(ImageError) as refused:
        decode_image(source, **limits)
    return refused.value.code


def outcome(content):
    try:
        return decode_image(content, max_pixels=10_000).mode
    except ImageError as error:
        return error.code


class TestDecodeImage:
    @pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
    def test_reads_the_formats_that_it_names(self, form):
        image = decode_image(encoded(noise(), form))
        assert (image.mode, image.size) == ("RGB", (40, 30))

    def test_reads_bytes_and_files_alike(self, tmp_path):
        path = tmp_path / "galaxy.png"
        path.write_bytes(encoded(noise()))
        assert np.array_equal(decode_image(path), decode_image(path.read_bytes()))

    def test_keeps_every_pixel_of_a_lossless_image(self):
        assert np.array_equal(decode_image(encoded(noise())), noise())

    def test_makes_transparent_pixels_sky(self):
        image = Image.new("RGBA", (4, 4), (255, 255, 255, 0))
        assert np.asarray(decode_image(encoded(image))).max() == 0

    def test_scales_sixteen_bit_grey_to_eight(self):
        grey = Image.fromarray(np.full((4, 4), 0x8000, np.uint16))
        assert np.asarray(decode_image(encoded(grey))).tolist() == np.full((4, 4, 3), 128).tolist()

    def test_refuses_a_missing_file_and_a_folder(self, tmp_path):
        assert code_of(tmp_path / "absent.jpg") == "missing"
        assert code_of(tmp_path) == "missing"

    @pytest.mark.parametrize("content", [b"", b"a galaxy", b"<svg></svg>", b"\xff\xd8", b"II*\0"])
    def test_refuses_what_is_no_image(self, content):
        assert code_of(content) == "not-an-image"

    @pytest.mark.parametrize("form", ["PNG", "JPEG"])
    def test_refuses_a_truncated_image(self, form):
        content = encoded(noise(200, 200), form)
        assert code_of(content[: len(content) // 2]) == "truncated"

    def test_refuses_a_truncated_image_though_another_library_allows_them(self, monkeypatch):
        monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
        content = encoded(noise(200, 200), "JPEG")
        assert code_of(content[: len(content) // 2]) == "truncated"

    def test_refuses_too_many_bytes_before_it_reads_them_all(self, tmp_path):
        content = encoded(noise())
        path = tmp_path / "big.png"
        path.write_bytes(content)
        assert code_of(content, max_bytes=len(content) - 1) == "too-many-bytes"
        assert code_of(path, max_bytes=len(content) - 1) == "too-many-bytes"
        assert decode_image(path, max_bytes=len(content)).size == (40, 30)

    def test_refuses_too_many_pixels_by_the_header_alone(self):
        assert code_of(encoded(noise(40, 30)), max_pixels=1199) == "too-many-pixels"
        assert decode_image(encoded(noise(40, 30)), max_pixels=1200).size == (40, 30)

    @pytest.mark.parametrize("side", [9_000, 12_000, 60_000])
    def test_refuses_a_decompression_bomb(self, side):
        assert code_of(png_header(side, side)) == "too-many-pixels"

    @given(st.data())
    @settings(max_examples=60, deadline=None)
    def test_damaged_content_gives_an_image_or_an_image_error(self, data):
        content = bytearray(
            encoded(noise(16, 16), data.draw(st.sampled_from(["PNG", "JPEG", "GIF"])))
        )
        for _ in range(data.draw(st.integers(1, 8))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        assert outcome(bytes(content)) in {"RGB", "not-an-image", "truncated", "too-many-pixels"}


class TestShrinkCentre:
    def test_takes_the_central_square(self):
        pixels = np.zeros((20, 30, 3), np.uint8)
        pixels[5:15, 10:20] = 200
        small = shrink_centre(Image.fromarray(pixels), size=10, crop_fraction=0.5)
        assert small.shape == (10, 10, 3)
        assert (small == 200).all()

    def test_averages_over_what_it_shrinks(self):
        checks = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
        image = Image.fromarray(np.repeat(checks[..., None], 3, axis=2))
        small = shrink_centre(image, size=8, crop_fraction=1.0).astype(float)
        assert np.abs(small - 127.5).max() < 8

    def test_enlarges_an_image_of_one_pixel(self):
        small = shrink_centre(Image.new("RGB", (1, 1), (9, 8, 7)), size=8, crop_fraction=0.3)
        assert (small == (9, 8, 7)).all()


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
        for name in ("images.u8.partial", "rows.partial.jsonl"):
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
        assert said[-1] == ("images", 1.0, "150 of 150 images decoded")

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
        images, header = tmp_path / "a" / "images.u8", tmp_path / "a" / "cache.json"
        if damage == "missing":
            images.unlink()
        elif damage == "short":
            os.truncate(images, 100)
        else:
            header.write_text("{}" if damage == "header" else "{")
        with pytest.raises(ArtefactError):
            ImageCache.open(tmp_path / "a")


@pytest.mark.real
def test_names_the_truncated_jpeg_among_real_ones(tmp_path):
    folder = REAL / "gz_hubble" / "images"
    if not folder.is_dir():
        pytest.skip("no real data beside the project")
    paths = sorted(folder.rglob("*.jpg")) + sorted(folder.rglob("*.jpeg"))
    ids = [path.name for path in paths]
    cache = ImageCache.build(paths, ids, tmp_path / "a", size=32, skip_unreadable=True)
    assert [reason.split(":")[0] for reason in cache.unreadable.values()] == ["truncated"]
