"""Lists of images: what their lines name, against a plain search, and lists as editors and people write them."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sets_on_disk import write, write_image

from det_inception.formats import DataError, ImageNames, read_list, spellings, walk
from det_inception.utils.images import IMAGE_SUFFIXES


@pytest.mark.parametrize(
    'content',
    [
        b'a b.jpg\nc 1\n',
        b'a b.jpg\nc 1',  # no line feed at the end
        b'\xef\xbb\xbfa b.jpg\r\nc 1\r\n',  # from Windows
        b'a b.jpg\rc 1\r',  # from an old Mac
        b'\n  a b.jpg \n\n\t\nc 1\t\n \n',  # blanks, tabs, blank lines
    ],
)
def test_lists_as_editors_write_them(content, tmp_path):
    assert read_list(write(tmp_path / 'a.txt', content)) == ['a b.jpg', 'c 1']


@pytest.mark.parametrize(
    'content, said',
    [
        ('a\nb\n'.encode('utf-16'), 'perhaps in UTF-16; save it as UTF-8'),
        ('a\nb\n'.encode('utf-16-le'), 'perhaps in UTF-16'),
        ('häuschen'.encode('latin1'), 'no text in UTF-8'),
        (None, 'cannot be read'),
    ],
)
def test_what_is_no_list(content, said, tmp_path):
    path = tmp_path / 'a.txt'
    if content is not None:
        write(path, content)
    with pytest.raises(DataError, match=said) as caught:
        read_list(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    'line, found',
    [
        ('frame 1', ['frame 1.jpg']),  # the whole line first, though there is a frame.jpg
        ('frame 1.jpg', ['frame 1.jpg']),
        ('frame 7', ['frame.jpg']),  # VOC's number
        ('frame  -1', ['frame.jpg']),
        ('frame\t0', ['frame.jpg']),
        ('frame 1 5', ['frame 1.jpg']),
        ('frame.jpg 5', ['frame.jpg']),
        ('dotted.v2', ['dotted.v2.png']),  # no suffix of an image
        ('dotted.v2.jpg', ['dotted.v2.png']),  # saved anew in another format
        ('./frame.jpg', ['frame.jpg']),
        ('sub/one', ['sub/one.JPG']),
        ('sub\\one.JPG', ['sub/one.JPG']),  # from Windows
        ('one', ['sub/one.JPG']),  # as ILSVRC's lists leave folders out
        ('twice', ['twice.jpg', 'twice.png']),
        ('twice.png', ['twice.png']),
        ('deep', ['sub/deep.jpg', 'sub2/deep.jpg']),
        ('nobody', []),
        ('Frame', []),
        ('frame one', []),
    ],
)
def test_what_a_line_names(line, found, tmp_path):
    keys = ['frame.jpg', 'frame 1.jpg', 'dotted.v2.png', 'sub/one.JPG', 'twice.jpg', 'twice.png']
    keys += ['sub/deep.jpg', 'sub2/deep.jpg']
    assert ImageNames(tmp_path, keys).find(line) == found
    for key in keys:
        write_image(tmp_path / key)
    assert ImageNames(tmp_path).find(line) == found
    assert ImageNames(tmp_path).find(f'{tmp_path}/{line}') == found


@pytest.mark.parametrize('line', ['../a.jpg', 'sub/../../a', '/elsewhere/a.jpg', '..\\a.jpg'])
def test_a_line_cannot_leave_the_folder(line, tmp_path):
    with pytest.raises(DataError, match='outside the folder of images'):
        ImageNames(tmp_path, ['a.jpg']).find(line)


NAME = st.builds(
    lambda words, suffix: ' '.join(words) + suffix,
    st.lists(st.sampled_from(['a', 'b', '1', '-1', '22', 'a.b', 'ä']), min_size=1, max_size=3),
    st.sampled_from(['.jpg', '.PNG']),
)


def plain_find(keys, line):
    """Follows the three steps of the module word by word."""
    words = line.rsplit(maxsplit=1)
    texts = [line]
    if len(words) == 2 and words[1].removeprefix('-').isdigit():
        texts.append(words[0])
    for text in texts:
        name, suffix = os.path.splitext(text)
        for wanted in [text, name] if suffix.lower() in IMAGE_SUFFIXES else [text]:
            if wanted in keys:
                return [wanted]
            if found := [key for key in keys if os.path.splitext(key)[0] == wanted]:
                return found
    return []


@settings(deadline=None, max_examples=300)
@given(st.lists(NAME, min_size=1, max_size=6, unique=True), st.data())
def test_lines_against_a_plain_search(keys, data):
    key = data.draw(st.sampled_from(keys))
    line = data.draw(st.sampled_from([key, os.path.splitext(key)[0]])) + data.draw(st.sampled_from(['', ' 1', ' -1']))
    names = ImageNames('/nowhere', keys)
    assert names.find(line) == plain_find(keys, line)
    assert names.find(key) == [key]


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters='\n\r\0', exclude_categories=['Cs']), max_size=20))
def test_any_line_gives_names(line):
    names = list(spellings(line.strip()))
    assert len({name for name, _ in names}) == len(names)
    assert all((name and not name.endswith('/')) or name == '/' for name, _ in names) or not line.strip()


def test_the_walk_follows_links_and_ends(tmp_path):
    for key in ('a/1.jpg', 'a/b/2.PNG', '3.jpeg', 'notes.txt', '.hidden.jpg', '.git/4.jpg'):
        write_image(tmp_path / 'root' / key)
    write_image(tmp_path / 'store/5.jpg')
    os.symlink(tmp_path / 'store', tmp_path / 'root/0link')
    os.symlink(tmp_path / 'root', tmp_path / 'root/a/circle')
    os.symlink(tmp_path / 'nowhere', tmp_path / 'root/broken.jpg')
    os.symlink('loop', tmp_path / 'root/loop')
    os.symlink(tmp_path / 'root/a', tmp_path / 'root/0again')  # Images keep their own folder's name.
    keys = walk(tmp_path / 'root')
    assert [key for key in keys if key != 'broken.jpg'] == ['0link/5.jpg', '3.jpeg', 'a/1.jpg', 'a/b/2.PNG']
    assert walk(tmp_path / 'nowhere') == []
