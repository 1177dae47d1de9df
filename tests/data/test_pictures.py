"""One reader of pictures: 16 bits, floating point, turned, damaged, too large; by path and as an object the same."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from minivit.data import read_picture

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
COLOUR = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
ORIENTATION = 0x0112
TURNS = {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
         5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, -1), 7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
         8: lambda a: np.rot90(a)}


def pixels(image):
    return np.asarray(read_picture(image))


def in_three(grey):
    return np.repeat(grey[..., None], 3, axis=-1)


@pytest.mark.parametrize(("levels", "name"), [
    (GREY.astype(np.uint16) * 257, "16.png"), (GREY.astype(np.uint16) * 257, "16.tif"),
    (GREY.astype(">u2") * 257, "16_big_endian.tif"), (GREY.astype(np.uint16) * 257, "16.jp2"),
    (GREY.astype(np.int32) * 257, "16_of_32.tif"), (GREY.astype(np.int32), "8_of_32.tif"),
    (GREY.astype(np.float32) / 255, "share.tif"), (GREY.astype(np.float32), "8_in_float.tif"),
    (GREY.astype(np.float32) * 257, "16_in_float.tif"), (GREY.astype(np.uint16) * 257, "16.pgm"), (GREY, "8.png"),
    (GREY.astype(np.float32) / 255, "share.pfm")])
def test_grey_levels_of_every_depth_are_the_same_picture(levels, name, tmp_path):
    if name.endswith("pgm"):
        (tmp_path / name).write_bytes(b"P5 8 6 65535\n" + levels.astype(">u2").tobytes())
    else:
        Image.fromarray(levels).save(tmp_path / name)
    np.testing.assert_array_equal(pixels(tmp_path / name), in_three(GREY))
    with Image.open(tmp_path / name) as image:
        np.testing.assert_array_equal(pixels(image), in_three(GREY))
    np.testing.assert_array_equal(pixels(levels), in_three(GREY))


@pytest.mark.parametrize("name", ["dark.png", "dark.pgm"])
def test_dark_levels_of_sixteen_bits_stay_dark(name, tmp_path):
    levels = np.full((6, 8), 255, np.uint16)
    if name.endswith("pgm"):
        (tmp_path / name).write_bytes(b"P5 8 6 65535\n" + levels.astype(">u2").tobytes())
    else:
        Image.fromarray(levels).save(tmp_path / name)
    np.testing.assert_array_equal(pixels(tmp_path / name), 1)


@pytest.mark.parametrize(("level", "told"), [(-0.5, "got -0.5 to 0.5"), (70_000, "got 0.5 to 70000"),
                                             (np.nan, "got nan to nan")])
def test_levels_of_no_known_scale_are_refused(level, told, tmp_path):
    levels = np.full((6, 8), 0.5, np.float32)
    levels[2, 3] = level
    Image.fromarray(levels).save(tmp_path / "odd.tif")
    with pytest.raises(ValueError, match=rf"odd.tif: .*expected levels from 0 to 1, or to 255, or to 65535, {told}"):
        read_picture(tmp_path / "odd.tif")


@pytest.mark.parametrize("name", ["turned.jpg", "turned.png", "turned.tif", "turned.webp"])
@pytest.mark.parametrize("turn", TURNS)
def test_a_turned_picture_is_upright_by_path_and_as_an_object(name, turn, tmp_path):
    image = Image.fromarray(np.kron(COLOUR, np.ones((8, 8, 1), np.uint8)))
    exif = image.getexif()
    exif[ORIENTATION] = turn
    image.save(tmp_path / name, exif=exif, **({"lossless": True} if name.endswith("webp") else {}))
    if name.endswith("jpg"):  # which loses a little
        image = Image.open(tmp_path / name)
    upright = TURNS[turn](np.asarray(image))
    with Image.open(tmp_path / name) as file, open(tmp_path / name, "rb") as stream:
        for source in (tmp_path / name, str(tmp_path / name), file, stream):
            np.testing.assert_array_equal(pixels(source), upright)
            np.testing.assert_array_equal(pixels(read_picture(source)), upright)  # and is not turned again


def test_a_turned_grey_picture_of_sixteen_bits(tmp_path):
    image = Image.fromarray(GREY.astype(np.uint16) * 257)
    exif = image.getexif()
    exif[ORIENTATION] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(pixels(tmp_path / "turned.png"), in_three(np.rot90(GREY, -1)))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_other_modes_are_converted_as_pillow_does(mode):
    image = Image.fromarray(COLOUR).convert("L" if mode == "LA" else "RGB").convert(mode)
    np.testing.assert_array_equal(pixels(image), np.asarray(image.convert("RGB")))


def png(width, height, data=b"", damage=lambda content: content):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return damage(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b""))


ROWS = b"".join(b"\0" + row.tobytes() for row in COLOUR)
DAMAGED = {
    "truncated.png": png(8, 6, ROWS, lambda content: content[:-40]),
    "header.png": png(8, 6, ROWS, lambda content: content[:20]),
    "broken.png": png(8, 6, ROWS, lambda content: content.replace(b"IDAT", b"ID\xffT")),
    "bits.png": png(8, 6, ROWS, lambda content: content[:60] + bytes(byte ^ 255 for byte in content[60:])),
    "missing_rows.png": png(8, 6, ROWS[:30]),
    "400_megapixels.png": png(20_000, 20_000),
    "empty.png": b"",
    "words.jpg": b"This is no picture.",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_or_far_too_large_file_is_named(name, tmp_path):
    (tmp_path / name).write_bytes(DAMAGED[name])
    with pytest.raises(ValueError, match=f"{name}: cannot be read as a picture"):
        read_picture(tmp_path / name)


def test_a_truncated_jpeg_is_named(tmp_path):
    path = tmp_path / "cut.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"cut.jpg: cannot be read as a picture \(image file is truncated"):
        read_picture(path)


def test_a_file_that_is_not_there_and_a_folder(tmp_path):
    for path in (tmp_path / "nothing.png", tmp_path):
        with pytest.raises(OSError) as caught:  # noqa: PT011 (of several kinds)
            read_picture(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("image", [None, 3, [1, 2], b"bytes"])
def test_what_is_no_picture(image):
    with pytest.raises(TypeError, match="image: expected a path, a PIL.Image or an array, got a "):
        read_picture(image)


@pytest.mark.parametrize(("array", "error"), [
    (np.zeros((4, 4, 3)), TypeError), (np.zeros((2, 4, 4, 3), np.uint8), TypeError),
    (np.zeros((4, 4), np.int64), TypeError), (np.zeros((3, 32, 32), np.uint8), TypeError),
    (np.zeros((0, 4, 3), np.uint8), ValueError)])
def test_arrays_that_are_no_picture(array, error):
    with pytest.raises(error, match=r"image: expected a uint8 array \(height, width, 3\).* got"):
        read_picture(array)
