"""Letters that Matplotlib's own fonts lack are looked for in the system's."""

import logging

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from det_inception.utils import drawing, fonts
from det_inception.utils.drawing import draw_boxes


@pytest.fixture
def cat_font(tmp_path):
    """A font with one letter, which is a square."""
    pen = TTGlyphPen(None)
    for move, point in zip((pen.moveTo, *[pen.lineTo] * 3), ((0, 0), (0, 800), (800, 800), (800, 0))):
        move(point)
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(['.notdef', 'cat'])
    builder.setupCharacterMap({ord('猫'): 'cat'})
    builder.setupGlyf({'.notdef': TTGlyphPen(None).glyph(), 'cat': pen.glyph()})
    builder.setupHorizontalMetrics({'.notdef': (500, 0), 'cat': (900, 0)})
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable(dict(familyName='Cats', styleName='Regular'))
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / 'cats.ttf')
    return str(tmp_path / 'cats.ttf')


@pytest.fixture(autouse=True)
def system(monkeypatch):
    """The fonts of the system, none at first."""
    files = []
    monkeypatch.setattr(font_manager, 'findSystemFonts', lambda: files)
    monkeypatch.setattr(fonts, '_found', [])
    for function in (fonts.font_for, fonts._warn, drawing._caption):
        function.cache_clear()
    yield files
    for function in (fonts.font_for, fonts._warn, drawing._caption):
        function.cache_clear()


def test_own_letters_need_no_other_font(system, cat_font):
    system.append(cat_font)
    path, text = fonts.font_for('häuschen гитара', fonts.BOLD)
    assert path.endswith('DejaVuSans-Bold.ttf') and text == 'häuschen гитара'


def test_letters_of_a_font_of_the_system(system, cat_font, tmp_path, caplog):
    (tmp_path / 'broken.ttf').write_bytes(b'no font')
    system += [str(tmp_path / 'broken.ttf'), cat_font]
    assert fonts.font_for('猫 猫') == (cat_font, '猫 猫') and not caplog.records
    boxes, color = np.array([[0, 0, 200, 100.0]]), [(0, 0, 255)]
    drawn = [draw_boxes(np.zeros((100, 200, 3), np.uint8), boxes, [name], color) for name in ('猫', '犬')]
    assert (drawn[0] != drawn[1]).any()


def test_letters_that_no_font_has(caplog):
    with caplog.at_level(logging.WARNING):
        path, text = fonts.font_for('cat 猫犬')
        fonts.font_for('車')
    assert path.endswith('DejaVuSans.ttf') and text == 'cat ??'
    assert [record.message.startswith('No font of this system') for record in caplog.records] == [True]
