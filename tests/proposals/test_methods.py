"""Proposal methods by their name: built from dicts, refused with one sentence, added by strangers."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from det_inception.proposals import (
    PROPOSAL_METHODS,
    Mixed,
    ProposalError,
    SelectiveSearch,
    build_method,
    register_method,
    with_options,
)

REPO = Path(__file__).resolve().parents[2]
SEARCH = dict(type='SelectiveSearch', mode='ilsvrc2014', width=None, min_size=5)


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    """What a test registers is gone after it."""
    known = dict(PROPOSAL_METHODS)
    yield
    PROPOSAL_METHODS.clear()
    PROPOSAL_METHODS.update(known)


class Halves:
    """The halves of an image, as a stranger would write it."""

    def __init__(self, upright=True):
        self.upright = upright

    def __call__(self, image):
        height, width = image.shape[:2]
        first = [0, 0, width / 2, height] if self.upright else [0, 0, width, height / 2]
        return np.array([first, [width - first[2] * self.upright, height - first[3], width, height]]), None

    @property
    def parameters(self):
        return {'method': 'halves', 'upright': self.upright}


def test_dicts_become_methods():
    assert build_method(SEARCH) == SelectiveSearch('ilsvrc2014', None, 5)
    place = f'{__name__}:Halves'
    mixed = build_method(dict(type='Mixed', first=dict(type=place, upright=False), second=SEARCH, max_overlap=0.5))
    assert isinstance(mixed, Mixed) and mixed.second == SelectiveSearch('ilsvrc2014', None, 5)
    assert mixed.parameters['first'] == {'method': 'halves', 'upright': False} and mixed.max_overlap == 0.5


def test_a_stranger_registers_a_method():
    with pytest.raises(ProposalError, match="There is no proposal method 'Halves'"):
        build_method(dict(type='Halves'))
    assert register_method(Halves) is Halves
    assert build_method(dict(type='Halves')).upright
    register_method(Halves)  # Imported again.
    with pytest.raises(ProposalError, match='There is another proposal method SelectiveSearch; give'):
        register_method(type('SelectiveSearch', (Halves,), {}))


@pytest.mark.parametrize(
    ('settings', 'sentence'),
    [
        (None, "A proposal method is None, not a dict that names its type, as in dict(type='SelectiveSearch')."),
        (dict(mode='fast'), 'not a dict that names its type'),
        (
            dict(type='selectivesearch'),
            "There is no proposal method 'selectivesearch'; did you mean 'SelectiveSearch'?",
        ),
        (dict(type='x'), "no proposal method 'x'; choose from SelectiveSearch, MultiBox, Mixed."),
        (dict(SEARCH, mod='fast'), "SelectiveSearch has no argument 'mod'; did you mean 'mode'?"),
        (dict(SEARCH, qqq=1), "no argument 'qqq'; choose from mode, width, min_size."),
        (dict(SEARCH, mode='slow'), "mode is 'slow'; choose one of"),
        (dict(type='Mixed', first=SEARCH), 'Mixed needs second; give it'),
        (dict(type='Mixed', first=dict(type='Mixd'), second=SEARCH), "'Mixd'; did you mean 'Mixed'?"),
        (dict(type='no.such:Thing'), 'no.such:Thing cannot be imported (No module named'),
        (dict(type=f'{__name__}:Thirds'), 'Thirds cannot be imported (module'),
        (dict(type='subprocess:Popen', args=['false']), 'no proposal method: it has no __call__ and no parameters'),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(settings, sentence):
    with pytest.raises(ProposalError) as error:
        build_method(settings)
    assert sentence in str(error.value) and '\n' not in str(error.value)


def test_options_go_where_they_belong():
    mixed = dict(type='Mixed', first=dict(type=f'{__name__}:Halves'), second=SEARCH)
    changed = with_options(mixed, {'width': 300, 'upright': False, 'max_overlap': 0.7})
    assert changed['second'] == dict(SEARCH, width=300) and changed['first']['upright'] is False
    assert changed['max_overlap'] == 0.7 and mixed['second'] == SEARCH and 'upright' not in mixed['first']
    both = dict(type='Mixed', first=SEARCH, second=SEARCH)
    assert with_options(both, {'second.mode': 'fast'}) == dict(both, second=dict(SEARCH, mode='fast'))
    assert with_options(both, {'mode': 'fast'})['first'] == dict(SEARCH, mode='fast')
    assert with_options(SEARCH, {'upright': 1, 'type': f'{__name__}:Halves'}) == dict(
        type=f'{__name__}:Halves', upright=1
    )
    assert with_options(None, {'mode': 'fast'}) == dict(type='SelectiveSearch', mode='fast')
    for wrong in ('widht', 'first.width', 'third.mode'):
        with pytest.raises(ProposalError, match=f"Mixed has no argument '{wrong}'; "):
            with_options(mixed, {wrong: 1})


def test_the_methods_of_the_ground_floor_need_no_torch():
    code = (
        'import sys\nfrom det_inception.proposals import build_method\n'
        "search = dict(type='SelectiveSearch')\nbuild_method(dict(type='Mixed', first=search, second=search))\n"
        "assert not {'torch', 'mmengine', 'matplotlib'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, '-c', code], check=True, cwd=REPO)
