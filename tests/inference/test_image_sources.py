"""What a detector takes: arrays, pictures of Pillow, files, addresses, and what is none of them."""

import io
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from det_inception.inference import sources
from det_inception.inference.sources import as_bgr, open_image, read_standard_input
from det_inception.utils.errors import InputError
from det_inception.utils.images import read_image

BGR = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
GRAY = BGR[:, :, 0]
PNG = cv2.imencode('.png', BGR)[1].tobytes()


@pytest.mark.parametrize(
    ('array', 'expected'),
    [
        (BGR, BGR),
        (GRAY, cv2.cvtColor(GRAY, cv2.COLOR_GRAY2BGR)),
        (GRAY[:, :, None], cv2.cvtColor(GRAY, cv2.COLOR_GRAY2BGR)),
        (np.dstack([BGR, GRAY]), BGR),  # Alpha is dropped, as everywhere.
        (BGR[:, ::-1], BGR[:, ::-1]),
        (BGR.astype(np.uint16) * 256, BGR),
        (BGR.astype(np.int64), BGR),
        (BGR / 255, BGR),
        (GRAY > 127, np.repeat(np.where(GRAY > 127, 255, 0)[:, :, None], 3, axis=2)),
    ],
)
def test_arrays(array, expected):
    before = array.copy()
    found = as_bgr(array)
    assert found.dtype == np.uint8 and found.flags.c_contiguous and np.array_equal(found, expected)
    assert np.array_equal(array, before)


@pytest.mark.parametrize(
    'array',
    [np.zeros(5), np.zeros((5, 5, 2)), np.zeros((0, 5, 3)), np.zeros((1, 3, 5, 5)), np.array([['a']]), BGR * 1j],
)
def test_arrays_that_are_no_images(array):
    with pytest.raises(InputError, match=r'an image is an array \(H, W\), \(H, W, 3\) in BGR'):
        as_bgr(array)


@pytest.mark.parametrize('array', [BGR - 300.0, np.full((3, 3), np.nan), BGR / 100])
def test_arrays_without_brightness(array):
    with pytest.raises(InputError, match='an array is no image: its pixels are'):
        as_bgr(array)


@pytest.mark.parametrize('mode', ['RGB', 'L', '1', 'P', 'RGBA', 'LA', 'CMYK', 'I;16', 'I', 'F', 'YCbCr', 'HSV'])
def test_pictures_of_pillow(mode):
    rgb = Image.fromarray(np.ascontiguousarray(BGR[:, :, ::-1]))
    picture = Image.fromarray(GRAY.astype(np.uint16) * 256) if mode == 'I;16' else rgb.convert(mode)
    image, name = open_image(picture)
    assert image.shape == BGR.shape and image.dtype == np.uint8 and name == ''
    if mode in ('RGB', 'RGBA'):
        assert np.array_equal(image, BGR)
    elif mode in ('L', 'I', 'F', 'LA'):
        assert np.allclose(image[:, :, 0], np.asarray(rgb.convert('L')), atol=1 if mode == 'F' else 0)
    elif mode == 'I;16':
        assert np.array_equal(image[:, :, 0], GRAY)


def test_a_picture_of_pillow_is_what_its_file_is(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # To be turned.
    Image.fromarray(BGR).save(tmp_path / 'a.jpg', exif=exif)
    with Image.open(tmp_path / 'a.jpg') as picture:
        image, name = open_image(picture)
    assert image.shape == (9, 7, 3) and np.abs(image.astype(int) - read_image(tmp_path / 'a.jpg')).max() <= 2
    assert name == str(tmp_path / 'a.jpg')
    (tmp_path / 'short.jpg').write_bytes((tmp_path / 'a.jpg').read_bytes()[:-60])
    with Image.open(tmp_path / 'short.jpg') as picture, pytest.raises(InputError, match='cannot be read'):
        open_image(picture)


def test_files_and_addresses(tmp_path, monkeypatch):
    (tmp_path / 'a.png').write_bytes(PNG)
    for source in (tmp_path / 'a.png', str(tmp_path / 'a.png')):
        image, name = open_image(source)
        assert np.array_equal(image, BGR) and name == str(tmp_path / 'a.png')
    answers = {
        'https://a/b.png': PNG,
        'https://a/page': b'<!DOCTYPE html><p>',
        'https://a/clip': b'\x1aE\xdf\xa3' + bytes(99),
    }
    monkeypatch.setattr(sources, 'read_address', answers.__getitem__)
    image, name = open_image('https://a/b.png')
    assert np.array_equal(image, BGR) and name == 'https://a/b.png'
    with pytest.raises(InputError, match=r'https://a/page: .* but a web page; download the file itself'):
        open_image('https://a/page')
    with pytest.raises(InputError, match='https://a/clip: is a video; download it'):
        open_image('https://a/clip')
    for source in (5, None, b'bytes', [BGR]):
        with pytest.raises(InputError, match='an image is a path, an http or https address, a NumPy array'):
            open_image(source)


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, 'stdin', SimpleNamespace(buffer=io.BytesIO(PNG)))
    assert np.array_equal(read_standard_input().image, BGR)
    monkeypatch.setattr(sources, 'MAX_SIZE', 1 << 20)
    for content, said in ((b'', 'is empty'), (b'text', 'no image that'), (bytes(2 << 20), 'is larger than 1 MiB')):
        monkeypatch.setattr(sys, 'stdin', SimpleNamespace(buffer=io.BytesIO(content)))
        with pytest.raises(InputError, match=f'standard input: .*{said}'):
            read_standard_input()
