"""Keys of YAML that are there twice."""

import pytest
import yaml

from det_inception.utils.yaml_keys import require_different_keys


@pytest.mark.parametrize(
    'text', ['', '5', 'a: 1\nb: {a: 2}\n', '- a: 1\n- a: 2\n', 'a: &x {b: 1}\nc: *x\n', 'a: &x [*x]']
)
def test_keys_that_differ(text):
    require_different_keys(yaml.compose(text))


@pytest.mark.parametrize('text', ['a: 1\na: 2\n', '- b: {c: 1, d: [], c: 1}\n', '? [1, {e: 2, e: 3}]\n: 4\n'])
def test_keys_that_are_there_twice(text):
    with pytest.raises(yaml.MarkedYAMLError, match="'[ace]' is there twice"):
        require_different_keys(yaml.compose(text))
