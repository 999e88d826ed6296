"""The guided tour: the page, its pictures and its numbers are what the notebook's code shows today."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope='module')
def made():
    pytest.importorskip('timm', reason='the extra backbones is not installed')
    spec = importlib.util.spec_from_file_location('site_tour', REPO / 'docs/site/tour.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make_page((REPO / 'examples/tour.ipynb').read_text(encoding='utf-8'))


def test_the_page_and_its_pictures_are_what_the_notebook_shows(made):
    stored = {path.relative_to(REPO / 'docs').as_posix(): path for path in REPO.glob('docs/images/tour/*')}
    stored['tour.md'] = REPO / 'docs/tour.md'
    assert {*made} == {*stored}
    for name, text in made.items():
        assert stored[name].read_text(encoding='utf-8') == text, f'run docs/site/tour.py: {name} differs'


def test_the_numbers_of_the_prose_are_computed(made):
    cells = json.loads((REPO / 'examples/tour.ipynb').read_text(encoding='utf-8'))['cells']
    prose = ' '.join(''.join(cell['source']) for cell in cells if cell['cell_type'] == 'markdown')
    said = set(re.findall(r'\d{1,3}(?:,\d{3})+', prose))
    page = made['tour.md']
    for cell in cells:
        page = page.replace(''.join(cell['source']).replace('](../docs/', ']('), '')
    assert {'165,888', '67,584'} <= said <= set(re.findall(r'\d{1,3}(?:,\d{3})+', page))


def test_the_figures_of_the_prose(made):
    """A quarter, two thirds, a ninth and twice."""
    numbers = {
        name: int(value.replace(',', ''))
        for name, value in re.findall(r'\| (\S.*?) +\|.* ([\d,]{9,}) \|', made['tour.md'])
    }
    assert 8.5 < numbers['AlexNet, Caffe'] / numbers['GoogLeNet'] < 9.5
    naive = made['images/tour/naive.svg']
    (five,), (three,) = (
        re.findall(rf'{kernel} convolution</text>\n.*?>(\d+) ×.*\n.*?>([\d,]+) par', naive) for kernel in ('5×5', '3×3')
    )
    assert int(three[0]) == 4 * int(five[0])
    assert int(five[1].replace(',', '')) / int(three[1].replace(',', '')) == pytest.approx(2 / 3, abs=0.04)
