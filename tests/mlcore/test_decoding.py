"""Decoding what strangers send, and what the machine at hand does to reading."""

import errno
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from mlcore.decoding import decode_image, shrink_centre
from mlcore.errors import ImageError, ImagesAwayError


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

    @pytest.mark.parametrize("name", ["x" * 300, "nul\0", "loop"])
    def test_refuses_a_name_that_no_file_can_have(self, tmp_path, name):
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
        assert code_of(tmp_path / name) == "missing"

    def test_a_file_whose_folder_is_away_may_be_whole(self, tmp_path):
        (tmp_path / "file").touch()
        for folder in ("away", "file"):
            with pytest.raises(ImagesAwayError, match=rf"its folder .*/{folder} is not there"):
                decode_image(tmp_path / folder / "galaxy.jpg")

    @pytest.mark.parametrize(
        "number",
        [errno.EMFILE, errno.ENFILE, errno.EIO, errno.ESTALE, errno.ENOMEM, errno.EACCES],
    )
    def test_a_file_that_cannot_be_read_just_now_may_be_whole(self, tmp_path, monkeypatch, number):
        def fail(*_given):
            raise OSError(number, "not now")

        path = tmp_path / "galaxy.png"
        path.write_bytes(encoded(noise()))
        monkeypatch.setattr(Path, "open", fail)
        with pytest.raises(ImagesAwayError, match=r"galaxy\.png cannot be read just now: not now"):
            decode_image(path)

    def test_a_decoder_without_memory_says_nothing_of_the_image(self, monkeypatch):
        def fail(_image):
            raise OSError("out of memory error when reading image file")

        monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
        with pytest.raises(MemoryError):
            decode_image(encoded(noise()))

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
