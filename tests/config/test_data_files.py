"""Configs in YAML and JSON are data: a stranger's runs nothing."""

import json

import pytest
import yaml

from det_inception.config.errors import ConfigError
from det_inception.config.loading import read_config
from det_inception.config.options import read_options

PLAIN = dict(
    custom_imports=dict(imports=['det_inception.models']),
    default_scope='mmdet',
    model=dict(type='RCNN', backbone=dict(type='mmdet.ResNet', depth=18), size=(3, 4)),
)


@pytest.mark.parametrize('suffix', ['yaml', 'yml', 'json'])
def test_plain_ones_are_read(suffix, tmp_path):
    path = tmp_path / f'a.{suffix}'
    # MMEngine writes tuples with a tag of Python.
    path.write_text(json.dumps(PLAIN) if suffix == 'json' else yaml.dump(PLAIN))
    cfg = read_config(path)
    assert cfg.model.backbone.type == 'mmdet.ResNet' and tuple(cfg.model.size) == (3, 4)


def _imports(name):
    return dict(PLAIN, custom_imports=dict(imports=name))


FOREIGN = {
    'a call': 'model: !!python/object/apply:os.mkdir ["{made}"]',
    'an object': 'model: !!python/object/new:os.mkdir ["{made}"]',
    'a name': 'model: !!python/name:os.mkdir',
    'a module': 'model: !!python/module:os',
    'a path to code': 'model: {{type: os.mkdir, path: "{made}"}}',
    'a path to code deep inside': 'model: {{type: RCNN, a: [{{b: {{type: mmengine.fileio.load, file: x.pkl}}}}]}}',
    'a function of MMEngine': 'model: {{type: mmengine.load, file: x.pkl}}',
    'an import': 'custom_imports: {{imports: [antigravity]}}\nmodel: {{type: RCNN}}',
    'one import': 'custom_imports: {{imports: antigravity}}\nmodel: {{type: RCNN}}',
    'endless aliases': 'a: &a [x,x,x,x,x,x,x,x,x,x]\n'
    + '\n'.join(f'{b}: &{b} [{",".join([f"*{a}"] * 10)}]' for a, b in zip('abcdefghij', 'bcdefghijk'))
    + '\nmodel: *k',
    'a key that is never hashed': 'a: &a !!python/tuple [1, 2]\n'
    + '\n'.join(
        f'b{n}: &b{n} !!python/tuple [*{"a" if not n else f"b{n - 1}"}, *{"a" if not n else f"b{n - 1}"}]'
        for n in range(60)
    )
    + '\n? *b59\n: 1',
    'a setting twice': 'model: {{type: RCNN}}\nmodel: {{type: FasterRCNN}}',
    'itself': 'model: &a {{b: *a}}',
    'deep nesting': '[' * 20_000,
    'no config': '- 5',
    'half': 'model: {{type: [',
    'a template': "a: \"{{{{__import__('os').mkdir('{made}')}}}}\"\nmodel: 5",
}


@pytest.mark.parametrize('kind', FOREIGN)
def test_code_and_bombs_are_refused(kind, tmp_path):
    made, path = tmp_path / 'made', tmp_path / 'a.yaml'
    path.write_text(FOREIGN[kind].format(made=made))
    with pytest.raises(ConfigError, match=str(path)) as caught:
        read_config(path)
    assert not made.exists() and '\n' not in str(caught.value)


def test_other_files_are_refused(tmp_path):
    made = tmp_path / 'made'
    path = tmp_path / 'a.json'
    for content in (
        json.dumps(dict(PLAIN, model=dict(type='os.mkdir', path=str(made)))),
        json.dumps(_imports(['antigravity'])),
        '{"model": ' + '[' * 100_000,
        '{',
        '5',
    ):
        path.write_text(content)
        with pytest.raises(ConfigError, match=str(path)):
            read_config(path)
    for name in ('a.pkl', 'a.txt', 'a'):
        (tmp_path / name).write_bytes(b'cos\nmkdir\n(V' + str(made).encode() + b'\ntR.')
        with pytest.raises(ConfigError, match=str(tmp_path / name)):
            read_config(tmp_path / name)
    (tmp_path / 'long.yaml').write_bytes(b' ' * (5 << 20))
    with pytest.raises(ConfigError, match='longer than 4 MiB'):
        read_config(tmp_path / 'long.yaml')
    assert not made.exists()


def test_options_apply_to_them(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(PLAIN))
    cfg = read_config(path, options=read_options(['model.backbone.depth=50']))
    assert cfg.model.backbone.depth == 50
