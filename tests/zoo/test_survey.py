"""The survey of MMDetection's configs: what counts as the same model, limits of its processes, and what it keeps."""

import json
import mmap
import os
import signal
import sys
import time

import pytest
import torch

from det_inception.cli import zoo
from det_inception.utils.errors import InputError
from det_inception.zoo import survey as surveying
from det_inception.zoo.children import in_child
from det_inception.zoo.configs import ZooConfig, parts_of, read_configs, without_weights
from det_inception.zoo.inputs import make_batch, shrink
from det_inception.zoo.trial import _for_prediction, build, run

LIMITS = dict(seconds=60, memory=2 << 30, folder='.')


def test_models_of_the_same_parts():
    one = dict(type='A', head=dict(num_classes=80, strides=[8, 16]), backbone=dict(depth=50, init_cfg=dict(type='P')))
    other = dict(type='A', head=dict(num_classes=3, strides=[4, 8]), backbone=dict(depth=101, init_cfg=None))
    assert parts_of(one) == parts_of(other)
    for change in (dict(type='B'), dict(neck=dict(type='N')), dict(head=dict(num_classes=80, strides=[8]))):
        assert parts_of(one | change) != parts_of(one)
    assert parts_of(dict(one, with_box=True)) != parts_of(dict(one, with_box=False))
    assert without_weights(dict(one, pretrained='x'))['backbone']['init_cfg'] is None


def test_small_inputs_are_worth_few_regions():
    settings = dict(rcnn=[dict(sampler=dict(num=512))], rpn=dict(nms_pre=2000, max_per_img=-1), score_thr=0.05)
    shrink(settings)
    assert settings == dict(rcnn=[dict(sampler=dict(num=64))], rpn=dict(nms_pre=200, max_per_img=-1), score_thr=0.0)


def sleep():
    time.sleep(60)


def hoard():
    with open('/proc/self/statm') as file:  # Freed memory that the process has kept is not beyond what it has.
        taken = int(file.read().split()[0]) * mmap.PAGESIZE
    return dict(size=len(bytearray(taken + (4 << 30))))


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_is_limited():
    started = time.monotonic()
    assert 'more than 0.2 seconds' in in_child(sleep, **dict(LIMITS, seconds=0.2))['error']
    assert time.monotonic() - started < 30
    assert in_child(hoard, **LIMITS)['error'].startswith('MemoryError')
    assert 'ended by SIGKILL' in in_child(die, **LIMITS)['error']


@pytest.fixture(scope='module')
def retinanet():
    (config,) = read_configs(['retinanet/retinanet_r18_fpn_1x_coco.py'])
    return config


def test_a_model_is_built_and_runs(retinanet):
    assert 15e6 < build(retinanet.model)['parameters'] < 25e6
    narrow = json.loads(json.dumps(retinanet.model))
    narrow['backbone'].update(base_channels=8)
    narrow['neck'].update(in_channels=[8, 16, 32, 64], out_channels=8)
    narrow['bbox_head'].update(in_channels=8, feat_channels=8)
    assert run(narrow)['steps'] == ['build', 'loss', 'backward', 'predict']
    untrainable = json.loads(json.dumps(narrow))
    del untrainable['train_cfg']
    alone = run(untrainable)  # Such as configs of a model that somebody else has trained.
    assert alone['steps'] == ['build', 'predict'] and alone['error'].startswith('TypeError')
    content = dict(read={}, build={'a.py': {}}, run={'a.py': alone}, same={'a.py': 'a.py'})
    assert surveying.state_of('a.py', content) == f'predicts alone; training: {alone["error"]}'
    narrow['neck'].update(in_channels=[8, 16, 32, 65])
    broken = run(narrow)
    assert broken['steps'] == ['build'] and broken['error'].startswith('RuntimeError')
    assert build(dict(narrow, type='NoSuchModel'))['error'].startswith('KeyError')


def test_a_survey_goes_on_where_it_was(tmp_path, monkeypatch):
    """Twins are built once, models of the same parts run once, and what has failed is tried again."""
    models = {'a/one.py': 1, 'a/same.py': 1, 'a/wide.py': 2, 'b/other.py': 3}
    configs = [
        ZooConfig(name, dict(type='B' if name[0] == 'b' else 'A', width=width), None) for name, width in models.items()
    ]
    configs.append(ZooConfig('c/broken.py', None, "ModuleNotFoundError: No module named 'mmpretrain'"))
    monkeypatch.setattr(surveying, 'read_configs', lambda patterns: iter(configs))
    calls, fails = [], [True]

    def in_child(function, model, *arguments, **limits):
        calls.append((function.__name__, model['width']))
        if function.__name__ == 'build':
            return dict(parameters=model['width'])
        return (
            dict(error='takes more than 1 seconds') if model['width'] == 3 and fails[0] else dict(steps=[], seconds=1)
        )

    monkeypatch.setattr(surveying, 'in_child', in_child)
    results = surveying.survey(tmp_path / 'zoo.json')
    assert calls == [('build', 1), ('build', 2), ('build', 3), ('run', 1), ('run', 3)]
    states = {name: surveying.state_of(name, results.content) for name in models}
    assert states == dict.fromkeys(models, 'runs') | {'b/other.py': 'takes more than 1 seconds'}
    calls.clear()
    fails[0] = False
    results = surveying.survey(tmp_path / 'zoo.json')
    assert calls == [('run', 3)]
    surveying.write_table(results, tmp_path / 'zoo.md')
    table = (tmp_path / 'zoo.md').read_text()
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in table.splitlines() if line[:1] == '|']
    assert ['with a model', '5'] in rows and ['can be built', '4'] in rows
    assert ['run, they or another of the same parts', '4'] in rows
    assert ['need a package that is not installed', '1'] in rows
    assert ['a', '3', '3', '3', '1', '1'] in rows
    (tmp_path / 'zoo.json').write_text('{}')
    with pytest.raises(InputError, match='is no result of a survey'):
        surveying.survey(tmp_path / 'zoo.json')


@pytest.mark.parametrize(
    ('name', 'message'), [('pretend', 'is no device; name cpu, cuda, cuda:1 or pretended'), ('cuda', 'finds no GPU')]
)
def test_a_device_that_is_not_there(name, message, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(sys, 'argv', ['zoo', '--device', name, '--out', str(tmp_path / 'zoo')])
    with pytest.raises(InputError, match=f'--device {name}: .*{message}'):
        zoo.main()


def test_a_pattern_without_configs():
    with pytest.raises(InputError, match=r"nosuch/\*: fits none of MMDetection's \d+ configs"):
        next(read_configs(['nosuch/*']))


def test_guided_anchoring_predicts_one_image_at_a_time():
    batch = dict(inputs=[1, 2], data_samples=[3, 4])
    assert _for_prediction(batch, dict(rpn_head=dict(type='GARPNHead'))) == dict(inputs=[1], data_samples=[3])
    assert _for_prediction(batch, dict(rpn_head=dict(type='RPNHead'))) == batch


def test_only_heads_of_instances_give_rtmdet_s_assigner_masks():
    assigner = dict(assigner=dict(type='DynamicSoftLabelAssigner'))
    for head, masks in (('RTMDetSepBNHead', False), ('RTMDetInsSepBNHead', True)):
        batch = make_batch(dict(type='RTMDet', bbox_head=dict(type=head), train_cfg=assigner), training=True)
        assert ('masks' in batch['data_samples'][0].gt_instances) == masks
