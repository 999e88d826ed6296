"""ILSVRCDetMetric: exact boxes, several processes, submission files, and what must never be a silent 0."""

import logging
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from det_inception.evaluation import ILSVRCDetMetric
from det_inception.ilsvrc import (
    DET_CLASSES,
    AnnotationTable,
    DetectionTable,
    evaluate,
    read_detections,
    read_image_list,
)
from det_inception.registry import METRICS
from det_inception.utils.errors import InputError

CLASSES = ('dog', 'person', 'kite')


def instances(boxes, labels, scores=None) -> InstanceData:
    data = InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), labels=torch.tensor(labels, dtype=torch.int64)
    )
    if scores is not None:
        data.scores = torch.tensor(scores, dtype=torch.float32)
    return data


def sample(name, truth: list[tuple], found: list[tuple]) -> dict:
    """An image with objects (label, box) and detections (label, score, box), as the runner hands it over."""
    data = DetDataSample(metainfo={'img_id': name, 'img_path': f'/data/{name}.JPEG'})
    data.gt_instances = instances([box for _, box in truth], [label for label, _ in truth])
    data.ignored_instances = instances([], [])
    data.pred_instances = instances(
        [box for _, _, box in found], [label for label, _, _ in found], [score for _, score, _ in found]
    )
    return data.to_dict()


def random_samples(count: int, seed: int = 0) -> list[dict]:
    """Images with ties, duplicates and misses."""
    rng = np.random.default_rng(seed)
    samples = []
    for number in range(count):
        corners = rng.integers(0, 60, (3, 2))
        boxes = np.hstack([corners, corners + rng.integers(1, 60, (3, 2))])
        labels = rng.integers(0, len(CLASSES), 3)
        found = np.vstack([boxes, boxes + rng.integers(-8, 9, (3, 4)) / 2, rng.integers(0, 90, (2, 4))])
        scores = rng.choice([0.25, 0.5, 0.75], len(found))
        found_labels = np.concatenate([labels, labels, rng.integers(0, len(CLASSES), 2)])
        samples.append(
            sample(
                f'image_{number:03}',
                list(zip(labels.tolist(), boxes.tolist())),
                list(zip(found_labels.tolist(), scores.tolist(), found.tolist())),
            )
        )
    return samples


def run(samples: list[dict], classes=CLASSES, **kwargs) -> dict:
    metric = METRICS.build({'type': 'ILSVRCDetMetric', **kwargs})
    metric.dataset_meta = {'classes': classes}
    for start in range(0, len(samples), 2):
        metric.process({}, samples[start : start + 2])
    return metric.evaluate(len(samples))


# ------------------------------------------------------------------------------------------------------ score


def test_ground_truth_fed_back_scores_one():
    rng = np.random.default_rng(1)
    samples = []
    for number in range(10):
        corners = rng.integers(0, 300, (4, 2))
        boxes = np.hstack([corners, corners + rng.integers(1, 90, (4, 2))]).tolist()
        samples.append(sample(f'i{number}', list(zip([0, 1, 2, 2], boxes)), list(zip([0, 1, 2, 2], [0.5] * 4, boxes))))
    assert run(samples) == {'ilsvrc/mAP': 1, 'ilsvrc/median_AP': 1}


@pytest.mark.parametrize(
    ('found', 'expected'),
    [
        ([20, 20, 30, 30], 1),  # the 10 x 10 pixels 20 to 29
        ([15, 15, 35, 35], 1),  # 20 x 20 around it: overlap 100 / 400, exactly the threshold 0.25
        ([15, 15, 35.01, 35], 0),  # a hundredth of a pixel more
        ([20, 20, 25, 25], 1),  # a quarter of it
        ([20, 20, 25, 24.99], 0),
    ],
)
def test_a_small_box_is_measured_to_the_pixel(found: list, expected: int):
    assert run([sample('a', [(0, [20, 20, 30, 30])], [(0, 0.5, found)])])['ilsvrc/mAP'] == expected


def test_equals_the_official_function_on_the_files_numbers():
    """From inclusive boxes in a file to MMDetection's continuous ones and back."""
    samples = random_samples(30)
    rows, objects = [], []
    for number, image in enumerate(samples, start=1):
        for box, label in zip(image['gt_instances']['bboxes'].tolist(), image['gt_instances']['labels'].tolist()):
            objects.append((number, label + 1, [box[0], box[1], box[2] - 1, box[3] - 1]))
        found = image['pred_instances']
        for box, label, score in zip(*(found[key].tolist() for key in ('bboxes', 'labels', 'scores'))):
            rows.append((number, label + 1, score, [box[0], box[1], box[2] - 1, box[3] - 1]))
    expected = evaluate(
        DetectionTable(*map(list, zip(*rows))),
        AnnotationTable(range(1, 31), *map(list, zip(*objects)), class_names=CLASSES),
    )
    assert run(samples)['ilsvrc/mAP'] == expected.mean_ap
    assert 0.1 < expected.mean_ap < 0.9


def test_classes_without_objects_are_not_part_of_the_mean():
    result = run([sample('a', [(1, [0, 0, 9, 9])], [(1, 0.5, [0, 0, 9, 9]), (0, 0.5, [0, 0, 9, 9])])])
    assert result == {'ilsvrc/mAP': 1, 'ilsvrc/median_AP': 1}


def test_any_kind_of_box_is_taken():
    """MMDetection's box objects, half precision, arrays; empty ones too."""
    from mmdet.structures.bbox import HorizontalBoxes  # importable once det_inception has been

    one = sample('a', [(0, [0, 0, 8, 8])], [(0, 0.5, [0, 0, 8, 8])])
    one['gt_instances']['bboxes'] = HorizontalBoxes(one['gt_instances']['bboxes'])
    one['pred_instances']['bboxes'] = one['pred_instances']['bboxes'].bfloat16()
    one['pred_instances']['scores'] = one['pred_instances']['scores'].numpy()
    two = sample('b', [], [])
    two['gt_instances']['bboxes'] = HorizontalBoxes(torch.zeros(0, 4))
    assert run([one, two])['ilsvrc/mAP'] == 1


def test_objects_to_be_ignored_count():
    one = sample('a', [(0, [0, 0, 8, 8])], [(0, 0.5, [0, 0, 8, 8])])
    one['ignored_instances'] = instances([[50, 50, 90, 90]], [0]).to_dict()
    assert run([one])['ilsvrc/mAP'] == 0.5


def test_the_order_of_images_does_not_matter():
    samples = random_samples(12)
    assert run(samples) == run(samples[::-1])


def test_the_prefix_can_be_changed_and_results_are_cleared():
    metric = ILSVRCDetMetric(prefix='val')
    metric.dataset_meta = {'classes': CLASSES}
    for _ in range(2):
        metric.process({}, random_samples(3))
        assert set(metric.evaluate(3)) == {'val/mAP', 'val/median_AP'}


def test_the_score_of_each_class():
    metric = METRICS.build({'type': 'ILSVRCDetMetric'})
    metric.dataset_meta = {'classes': CLASSES}
    metric.process({}, [sample('a', [(0, [0, 0, 9, 9]), (2, [0, 0, 9, 9])], [(0, 0.5, [0, 0, 9, 9])])])
    metric.evaluate(1)
    assert metric.class_scores == [(CLASSES[0], 1, 1.0), (CLASSES[2], 1, 0.0)]


def test_the_log_has_a_table_of_the_classes(caplog: pytest.LogCaptureFixture):
    with log_to(caplog):
        run(random_samples(4))
    assert '4 images, 32 detections' in caplog.text
    assert all(name in caplog.text for name in CLASSES)
    assert 'Mean AP:' in caplog.text


class log_to:
    """MMEngine's logger does not propagate; pytest's handler is attached to it for the while."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        from mmengine.logging import MMLogger

        self.handler = caplog.handler
        self.logger = MMLogger.get_current_instance()

    def __enter__(self) -> None:
        self.logger.addHandler(self.handler)

    def __exit__(self, *_: object) -> None:
        self.logger.removeHandler(self.handler)


# -------------------------------------------------------------------------------------------- several processes


def worker(rank: int, folder: str, count: int) -> None:
    torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/meet', rank=rank, world_size=2)
    samples = random_samples(count)
    # MMEngine's sampler deals images in turn and pads the last round with the first image.
    mine = [samples[index % count] for index in range(rank, count + count % 2, 2)]
    metric = ILSVRCDetMetric(submission_file=f'{folder}/two.txt', collect_dir=f'{folder}/parts')
    metric.dataset_meta = {'classes': CLASSES}
    metric.process({}, mine)
    result = metric.evaluate(count)
    Path(folder, f'result{rank}.txt').write_text(repr(result))
    torch.distributed.destroy_process_group()


def test_two_processes_equal_one(tmp_path: Path):
    count = 7  # odd, so that one image is evaluated twice and must be counted once
    # Forked, because a fresh process imports for ten seconds.
    torch.multiprocessing.start_processes(worker, (str(tmp_path), count), nprocs=2, start_method='fork')
    alone = run(random_samples(count), submission_file=tmp_path / 'one.txt')
    for rank in range(2):
        assert (tmp_path / f'result{rank}.txt').read_text() == repr(alone)
    assert (tmp_path / 'one.txt').read_text() == (tmp_path / 'two.txt').read_text()


# ------------------------------------------------------------------------------------------- files and blacklist


def test_the_submission_file_scores_the_same(tmp_path: Path):
    path = tmp_path / 'entry.txt.gz'
    samples = random_samples(10)
    result = run(samples, submission_file=path)
    images = read_image_list(tmp_path / 'entry.txt.gz.images.txt')
    assert images == {f'image_{number:03}': number + 1 for number in range(10)}
    objects = [
        (images[image['img_id']], label + 1, [x1, y1, x2 - 1, y2 - 1])
        for image in samples
        for (x1, y1, x2, y2), label in zip(
            image['gt_instances']['bboxes'].tolist(), image['gt_instances']['labels'].tolist()
        )
    ]
    truth = AnnotationTable(list(images.values()), *map(list, zip(*objects)), class_names=CLASSES)
    assert evaluate(read_detections(path, num_classes=3), truth).mean_ap == result['ilsvrc/mAP']


def test_images_are_numbered_by_the_list(tmp_path: Path):
    (tmp_path / 'list.txt').write_text('other 1\nval/b 5\na 9\n')
    samples = [sample(name, [(0, [0, 0, 9, 9])], [(0, 0.5, [0, 0, 9, 9])]) for name in ('a', 'b')]
    run(samples, submission_file=tmp_path / 'entry.txt', image_list=tmp_path / 'list.txt')
    lines = (tmp_path / 'entry.txt').read_text().splitlines()
    assert sorted(line.split()[0] for line in lines) == ['5', '9']
    assert not list(tmp_path.glob('*.images.txt'))


def test_whole_numbers_are_the_indices(tmp_path: Path):
    run([sample(40, [(0, [0, 0, 9, 9])], [(0, 0.5, [0, 0, 9, 9])])], submission_file=tmp_path / 'entry.txt')
    assert (tmp_path / 'entry.txt').read_text() == '40 1 0.5 0.0 0.0 8.0 8.0\n'
    assert not list(tmp_path.glob('*.images.txt'))


def test_images_without_any_annotation_give_a_submission_and_no_score(tmp_path: Path):
    samples = [sample(number, [], [(0, 0.5, [0, 0, 9, 9])]) for number in (7, 8)]
    result = run(samples, submission_file=tmp_path / 'entry.txt')
    assert result == {'ilsvrc/detections': 2.0}
    assert [line.split()[0] for line in (tmp_path / 'entry.txt').read_text().splitlines()] == ['7', '8']


def test_the_official_classes_get_their_official_ids(tmp_path: Path):
    classes = DET_CLASSES[::-1]
    run([sample(1, [(0, [0, 0, 9, 9])], [(0, 0.5, [0, 0, 9, 9])])], classes, submission_file=tmp_path / 'entry.txt')
    assert (tmp_path / 'entry.txt').read_text().startswith('1 200 ')


def test_the_blacklist_is_obeyed(tmp_path: Path):
    (tmp_path / 'blacklist.txt').write_text('2 n02084071\n')  # the dog of image 2
    samples = [sample(1, [(0, [0, 0, 9, 9])], [(0, 0.5, [0, 0, 9, 9])]), sample(2, [(0, [0, 0, 9, 9])], [])]
    assert run(samples)['ilsvrc/mAP'] == 0.5
    assert run(samples, blacklist=tmp_path / 'blacklist.txt')['ilsvrc/mAP'] == 1


def test_a_blacklist_needs_numbered_images(tmp_path: Path):
    (tmp_path / 'blacklist.txt').write_text('2 n02084071\n')
    with pytest.raises(InputError, match='give ILSVRCDetMetric an image_list'):
        run(random_samples(1), blacklist=tmp_path / 'blacklist.txt')


# -------------------------------------------------------------------------------------------------- bad input

BOX = [0, 0, 9, 9]

# fmt: off
BAD_CASES = {
    'NaN confidence': ([sample('culprit', [(0, BOX)], [(0, math.nan, BOX)])], 'Image culprit: a predicted'),
    'infinite confidence': ([sample('culprit', [(0, BOX)], [(0, -math.inf, BOX)])], 'Image culprit: a predicted'),
    'NaN box': ([sample('culprit', [(0, BOX)], [(0, 0.5, [0, math.nan, 9, 9])])], 'Image culprit: a box'),
    'more classes than the data set': ([sample('culprit', [(0, BOX)], [(3, 0.5, BOX)])], 'Image culprit: labels go'),
    'negative label': ([sample('culprit', [(-1, BOX)], [])], 'Image culprit: labels go'),
    'image twice': ([sample('culprit', [(0, BOX)], [])] * 2, 'image culprit was evaluated twice'),
    'no images': ([], 'no image was evaluated'),
    'no objects': ([sample('a', [], [(0, 0.5, BOX)])], 'no object'),
}
# fmt: on


@pytest.mark.parametrize(('samples', 'message'), BAD_CASES.values(), ids=BAD_CASES)
def test_bad_input_is_explained(samples: list[dict], message: str):
    with pytest.raises(InputError, match=message):
        run(samples)


def test_an_image_outside_the_list_is_explained_at_once(tmp_path: Path):
    (tmp_path / 'list.txt').write_text('other 1\n')
    metric = ILSVRCDetMetric(image_list=tmp_path / 'list.txt')
    metric.dataset_meta = {'classes': CLASSES}
    for name in ('culprit', 77):
        with pytest.raises(InputError, match=f'Image {name}: not in the image list'):
            metric.process({}, [sample(name, [(0, BOX)], [])])


def test_missing_annotations_are_explained():
    image = sample('culprit', [], [])
    del image['gt_instances']
    with pytest.raises(InputError, match='Image culprit: no gt_instances'):
        run([image])


def test_missing_classes_are_explained():
    metric = ILSVRCDetMetric()
    with pytest.raises(InputError, match='names no classes'):
        metric.process({}, [sample('a', [(0, BOX)], [])])


def test_no_detection_at_all_is_a_zero_with_a_warning(caplog: pytest.LogCaptureFixture):
    with log_to(caplog):
        result = run([sample('a', [(0, BOX)], [])])
    assert result == {'ilsvrc/mAP': 0, 'ilsvrc/median_AP': 0}
    assert any(
        record.levelno == logging.WARNING and 'detected nothing in 1 images' in record.message
        for record in caplog.records
    )


def test_a_blacklist_that_leaves_nothing_is_explained(tmp_path: Path):
    (tmp_path / 'blacklist.txt').write_text('1 n02084071\n')
    with pytest.raises(InputError, match='leaves no object'):
        run([sample(1, [(0, BOX)], [])], blacklist=tmp_path / 'blacklist.txt')
