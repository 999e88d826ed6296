"""Reading images of every kind that real data sets hold."""

import io
import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, features

from det_inception.utils import images
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


@pytest.mark.parametrize(
    'dtype, factor, suffix',
    [
        (np.uint16, 16, '.png'),  # 12 bits, as microscopes and X-ray have them
        (np.uint16, 4, '.png'),  # 10 bits
        (np.uint16, 64, '.tif'),  # 14 bits
        (np.uint16, 1, '.tif'),  # 8 bits in a file of 16
        (np.int32, 16, '.tif'),
        (np.int32, 1, '.tif'),
        (np.float32, 1 / 255, '.tif'),
        (np.float32, 1, '.tif'),
        (np.float32, 256, '.tif'),
        (np.float64, 1 / 255, '.tif'),
    ],
)
@pytest.mark.parametrize('channels', [1, 3])
def test_pixels_of_any_depth_look_alike(dtype, factor, suffix, channels, picture, tmp_path):
    pixels = picture if channels == 3 else picture[:, :, 0]
    path = tmp_path / f'deep{suffix}'
    cv2.imwrite(str(path), (pixels * np.float64(factor)).astype(dtype))
    image = read_image(path)
    assert image.dtype == np.uint8 and image_size(path) == (60, 80)
    assert np.abs(image.astype(int) - (pixels if channels == 3 else pixels[:, :, None])).max() <= 1


@pytest.mark.parametrize('low, high, dtype', [(-1, 1, np.float32), (0, 2.5, np.float32), (-1024, 3071, np.int16)])
def test_pixels_that_are_no_brightness(low, high, dtype, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.tif'), np.linspace(low, high, 48).reshape(6, 8).astype(dtype))
    with pytest.raises(ImageError, match=rf'a\.tif: its pixels are \w+ from {low} to {high}, .*; convert it to 8 bits'):
        read_image(tmp_path / 'a.tif')
    pixels = np.full((6, 8), 0.5, np.float32)
    pixels[2, 3] = np.nan
    cv2.imwrite(str(tmp_path / 'a.tif'), pixels)
    with pytest.raises(ImageError, match='from nan to nan'):
        read_image(tmp_path / 'a.tif')


def test_pillow_reads_deep_pixels_where_opencv_does_not(picture, monkeypatch):
    monkeypatch.setattr(images, '_opencv', lambda content, flags: None)
    gray = picture[:, :, 0]
    for pixels in (gray / np.float32(255), gray.astype(np.int32) * 16, gray.astype(np.uint16) * 16):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, 'TIFF')
        image = decode_image(file.getvalue(), 'deep.tif')
        assert np.abs(image.astype(int) - gray[:, :, None]).max() <= 1


def test_transparent_pixels_keep_their_color(picture, tmp_path):
    cv2.imwrite(str(tmp_path / 'alpha.png'), np.dstack([picture, np.zeros((60, 80), np.uint8)]))
    assert (read_image(tmp_path / 'alpha.png') == picture).all()
    for alpha in (0, 128):  # OpenCV multiplies the colors of such a TIFF by it.
        pixels = np.dstack([picture[:, :, ::-1], np.full((60, 80), alpha, np.uint8)])
        Image.fromarray(pixels).save(tmp_path / 'alpha.tif', compression='tiff_lzw')
        assert (read_image(tmp_path / 'alpha.tif') == picture).all()


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
        (b'no image', 'no image that OpenCV or Pillow can read; replace it'),
        (b' <!DOCTYPE html><html>404</html>', 'but a web page; download the file itself'),
        (b'<?xml version="1.0"?><svg xmlns=', 'but a drawing in SVG format'),
        (b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n', 'but a pointer of Git LFS; run'),
        (b'%PDF-1.7 ' + bytes(99), 'but a PDF'),
        (b'\0\0\0\x18ftypheic' + bytes(99), 'but a photo in HEIC format; convert it to JPEG'),
        (b'\0\0\0\x18ftypisom' + bytes(99), 'but a video; make pictures of it, such as with "ffmpeg -i'),
        (b'RIFF\0\0\1\0AVI LIST' + bytes(99), 'but a video'),
        (b'\x1aE\xdf\xa3' + bytes(99), 'but a video'),
        ((b'G' + bytes(187)) * 3, 'but a video'),
        (bytes(128) + b'DICM', 'but a DICOM file'),
        (png_that_promises(100_000, 100_000), 'exceeds the limit of 178956970 pixels'),
    ],
)
def test_no_images(content, said, tmp_path):
    path = tmp_path / 'no.jpg'
    path.write_bytes(content)
    for reader in (read_image, image_size):
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
    if suffix == '.avif' and not features.check('avif'):
        pytest.skip('Pillow before 11.3')
    path = tmp_path / f'a{suffix}'
    mode = {'.pbm': '1', '.pgm': 'L'}.get(suffix)
    image = Image.fromarray(picture[:, :, ::-1])
    format = 'JPEG' if suffix in ('.pjpeg', '.pjp') else None
    (image if mode is None else image.convert(mode)).save(path, format)
    assert read_image(path).shape == picture.shape and image_size(path) == picture.shape[:2]


def tiff_that_promises(width, height, bits_per_sample):
    """A TIFF with a header alone; of these bits per sample, which Pillow does not know, OpenCV may."""
    tags = [(256, width), (257, height), (258, bits_per_sample), (259, 1), (262, 1), (273, 8), (277, 1), (279, 4)]
    entries = b''.join(struct.pack('<HHII', tag, 4, 1, value) for tag, value in tags)
    return b'II*\0' + struct.pack('<I', 8) + struct.pack('<H', len(tags)) + entries + bytes(8)


def encoded_huge(format):
    """A header of a sound image, with its sides made larger."""
    content = bytearray(encoded(np.zeros((16, 16, 3), np.uint8), format))
    if format == 'JPEG':
        place = content.index(b'\xff\xc0') + 5
        content[place : place + 4] = struct.pack('>HH', 60000, 60000)
    elif format == 'GIF':
        content[6:10] = struct.pack('<HH', 60000, 60000)
    elif format == 'BMP':
        content[18:26] = struct.pack('<ii', 60000, 60000)
    elif format == 'PPM':
        content = content.replace(b'16 16', b'60000 60000')
    elif format == 'JPEG2000':
        place = content.index(b'ihdr') + 4
        content[place : place + 8] = struct.pack('>II', 60000, 60000)
    return bytes(content)


@pytest.mark.parametrize(
    'content',
    [
        *(pytest.param(encoded_huge(format), id=format) for format in ('JPEG', 'GIF', 'BMP', 'PPM', 'JPEG2000')),
        pytest.param(png_that_promises(32_000, 32_000), id='PNG'),
        pytest.param(tiff_that_promises(60000, 60000, 8), id='TIFF'),
        pytest.param(tiff_that_promises(60000, 60000, 24), id='TIFF that Pillow does not know'),
    ],
)
def test_images_that_promise_too_many_pixels_are_refused_before_they_are_decoded(content, monkeypatch):
    monkeypatch.setattr(cv2, 'imdecode', None)
    with pytest.raises(ImageError, match=r'^x: the image (of .*)?exceeds the limit of 178956970 pixels; [^\n]*\.$'):
        decode_image(content, 'x')


def test_a_png_of_a_gigantic_chunk_is_refused_before_it_is_decoded(picture, monkeypatch):
    content = encoded(picture, 'PNG')
    place = content.index(b'IDAT') - 4
    monkeypatch.setattr(cv2, 'imdecode', None)
    with pytest.raises(ImageError, match='truncated or damaged'):
        decode_image(content[:place] + b'\xff\xff\xff\0' + content[place + 4 :], 'x.png')


def test_a_jpeg_of_thousands_of_scans_is_refused(picture, monkeypatch):
    """Each scan of a few bytes takes as long as the whole image."""
    content = encoded(picture, 'JPEG', progressive=True)
    place = content.rindex(b'\xff\xda')
    monkeypatch.setattr(cv2, 'imdecode', None)
    with pytest.raises(ImageError, match='more than 500 scans'):
        decode_image(content[:place] + 1000 * content[place:-2] + content[-2:], 'x.jpg')


@pytest.mark.parametrize('suffix', ['eps', 'pdf', 'ico', 'pcx', 'sgi', 'tga', 'dds', 'icns', 'im', 'msp'])
def test_other_formats_than_those_of_photos_are_refused(picture, suffix, tmp_path, monkeypatch):
    """Pillow would start Ghostscript for EPS, whatever the file's name says."""
    path = tmp_path / 'photo.jpg'
    image = Image.fromarray(picture)
    (image.convert('1') if suffix == 'msp' else image).save(path, suffix.upper())
    started = tmp_path / 'started'
    for program in ('gs', 'gswin32c'):
        (tmp_path / program).write_text(f'#!/bin/sh\ntouch {started}\n')
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path))
    for reader in (read_image, image_size):
        with pytest.raises(ImageError, match='no image that OpenCV or Pillow can read'):
            reader(path)
    assert not started.exists()


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='no pipes or devices here')
def test_pipes_and_devices_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'pipe.jpg')
    (tmp_path / 'zero.jpg').symlink_to('/dev/zero')
    for path in (tmp_path / 'pipe.jpg', tmp_path / 'zero.jpg'):
        for reader in (read_image, image_size):
            with pytest.raises(ImageError, match='it is a device or pipe'):
                reader(path)


def test_an_image_file_of_gigabytes_is_refused(tmp_path):
    path = tmp_path / 'sparse.jpg'
    with open(path, 'wb') as file:
        file.truncate(2**40)
    with pytest.raises(ImageError, match='larger than 2 GiB'):
        read_image(path)


def test_opencv_is_quiet_wherever_its_level_is_set(picture, monkeypatch):
    """``cv2.utils.logging`` is there since OpenCV 4.13, ``cv2.setLogLevel`` was before."""
    levels = [3]

    def set_level(level):
        levels.append(level)
        return levels[-2]

    if hasattr(cv2.utils, 'logging'):
        monkeypatch.delattr(cv2.utils, 'logging')
    monkeypatch.setattr(cv2, 'setLogLevel', set_level, raising=False)
    assert np.array_equal(decode_image(encoded(picture, 'PNG'), 'a.png'), picture)
    assert levels == [3, 0, 3]
