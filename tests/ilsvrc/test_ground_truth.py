"""Ground truth from folders, archives and MATLAB files: equal results, and errors that name the file."""

import io
import lzma
import tarfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from det_inception.ilsvrc import (
    read_blacklist,
    read_class_names,
    read_ground_truth,
    read_image_list,
)
from det_inception.utils import text_files
from det_inception.utils.errors import InputError

KIT_MAT = 'ILSVRC2015_det_validation_ground_truth.mat'
KIT_TAR = 'ilsvrc13_det_val2_annotations.tar.xz'


def xml(*objects: tuple[str, tuple]) -> bytes:
    """An annotation with objects of the given names and boxes (xmin, ymin, xmax, ymax)."""
    text = '<annotation><filename>somewhere_else</filename><size><width>500</width><height>375</height></size>'
    for name, (xmin, ymin, xmax, ymax) in objects:
        text += (
            f'<object><name>{name}</name><part><name>head</name></part><bndbox><xmin>{xmin}</xmin><xmax>{xmax}</xmax>'
            f'<ymin>{ymin}</ymin><ymax>{ymax}</ymax></bndbox></object>'
        )
    return f'{text}</annotation>'.encode()


ANNOTATIONS = {
    'b': xml(('n00007846', (1, 2, 30, 40)), ('n02084071', (0, 0, 9, 9))),
    'a': xml(),
    'c': xml(('n02084071', (5, 6, 7, 8))),
}


def make_folder(path: Path, annotations: dict[str, bytes] = ANNOTATIONS) -> Path:
    path.mkdir()
    for name, content in annotations.items():
        (path / f'{name}.xml').write_bytes(content)
    return path


def make_tar(path: Path, annotations: dict[str, bytes] = ANNOTATIONS, mode: str = 'w:gz', folder='val/') -> Path:
    with tarfile.open(path, mode) as archive:
        archive.addfile(tarfile.TarInfo(f'{folder}readme.txt'))
        for name, content in annotations.items():
            member = tarfile.TarInfo(f'{folder}{name}.xml')
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def columns(truth) -> list[list]:
    return np.column_stack([truth.object_image_ids, truth.class_ids, truth.boxes]).tolist()


# ------------------------------------------------------------------------------------------------- the readers


@pytest.mark.parametrize('source', ['folder', 'nested folder', 'tar', 'tar.gz', 'tar.xz'])
def test_folder_and_archive_give_the_same(tmp_path: Path, source: str):
    if 'folder' in source:
        path = make_folder(tmp_path / 'xml' if source == 'folder' else tmp_path / 'val')
        path = path if source == 'folder' else tmp_path
    else:
        path = make_tar(tmp_path / f'xml.{source}', mode=f'w:{source[4:]}')
    truth = read_ground_truth(path)
    assert truth.image_names == ('a', 'b', 'c')  # numbered by name
    assert truth.image_ids.tolist() == [1, 2, 3]
    assert columns(truth) == [[2, 124, 1, 2, 30, 40], [2, 58, 0, 0, 9, 9], [3, 58, 5, 6, 7, 8]]


def test_an_image_list_chooses_and_numbers(tmp_path: Path):
    path = make_tar(tmp_path / 'xml.tar.gz')
    truth = read_ground_truth(path, {'c': 7, 'a': 9})
    assert (truth.image_names, truth.image_ids.tolist()) == (('c', 'a'), [7, 9])
    assert columns(truth) == [[7, 58, 5, 6, 7, 8]]


def test_own_classes_by_name(tmp_path: Path):
    path = make_folder(tmp_path / 'xml', {'x': xml(('cell, red', (0, 0, 1, 1)), ('person', (0, 0, 1, 1)))})
    assert read_ground_truth(path, classes=('person', 'cell, red')).class_ids.tolist() == [2, 1]


def test_a_part_of_the_challenge_by_wordnet_id(tmp_path: Path):
    path = make_folder(tmp_path / 'xml', {'x': xml(('n02084071', (0, 0, 1, 1)), ('n04557648', (0, 0, 1, 1)))})
    assert read_ground_truth(path, classes=('water bottle', 'dog')).class_ids.tolist() == [2, 1]


def test_the_whole_validation_set(shared_data: Path):
    truth = read_ground_truth(shared_data / 'ilsvrc_devkit' / KIT_MAT)
    assert (len(truth.image_ids), len(truth.boxes)) == (20121, 55502)
    counts = scipy.io.loadmat(shared_data / 'ilsvrc_devkit' / KIT_MAT)['num_pos_per_class'].ravel()
    assert np.bincount(truth.class_ids, minlength=201)[1:].tolist() == counts.tolist()


def test_the_annotations_of_val2_equal_the_matlab_file(shared_data: Path):
    kit = shared_data / 'ilsvrc_devkit'
    val = read_image_list(kit / 'det_lists' / 'val.txt')
    val2 = read_image_list(kit / 'det_lists' / 'ilsvrc13_val2.txt')
    whole = read_ground_truth(kit / KIT_MAT, val)
    part = read_ground_truth(kit / KIT_TAR, {name: val[name] for name in sorted(val2)})
    assert (len(part.image_ids), len(part.boxes)) == (9917, 26782)
    chosen = np.isin(whole.object_image_ids, part.image_ids)
    np.testing.assert_array_equal(np.array(columns(whole))[chosen], columns(part))
    assert whole.image_names == tuple(val)


# --------------------------------------------------------------------------------------------------- bad files

# fmt: off
BAD_ANNOTATIONS = {
    'reversed box': (xml(('dog', (9, 0, 5, 5))), 'reversed box'),
    'NaN': (xml(('dog', ('nan', 0, 5, 5))), 'xmin'),
    'word': (xml(('dog', (1, 'top', 5, 5))), "ymin = 'top'"),
    'no box': (b'<annotation><object><name>dog</name></object></annotation>', 'xmin = None'),
    'no name': (xml((' ', (1, 1, 5, 5))), 'has no <name>'),
    'unknown class': (xml(('dragon', (1, 1, 5, 5))), "the class 'dragon' is not among the 200"),
    'other XML': (b'<svg/>', 'root is <svg>'),
    'truncated': (xml(('dog', (1, 1, 5, 5)))[:-9], 'not well-formed'),
    'entities': (b'<!DOCTYPE a [<!ENTITY b "ha">]>' + xml(('&b;', (1, 1, 5, 5))), 'document type'),
    'huge': (xml(('dog', (1, 1, 5, 5))) + b' ' * (5 << 20), 'more than 4 MB'),
}
# fmt: on


@pytest.mark.parametrize('source', ['folder', 'tar'])
@pytest.mark.parametrize(('content', 'message'), BAD_ANNOTATIONS.values(), ids=BAD_ANNOTATIONS)
def test_a_bad_annotation_is_named(tmp_path: Path, source: str, content: bytes, message: str):
    annotations = ANNOTATIONS | {'bad': content}
    if source == 'folder':
        path = make_folder(tmp_path / 'xml', annotations)
    else:
        path = make_tar(tmp_path / 'xml.tar.gz', annotations)
    with pytest.raises(InputError, match=rf'bad\.xml: .*{message}'):
        read_ground_truth(path)
    assert len(read_ground_truth(path, {'a': 1, 'b': 2}).boxes) == 2  # not listed, not read


@pytest.mark.parametrize('kind', ['', 'gz', 'bz2', 'xz'])
def test_a_truncated_archive_is_an_error_wherever_it_ends(tmp_path: Path, kind: str):
    """Also at the border between two files, which tarfile takes for the end of the archive."""
    whole = make_tar(tmp_path / 'whole.tar', mode=f'w:{kind}').read_bytes()
    path = tmp_path / 'cut.tar'
    for length in sorted({*range(512, 5 * 512, 512), 700, 3000} if not kind else {len(whole) // 2, len(whole) - 9}):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r'cut\.tar: '):
            read_ground_truth(path)


def test_an_archive_whose_middle_is_overwritten_is_an_error(tmp_path: Path):
    path = make_tar(tmp_path / 'cut.tar', mode='w:')
    data = bytearray(path.read_bytes())
    data[1536:1560] = b'?' * 24  # a header
    path.write_bytes(data)
    with pytest.raises(InputError, match=r'cut\.tar: '):
        read_ground_truth(path)


def test_two_annotations_of_one_image_are_an_error(tmp_path: Path):
    path = make_folder(tmp_path / 'xml')
    make_folder(path / 'copy')
    with pytest.raises(InputError, match='two annotations of the image'):
        read_ground_truth(path)


def test_a_listed_image_without_annotation_is_an_error(tmp_path: Path):
    path = make_folder(tmp_path / 'xml')
    with pytest.raises(InputError, match=r'no annotation for 2 of the 3 listed images \(x, y\)'):
        read_ground_truth(path, {'x': 1, 'a': 2, 'y': 3})


def test_nothing_to_read_is_an_error(tmp_path: Path):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'text.txt').write_text('hello')
    with pytest.raises(InputError, match=r'holds no \.xml file'):
        read_ground_truth(tmp_path / 'empty')
    with pytest.raises(InputError, match=r'text\.txt: neither a folder'):
        read_ground_truth(tmp_path / 'text.txt')
    with pytest.raises(InputError, match='nowhere: cannot be read'):
        read_ground_truth(tmp_path / 'nowhere')


def test_a_truncated_matlab_file_is_an_error(tmp_path: Path, shared_data: Path):
    data = (shared_data / 'ilsvrc_devkit' / KIT_MAT).read_bytes()
    path = tmp_path / 'truth.mat'
    for length in (0, 5, 100, 128, 200, len(data) // 2, len(data) - 100):
        path.write_bytes(data[:length])
        with pytest.raises(InputError, match=r'truth\.mat: not the complete ground truth'):
            read_ground_truth(path)
    path.write_bytes(data[:20000] + bytes(1000) + data[21000:])
    with pytest.raises(InputError, match=r'truth\.mat: not the complete ground truth'):
        read_ground_truth(path)


def test_another_matlab_file_is_an_error(tmp_path: Path, shared_data: Path):
    with pytest.raises(InputError, match='no variable gt_img_ids'):
        read_ground_truth(shared_data / 'ilsvrc_devkit' / 'meta_det.mat')
    path = tmp_path / 'other.mat'
    cells = np.empty((1, 1), dtype=object)
    cells[0, 0] = np.ones((3, 1))
    content = {'gt_img_ids': [[1]], 'gt_obj_labels': cells, 'gt_obj_bboxes': cells, 'num_pos_per_class': [[3]]}
    scipy.io.savemat(path, content)
    with pytest.raises(InputError, match='a cell of boxes has the shape'):
        read_ground_truth(path)
    boxes = np.empty((1, 1), dtype=object)
    boxes[0, 0] = np.ones((4, 3))
    scipy.io.savemat(path, content | {'gt_obj_bboxes': boxes})
    assert len(read_ground_truth(path).boxes) == 3
    scipy.io.savemat(path, content | {'gt_obj_bboxes': boxes, 'num_pos_per_class': [[4]]})
    with pytest.raises(InputError, match='does not have as many objects as it says'):
        read_ground_truth(path)


def test_a_matlab_file_may_end_before_its_last_images(tmp_path: Path):
    """MATLAB ends a cell array at the last image that has objects."""
    path = tmp_path / 'truth.mat'
    labels, boxes = np.empty((1, 2), dtype=object), np.empty((1, 2), dtype=object)
    labels[0, 0], labels[0, 1] = np.zeros((0, 0)), np.array([[3, 4]], np.uint8)
    boxes[0, 0], boxes[0, 1] = np.zeros((0, 0)), np.array([[250, 1], [2, 2], [255, 3], [4, 4]], np.uint8)
    content = {'gt_img_ids': [[1], [2], [3]], 'gt_obj_labels': labels, 'gt_obj_bboxes': boxes}
    scipy.io.savemat(path, content | {'num_pos_per_class': [[0, 0, 1, 1]]})
    truth = read_ground_truth(path)
    assert truth.image_ids.tolist() == [1, 2, 3]
    assert columns(truth) == [[2, 3, 250, 2, 255, 4], [2, 4, 1, 2, 3, 4]]


def test_the_matlab_file_takes_only_its_own_image_list(shared_data: Path):
    """val2 has a numbering of its own, which would score each image against another one."""
    kit = shared_data / 'ilsvrc_devkit'
    with pytest.raises(InputError, match='20121 numbered images without names, and the image list'):
        read_ground_truth(kit / KIT_MAT, read_image_list(kit / 'det_lists' / 'ilsvrc13_val2.txt'))


# ------------------------------------------------------------------------------------------ lists and annotation


def test_image_lists(tmp_path: Path, shared_data: Path):
    path = tmp_path / 'list.txt'
    path.write_text('extra/one 5\n\nmy photo 2 7\n')
    assert read_image_list(path) == {'one': 5, 'my photo 2': 7}
    path.write_text('extra/one\nmy photo\n')
    assert read_image_list(path) == {'one': 1, 'my photo': 2}
    official = read_image_list(shared_data / 'ilsvrc_devkit' / 'det_lists' / 'val.txt')
    assert (len(official), official['ILSVRC2012_val_00000006']) == (20121, 2)


# fmt: off
BAD_LISTS = {
    'name twice': ('a 1\nb 2\na 3\n', 'line 3 lists a a second time'),
    'index twice': ('a 1\nb 1\n', 'lines 1 and 2 have the same index 1'),
    'no index': ('a 1\nb\n', 'line 2 is not'),
    'word': ('a 1\nb x\n', 'line 2 is not'),
    'negative': ('a 1\nb -1\n', 'line 2 is not'),
    'empty': ('\n', 'is empty'),
}
# fmt: on


@pytest.mark.parametrize(('text', 'message'), BAD_LISTS.values(), ids=BAD_LISTS)
def test_bad_image_lists_are_explained(tmp_path: Path, text: str, message: str):
    path = tmp_path / 'list.txt'
    path.write_text(text)
    with pytest.raises(InputError, match=rf'list\.txt: .*{message}'):
        read_image_list(path)


def test_blacklists(tmp_path: Path, shared_data: Path):
    official = read_blacklist(shared_data / 'ilsvrc_devkit' / 'ILSVRC2014_det_validation_blacklist.txt')
    assert official.shape == (409, 2)
    assert official[0].tolist() == [46, 124]
    path = tmp_path / 'blacklist.txt'
    path.write_text('4 n00007846\n\n5 water bottle\n')
    assert read_blacklist(path).tolist() == [[4, 124], [5, 196]]
    path.write_text('')
    assert read_blacklist(path).shape == (0, 2)


@pytest.mark.parametrize(
    ('text', 'message'), [('4 n1\n', "'n1', which is not"), ('n00007846 4\n', 'line 1'), ('4\n', 'line 1')]
)
def test_bad_blacklists_are_explained(tmp_path: Path, text: str, message: str):
    path = tmp_path / 'blacklist.txt'
    path.write_text(text)
    with pytest.raises(InputError, match=rf'blacklist\.txt: .*{message}'):
        read_blacklist(path)


def test_class_lists(tmp_path: Path):
    path = tmp_path / 'classes.txt'
    path.write_text('dog\ntraffic light\n\n')
    assert read_class_names(path) == ('dog', 'traffic light')
    for text in ('', 'dog\ndog\n'):
        path.write_text(text)
        with pytest.raises(InputError, match='empty or names a class twice'):
            read_class_names(path)


def test_archives_that_inflate_without_end(tmp_path, monkeypatch):
    """A member of zeros, and a header of them, which tarfile would read at once."""
    monkeypatch.setattr(text_files, 'ANY_INFLATION', 1 << 20)
    for kind in (tarfile.REGTYPE, b'x', b'g', b'L'):
        member = tarfile.TarInfo('a.bin')
        member.type, member.size = kind, 30_000_000
        path = tmp_path / 'bomb.tar.xz'
        path.write_bytes(lzma.compress(member.tobuf() + bytes(member.size + 1024), preset=0))
        with pytest.raises(InputError, match=r'bomb\.tar\.xz: inflates to more than 100 times'):
            read_ground_truth(path)


def test_archives_of_links_and_paths_elsewhere(tmp_path):
    path = tmp_path / 'odd.tar'
    with tarfile.open(path, 'w') as archive:
        for name, kind, target in (
            ('link.xml', tarfile.SYMTYPE, '/etc/passwd'),
            ('hard.xml', tarfile.LNKTYPE, '/etc/passwd'),
            ('fifo.xml', tarfile.FIFOTYPE, ''),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            archive.addfile(member)
    with pytest.raises(InputError, match=r'holds no \.xml file'):
        read_ground_truth(path)
