"""Reading XML annotations, good and bad."""

import pytest

from det_inception.formats import clip_box
from det_inception.formats.annotation_xml import (
    MAX_XML_BYTES,
    AnnotatedObject,
    AnnotationError,
    read_xml,
    xml_root,
)

BOX = '<bndbox><xmax>30</xmax><xmin>10</xmin><ymin>20.5</ymin><ymax>40</ymax></bndbox>'


def write(tmp_path, body, root='annotation', encoding='utf-8'):
    path = tmp_path / 'a.xml'
    path.write_bytes(f'<{root}>{body}</{root}>'.encode(encoding))
    return path


def test_objects_in_order(tmp_path):
    body = (
        '<folder>wrong</folder><filename>wrong.jpg</filename>'
        '<size><width>64</width><height>48</height><depth>3</depth></size>'
        f'<object><name> dog </name><pose>Left</pose><difficult>1</difficult>{BOX}</object>'
        f'<object><name>häuschen</name>{BOX}<part><name>head</name>{BOX}</part></object>'
    )
    for encoding in ('utf-8', 'utf-8-sig', 'utf-16'):
        annotation = read_xml(write(tmp_path, body, encoding=encoding))
        assert (annotation.width, annotation.height) == (64, 48)
        assert annotation.objects == (
            AnnotatedObject('dog', (10.0, 20.5, 30.0, 40.0), True),
            AnnotatedObject('häuschen', (10.0, 20.5, 30.0, 40.0), False),
        )


@pytest.mark.parametrize(
    'size',
    [
        '',
        '<size/>',
        '<size><width>0</width><height>0</height></size>',
        '<size><width>-4</width><height>nan</height></size>',
        '<size><width>inf</width><height>wide</height></size>',
    ],
)
def test_unknown_size_is_zero(size, tmp_path):
    annotation = read_xml(write(tmp_path, size))
    assert (annotation.width, annotation.height) == (0, 0) and annotation.objects == ()


@pytest.mark.parametrize(
    'flag, difficult',
    [('0', False), ('1', True), (' 1 ', True), ('', False), ('True', True), ('false', False), ('Unspecified', False)],
)
def test_difficult(flag, difficult, tmp_path):
    path = write(tmp_path, f'<object><name>a</name><difficult>{flag}</difficult>{BOX}</object>')
    assert read_xml(path).objects[0].difficult is difficult


@pytest.mark.parametrize(
    'body, said',
    [
        ('<object>', 'not well-formed XML'),
        (f'<object>{BOX}</object>', 'object 1 has no <name>'),
        ('<object><name>dog</name></object>', "'dog', has no complete <bndbox> of numbers: xmin = None"),
        (f'<object><name>dog</name>{BOX.replace("10", "ten")}</object>', 'of numbers'),
        (f'<object><name>dog</name>{BOX.replace("10", "nan")}</object>', 'is no box'),
        (f'<object><name>dog</name>{BOX.replace("10", "-inf")}</object>', 'is no box'),
    ],
)
def test_broken_annotations(body, said, tmp_path):
    path = write(tmp_path, body)
    with pytest.raises(AnnotationError, match=said) as caught:
        read_xml(path)
    assert str(caught.value).startswith(f'{path}: ') and '\n' not in str(caught.value)


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-16'])
def test_entities_are_refused(encoding, tmp_path):
    path = tmp_path / 'bomb.xml'
    text = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><annotation>&b;</annotation>'
    path.write_bytes(text.encode(encoding))
    with pytest.raises(AnnotationError, match='document type or entities'):
        read_xml(path)


def test_other_files(tmp_path):
    with pytest.raises(AnnotationError, match='not <annotation>'):
        read_xml(write(tmp_path, '<body/>', root='html'))
    with pytest.raises(AnnotationError, match='cannot be read .*; add it'):
        read_xml(tmp_path / 'missing.xml')
    for content in (b'', b'\xff\xd8\xff', b'<?xml version="1.0" encoding="klingon"?><annotation/>'):
        (tmp_path / 'a.xml').write_bytes(content)
        with pytest.raises(AnnotationError, match='not well-formed XML'):
            read_xml(tmp_path / 'a.xml')


@pytest.mark.parametrize(
    'box, clipped',
    [
        ((2, 3, 9, 8), (2, 3, 9, 8)),
        ((-5, -5, 200, 200), (0, 0, 100, 50)),
        ((95, 10, 105, 20), (95, 10, 100, 20)),
        ((99.5, 10, 105, 20), None),  # Less than a pixel is left.
        ((100, 10, 130, 20), None),
        ((5, 5, 5, 9), None),
        ((9, 5, 5, 9), None),
        ((5, 5, 6, 6), (5, 5, 6, 6)),
    ],
)
def test_clip_box(box, clipped):
    assert clip_box(box, 100, 50) == clipped


# fmt: off
REFUSED = {
    # a billion laughs
    'entities': (b'<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><a>&c;</a>', 'document type'),
    # a file of the reader's own machine
    'external entity': (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', 'document type'),
    'external document type': (b'<!DOCTYPE a SYSTEM "http://example.org/a.dtd"><a/>', 'document type'),
    # looking for the ASCII bytes of DOCTYPE would miss it
    'UTF-16': ('<!DOCTYPE a [<!ENTITY b "ha">]><a>&b;</a>'.encode('utf-16'), 'document type'),
    'undefined entity': (b'<a>&b;</a>', 'not well-formed'),
    'truncated': (b'<a><b>1</b>', 'not well-formed'),
    'empty': (b'', 'not well-formed'),
    'no XML': (b'\xff\xd8\xff\xe0', 'not well-formed'),
    'not in the encoding that it declares': (
        '<?xml version="1.0" encoding="GBK"?><a>ä</a>'.encode('latin-1'),
        "'gbk' codec can't decode.*save it as UTF-8",
    ),
    'an encoding without a declaration': ('<a>浣熊</a>'.encode('gbk'), 'not well-formed.*or save it as UTF-8'),
    'no encoding of texts': (b'<?xml version="1.0" encoding="zlib"?><a/>', 'not well-formed'),
    'a document type in GBK': (
        '<?xml version="1.0" encoding="GBK"?><!DOCTYPE a [<!ENTITY b "熊">]><a>&b;</a>'.encode('gbk'),
        'document type',
    ),
    'unknown encoding': (b'<?xml version="1.0" encoding="klingon"?><a/>', 'encoding|not well-formed'),
    'too large': (b'<a>' + bytes(MAX_XML_BYTES), 'more than 4 MB'),
}
# fmt: on


@pytest.mark.parametrize(('data', 'message'), REFUSED.values(), ids=REFUSED)
def test_xml_from_strangers_is_refused(data: bytes, message: str):
    with pytest.raises(AnnotationError, match=rf'stranger\.xml: .*({message})'):
        xml_root(data, 'stranger.xml')


def test_ordinary_xml_is_read_in_its_own_encoding():
    assert xml_root('<a><b>ä &amp; 1</b></a>'.encode('utf-16'), 'a.xml').findtext('b') == 'ä & 1'
    latin = '<?xml version="1.0" encoding="iso-8859-1"?><a>ä</a>'.encode('latin-1')
    for encoding, word in (
        ('GBK', '浣熊'),
        ('gb2312', '浣熊'),
        ('Shift_JIS', 'アライグマ'),
        ('Big5', '浣熊'),
        ('euc-kr', '너구리'),
    ):
        content = f"<?xml version='1.0' encoding='{encoding}'?>\n<a><b>{word}</b></a>".encode(encoding)
        assert xml_root(content, 'a.xml').findtext('b') == word
    assert xml_root(latin, 'a.xml').text == 'ä'
