"""ReportMetric: the numbers of the metric beside it, several processes, proposals, and errors before the test."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from det_inception.evaluation.metrics import report_metric
from det_inception.evaluation.metrics.report_metric import ReportMetric
from det_inception.evaluation.report import score_run
from det_inception.registry import METRICS
from det_inception.utils.errors import InputError

CLASSES = ('dog', 'person', 'kite')
BOX = [10, 10, 50, 50]
REPO = Path(__file__).resolve().parents[2]


def instances(boxes, labels, scores=None) -> InstanceData:
    data = InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), labels=torch.tensor(labels, dtype=torch.int64)
    )
    if scores is not None:
        data.scores = torch.tensor(scores, dtype=torch.float32)
    return data


def sample(name, truth=(), found=(), ignored=(), proposals=None, **metainfo) -> dict:
    """An image of objects (label, box) and detections (label, score, box), as the runner hands it over."""
    listed = [(*item, flag) for items, flag in ((truth, 0), (ignored, 1)) for item in items]
    metainfo = dict(img_id=name, img_path=f'/data/{name}.JPEG', ori_shape=(120, 160)) | metainfo
    metainfo['instances'] = [dict(bbox_label=label, bbox=box, ignore_flag=flag) for label, box, flag in listed]
    data = DetDataSample(metainfo=metainfo)
    data.gt_instances = instances([box for _, box in truth], [label for label, _ in truth])
    data.ignored_instances = instances([box for _, box in ignored], [label for label, _ in ignored])
    data.pred_instances = instances(
        [box for _, _, box in found], [label for label, _, _ in found], [score for _, score, _ in found]
    )
    if proposals is not None:
        data.proposals = InstanceData(bboxes=torch.tensor(proposals, dtype=torch.float32).reshape(-1, 4))
    return data.to_dict()


def random_samples(count: int, seed: int, names=None) -> list[dict]:
    """Images with duplicates, misses, ignored objects and detections of them."""
    rng = np.random.default_rng(seed)
    samples = []
    for number in range(count):
        corners = rng.integers(0, 60, (5, 2))
        boxes = np.hstack([corners, corners + rng.integers(4, 60, (5, 2))])
        labels = rng.integers(0, len(CLASSES), 5)
        found = np.vstack([boxes + rng.integers(-4, 5, (5, 4)), boxes, rng.integers(0, 90, (4, 4))])
        found = np.hstack([np.minimum(found[:, :2], found[:, 2:]), np.maximum(found[:, :2], found[:, 2:]) + 2])
        found_labels = np.concatenate([labels, labels, rng.integers(0, len(CLASSES), 4)])
        kept = rng.permutation(14)[:9]
        scores = (rng.permutation(14) + number / 100) / 20
        things = list(zip(labels.tolist(), boxes.tolist()))
        samples.append(
            sample(
                number + 1 if names is None else names[number],
                things[:4],
                list(zip(found_labels[kept].tolist(), scores[kept].tolist(), found[kept].tolist())),
                ignored=things[4:],
                proposals=found.tolist(),
            )
        )
    return samples


def run(samples, metric='ReportMetric', classes=CLASSES, **kwargs) -> dict:
    metric = METRICS.build(dict(type=metric, **kwargs))
    metric.dataset_meta = dict(classes=classes)
    for item in samples:
        metric.process({}, [item])
    return metric.evaluate(len(samples))


@pytest.fixture
def reported(monkeypatch, tmp_path):
    """Runs the metric and returns the run that it would report on."""

    def call(samples, **kwargs):
        kept = []
        monkeypatch.setattr(report_metric, 'write_report', lambda run, *_, **__: kept.append(run))
        assert run(samples, out_dir=tmp_path, **kwargs) == {}
        return kept[0]

    return call


# ----------------------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize(
    ('rules', 'metric', 'options', 'key', 'digits'),
    [
        ('ilsvrc', 'ILSVRCDetMetric', {}, 'ilsvrc/mAP', 1e-9),
        ('voc', 'VOCBoxMetric', {}, 'voc/mAP', 1e-6),
        ('voc2007', 'VOCBoxMetric', dict(eval_mode='11points'), 'voc/mAP', 1e-6),
        ('coco', 'CocoMetric', {}, 'coco/bbox_mAP_50', 6e-4),  # three digits
    ],
)
def test_the_score_is_that_of_the_metric_beside_it(reported, rules, metric, options, key, digits, seed):
    samples = random_samples(8, seed)
    expected = run(samples, metric=metric, **options)[key]
    assert score_run(reported(samples, rules=rules)).mean_ap == pytest.approx(expected, abs=digits)
    assert 0.1 < expected < 0.9


def test_ties_are_broken_as_beside(reported, tmp_path):
    """By the image list, against the order of the names."""
    names = [f'image_{number}' for number in range(8)]
    (tmp_path / 'list.txt').write_text(''.join(f'{name} {9 - number}\n' for number, name in enumerate(names)))
    samples = random_samples(8, 0, names)
    for item in samples:
        item['pred_instances']['scores'] = item['pred_instances']['scores'].round(decimals=1)
    options = dict(image_list=tmp_path / 'list.txt')
    expected = run(samples, metric='ILSVRCDetMetric', **options)['ilsvrc/mAP']
    assert score_run(reported(samples, rules='ilsvrc', **options)).mean_ap == pytest.approx(expected, abs=1e-9)
    assert run(samples, metric='ILSVRCDetMetric')['ilsvrc/mAP'] != pytest.approx(expected, abs=1e-4)


def test_a_page_is_written(tmp_path):
    assert run(random_samples(4, 0), out_dir=tmp_path / 'new', rules='voc', title='a title') == {}
    page = (tmp_path / 'new' / 'index.html').read_text()
    assert 'a title' in page and 'proposals per image' in page and 'not where the data set says' in page
    assert '1.JPEG' not in page  # no pictures, no names of images


def test_difficult_objects_count_by_the_rules_of_ilsvrc_alone(reported):
    samples = [sample('a', [(0, BOX)], [(0, 0.9, BOX)], ignored=[(0, [60, 60, 90, 90])])]
    assert {rules: reported(samples, rules=rules).num_objects[0] for rules in ('ilsvrc', 'voc', 'coco')} == {
        'ilsvrc': 2,
        'voc': 1,
        'coco': 1,
    }


def test_a_blacklist(reported, tmp_path):
    (tmp_path / 'black.txt').write_text('2 person\n7 dog\n900 dog\n')
    (tmp_path / 'list.txt').write_text('val/a 1\nval/b 2\nval/c 7\n')
    truth = [(0, BOX), (1, [60, 60, 90, 90])]
    found = [(label, 0.5, box) for label, box in truth]
    files = dict(blacklist=tmp_path / 'black.txt', rules='ilsvrc')
    by_name = reported([sample(f'val/{n}', truth, found) for n in 'cba'], **files, image_list=tmp_path / 'list.txt')
    by_index = reported([sample(index, truth, found) for index in (7, 2, 1)], **files)
    for result in (by_name, by_index):
        assert result.num_objects.tolist() == [2, 2, 0]
        assert result.blacklist.tolist() == [[1, 1], [2, 0]]
        assert score_run(result).mean_ap == 1


# --------------------------------------------------------------------------------------------------------- proposals


def test_the_best_overlap_of_each_object_is_kept(reported):
    halves = [[10, 10, 30, 50], [10, 10, 50, 20]]
    result = reported([sample('a', [(0, BOX)], proposals=halves), sample('b', [(1, BOX)], proposals=[])])
    assert result.annotations.proposal_iou.tolist() == [0.5, 0] and result.proposals_per_image == 1


def test_proposals_of_a_resized_image_are_scaled_back(reported):
    result = reported([sample('a', [(0, BOX)], proposals=[[20, 30, 100, 150]], scale_factor=(2, 3))])
    assert result.annotations.proposal_iou.tolist() == [1]


@pytest.mark.parametrize('other', [sample('b', [(0, BOX)]), sample('b', [(0, BOX)], proposals=[BOX], flip=True)])
def test_without_proposals_of_all_images_there_is_no_proposal_iou(reported, other):
    result = reported([sample('a', [(0, BOX)], proposals=[BOX]), other])
    assert result.annotations.proposal_iou is None and result.proposals_per_image is None


# ------------------------------------------------------------------------------------------------- several processes


def test_the_order_of_delivery_does_not_matter(reported, tmp_path):
    """What two processes keep, pickled and put together in any order, gives the run that one gives."""
    samples = random_samples(5, 0)
    for item in samples:
        item['pred_instances']['scores'] = item['pred_instances']['scores'].round(decimals=1)  # ties
    one = reported(samples)
    shares = []
    for rank in range(2):
        metric = ReportMetric(out_dir=tmp_path)
        metric.dataset_meta = dict(classes=CLASSES)
        metric.process({}, samples[rank::2])
        shares += pickle.loads(pickle.dumps(metric.results))[::-1]
    kept = []
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(report_metric, 'write_report', lambda run, *_, **__: kept.append(run))
        metric.compute_metrics(shares)
    (two,) = kept
    assert one.image_names == two.image_names and one.proposals_per_image == two.proposals_per_image
    for name in ('predictions', 'annotations'):
        for key, values in vars(getattr(one, name)).items():
            np.testing.assert_array_equal(values, vars(getattr(two, name))[key])


def test_images_of_the_same_name_are_told_apart(reported):
    names = reported([sample(name, [(0, (1, 1, 9, 9))]) for name in ('left/1', 'right/1')]).image_names
    assert names == ('left/1.JPEG', 'right/1.JPEG')
    assert reported([sample(name, [(0, (1, 1, 9, 9))]) for name in ('one/a', 'one/b')]).image_names == (
        'a.JPEG',
        'b.JPEG',
    )


# ------------------------------------------------------------------------------------------------------------ errors


def test_an_unwritable_folder_is_refused_before_the_test(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match='file: the report cannot be written there'):
        ReportMetric(out_dir=tmp_path / 'file')
    with pytest.raises(InputError, match='rules is one of ilsvrc, voc, voc2007, coco'):
        ReportMetric(out_dir=tmp_path, rules='imagenet')


@pytest.mark.parametrize(
    ('samples', 'message'),
    [
        ([], 'no image was tested'),
        ([sample('a', [], [(0, 0.5, BOX)])], 'None of the 1 images has an object that counts'),
        ([sample('a', [(0, BOX)], [(3, 0.5, BOX)])], 'labels go from 3 to 3'),
        ([sample('a', [(0, BOX)], [(0, float('nan'), BOX)])], 'not finite'),
    ],
)
def test_what_cannot_be_reported(samples, message, tmp_path):
    with pytest.raises(InputError, match=message):
        metric = ReportMetric(out_dir=tmp_path)
        metric.dataset_meta = dict(classes=CLASSES)
        metric.process({}, samples)
        metric.compute_metrics(metric.results)
    assert not (tmp_path / 'index.html').exists()


def test_no_annotations(tmp_path):
    with pytest.raises(InputError, match='add LoadAnnotations'):
        ReportMetric(out_dir=tmp_path).process({}, [dict(img_id='a')])
