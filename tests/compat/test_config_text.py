"""The text of a config says what the config says, in lines that one reads."""

import glob
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config

from det_inception.compat.config_text import format_assignments

REPO = Path(__file__).resolve().parent.parent.parent
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner)
        | st.dictionaries(st.text(), inner)
        | st.dictionaries(st.from_regex('[a-z]{1,9}', fullmatch=True), inner)
    ),
    max_leaves=30,
)


def value(text: str):
    names = {}
    exec(text, names)
    return names['a']


@given(plain)
def test_it_means_the_same(content):
    text, _ = format_assignments(f'a = {content!r}')
    assert value(text) == content
    assert format_assignments(text) == (text, True)


@pytest.mark.parametrize('code', ['dict(**{"b.c": 1}, d=(1,))', 'dict(b=float("inf"), c=-1, d=1e-300)', '{}', '()'])
def test_what_mmengine_writes_beside_literals(code):
    long = f'a = [{code}, "{"x" * 90}"]'
    text, _ = format_assignments(long)
    assert value(text) == value(long) and text.startswith('a = [\n    ')


@pytest.mark.parametrize('name', sorted(glob.glob('googlenet_*.py', root_dir=REPO / 'configs')))
def test_every_config_comes_back(name, tmp_path):
    config = Config.fromfile(REPO / 'configs' / name)
    config.dump(tmp_path / 'config.py')
    assert Config.fromfile(tmp_path / 'config.py').to_dict() == config.to_dict()


def test_long_lines_break():
    short, long = f'dict(name={"x" * 52!r})', f'dict(name={"x" * 52!r}, type={"y" * 9!r})'
    text, _ = format_assignments(f'model = [{short}, {long}, []]')
    assert text.splitlines() == [
        'model = [',
        f'    {short},',
        '    dict(',
        f'        name={"x" * 52!r},',
        "        type='yyyyyyyyy',",
        '    ),',
        '    [],',
        ']',
    ]


def test_no_python_is_refused():
    with pytest.raises(SyntaxError):
        format_assignments('a = dict(')
