"""Reading images of every kind that real data sets hold."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from det_inception.utils.errors import InputError
from det_inception.utils.images import IMAGE_SUFFIXES, ImageError, decode_image, image_size, read_image


@pytest.fixture(scope='module')
def picture():
    """A smooth color picture, uint8 (60, 80, 3) BGR, that JPEG keeps well; no two quarters alike."""
    ramp = np.zeros((60, 80, 3), np.uint8)
    ramp[..., 0] = np.linspace(10, 240, 80).astype(np.uint8)
    ramp[..., 1] = np.linspace(200, 30, 60).astype(np.uint8)[:, None]
    ramp[..., 2] = 120
    return ramp


def encoded(picture, format, mode=None, **options):
    image = Image.fromarray(picture[:, :, ::-1])
    buffer = io.BytesIO()
    (image if mode is None else image.convert(mode)).save(buffer, format, **options)
    return buffer.getvalue()


LOSSLESS, LOSSY = 0, 8


@pytest.mark.parametrize(
    'format, mode, options, tolerance',
    [
        ('PNG', None, {}, LOSSLESS),
        ('BMP', None, {}, LOSSLESS),
        ('PPM', None, {}, LOSSLESS),
        ('TIFF', None, {}, LOSSLESS),
        ('WEBP', None, {'lossless': True}, LOSSLESS),
        ('JPEG', None, {'quality': 97}, LOSSY),
        ('JPEG', None, {'quality': 97, 'progressive': True}, LOSSY),
        ('JPEG', 'CMYK', {'quality': 97}, LOSSY),
        ('PNG', 'RGBA', {}, LOSSLESS),
    ],
)
def test_formats(picture, format, mode, options, tolerance, tmp_path):
    # The name's suffix must not matter.
    path = tmp_path / 'image.dat'
    path.write_bytes(encoded(picture, format, mode, **options))
    image = read_image(path)
    assert image.dtype == np.uint8 and image.flags.c_contiguous
    assert np.abs(image.astype(int) - picture).max() <= tolerance
    assert image_size(path) == (60, 80)


@pytest.mark.parametrize('mode', ['L', 'LA'])
def test_gray_is_replicated(picture, mode):
    gray = np.asarray(Image.fromarray(picture[:, :, ::-1]).convert('L'))
    image = decode_image(encoded(picture, 'PNG', mode), 'gray.png')
    assert (image == gray[:, :, None]).all()


def test_one_bit_and_palette(picture):
    assert set(np.unique(decode_image(encoded(picture, 'PNG', '1'), 'bits.png'))) == {0, 255}
    for format in ('PNG', 'GIF'):
        content = encoded(picture, format, 'P')
        with Image.open(io.BytesIO(content)) as reference:
            expected = np.asarray(reference.convert('RGB'))[:, :, ::-1]
        assert (decode_image(content, 'palette') == expected).all()


@pytest.mark.parametrize('suffix', ['.png', '.tif'])
def test_sixteen_bits_are_divided_by_256(picture, suffix, tmp_path):
    for pixels in (picture, picture[:, :, 0]):
        cv2.imwrite(str(tmp_path / f'deep{suffix}'), pixels.astype(np.uint16) * 256 + 100)
        image = read_image(tmp_path / f'deep{suffix}')
        assert np.abs(image.astype(int) - (pixels if pixels.ndim == 3 else pixels[:, :, None])).max() <= 1


def test_transparent_pixels_keep_their_color(picture, tmp_path):
    cv2.imwrite(str(tmp_path / 'alpha.png'), np.dstack([picture, np.zeros((60, 80), np.uint8)]))
    assert (read_image(tmp_path / 'alpha.png') == picture).all()


@pytest.mark.parametrize('format', ['JPEG', 'PNG', 'WEBP', 'TIFF'])
def test_exif_rotation(picture, format, tmp_path):
    turned = {
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: picture.transpose(1, 0, 2),
        6: np.rot90(picture, 3),
        7: np.rot90(picture, 2).transpose(1, 0, 2),
        8: np.rot90(picture),
    }
    path = tmp_path / 'turned'
    for orientation, expected in turned.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        path.write_bytes(encoded(picture, format, exif=exif))
        image = read_image(path)
        assert image.shape == expected.shape, orientation
        assert np.abs(image.astype(int) - expected).mean() < 4, orientation
        assert image_size(path) == expected.shape[:2], orientation


@pytest.mark.parametrize('shape', [(1, 1), (200, 8000)])
def test_extreme_sizes(shape, tmp_path):
    path = tmp_path / 'extreme.png'
    cv2.imwrite(str(path), np.full((*shape, 3), 7, np.uint8))
    assert read_image(path).shape == (*shape, 3) and image_size(path) == shape


@pytest.mark.parametrize('format', ['JPEG', 'PNG', 'BMP', 'PPM', 'TIFF', 'WEBP', 'GIF'])
@pytest.mark.parametrize('share', [0.02, 0.3, 0.7, 0.97])
def test_truncated_files_are_refused(picture, format, share, capfd):
    noise = np.random.default_rng(0).integers(0, 256, picture.shape, dtype=np.uint8)
    content = encoded(noise, format)
    with pytest.raises(ImageError, match=r'^cut\.x: .*(damaged|no image|empty).*') as caught:
        decode_image(content[: int(len(content) * share)], 'cut.x')
    assert '\n' not in str(caught.value) and 'object at 0x' not in str(caught.value)
    assert 'ERROR' not in capfd.readouterr().err  # OpenCV would print a stack of its own.


def test_a_thumbnail_does_not_hide_a_truncation(picture):
    """A JPEG's EXIF data may hold a JPEG of their own, with an end marker."""
    whole, thumbnail = encoded(picture, 'JPEG'), encoded(picture[::4, ::4], 'JPEG')
    exif = b'Exif\0\0' + thumbnail
    content = whole[:2] + b'\xff\xe1' + struct.pack('>H', len(exif) + 2) + exif + whole[2:]
    assert decode_image(content, 'whole.jpg').shape == (60, 80, 3)
    with pytest.raises(ImageError, match='truncated'):
        decode_image(content[:-300], 'cut.jpg')


def test_what_follows_the_end_does_no_harm(picture):
    for format in ('JPEG', 'PNG'):
        content = encoded(picture, format)
        assert (decode_image(content + b'\0' * 5000, 'tail') == decode_image(content, 'whole')).all()


def png_that_promises(width, height):
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', pixels) + chunk(b'IEND', b'')


@pytest.mark.parametrize(
    'content, said',
    [
        (b'', 'is empty'),
        (b'<html>404</html>', 'no image that OpenCV or Pillow can read'),
        (png_that_promises(100_000, 100_000), 'exceeds limit'),
    ],
)
def test_no_images(content, said, tmp_path):
    path = tmp_path / 'no.jpg'
    path.write_bytes(content)
    for reader in (read_image, image_size) if b'PNG' not in content else (read_image,):
        with pytest.raises(ImageError, match=said) as caught:
            reader(path)
        assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize('name', ['missing.jpg', '.', 'nul\0l.jpg'])
def test_no_files(name, tmp_path):
    for reader in (read_image, image_size):
        with pytest.raises(InputError, match=r'the image cannot be read \(.+\); check the path'):
            reader(tmp_path / name)


@pytest.mark.parametrize('suffix', IMAGE_SUFFIXES)
def test_every_suffix_is_of_a_format_that_is_read(suffix, picture, tmp_path):
    path = tmp_path / f'a{suffix}'
    mode = {'.pbm': '1', '.pgm': 'L'}.get(suffix)
    image = Image.fromarray(picture[:, :, ::-1])
    (image if mode is None else image.convert(mode)).save(path)
    assert read_image(path).shape == picture.shape and image_size(path) == picture.shape[:2]
