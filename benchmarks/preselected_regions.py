"""What R-CNN gains and loses by a close look at few regions: seconds an image and mAP for several numbers of regions.

    python benchmarks/preselected_regions.py googlenet_rcnn_bbox-reg_voc rcnn.pth --data-root my_voc --images 100

The seconds are those of the detector, from pixels to boxes, of the first --timed images: each goes through it with
every number of regions before the next image does, so that a machine that is busy for a while is busy for all of them.
Reading an image and proposing regions, which is the same for all, is a line of its own. For the mAP, every region of an
image is classified once, and the numbers differ in which of these count. Writes a plot to --out.

A few images decide little about mAP. How many of the objects are covered by one of the chosen regions (IoU 0.5) is
steadier, and needs no close look: --coverage counts these objects alone, in a second or two an image.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from clock import now
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from torch import Tensor
from torch.utils.data import Dataset
from tqdm import tqdm

from det_inception.cli import common as cli
from det_inception.config.loading import load_config
from det_inception.config.options import read_options
from det_inception.evaluation.analysis.training_curves import save_curves
from det_inception.inference.acceleration import accelerate
from det_inception.models.detectors.rcnn import RegionDetector, region_proposals
from det_inception.models.layers.preselect import SETTINGS
from det_inception.models.layers.region_classifier import RegionPredictions
from det_inception.proposals.recall import recall
from det_inception.registry import DATASETS, MODELS
from det_inception.utils.errors import InputError
from det_inception.utils.tables import markdown_table
from det_inception.weights.checkpoints import load_detectors

ALL = -1
SCORES = ('/AP50', '/bbox_mAP_50', '/mAP')
"""How the metrics of VOC, COCO and ILSVRC name the mean AP at IoU 0.5."""


def remembered(everything: RegionPredictions, boxes: Tensor) -> Callable[..., RegionPredictions]:
    """Returns what stands for ``region_scores`` of a detector that has already classified the boxes (R, 4)."""
    places = {tuple(box): place for place, box in enumerate(boxes.tolist())}

    def region_scores(inputs: Tensor, rois: Tensor, samples: object) -> RegionPredictions:
        chosen = [places[tuple(box)] for box in rois[:, 1:].tolist()]
        return RegionPredictions(*(part if part is None else part[chosen] for part in everything))

    return region_scores


@contextlib.contextmanager
def looked_at_once(model: RegionDetector, image: Tensor, boxes: Tensor) -> Iterator[None]:
    """Lets the detector look at the image now, and take this look whenever it would look again."""
    look = model.first_look(image, boxes, (SETTINGS | model.test_cfg['rcnn']['preselect'])['map_sides'])
    model.first_look = lambda *_: look
    try:
        yield
    finally:
        del model.first_look


def measure(
    model: RegionDetector, dataset: Dataset, images: int, timed: int, counts: list[int], evaluator: dict
) -> dict[int, dict]:
    """Returns ``mAP``, and the median ``seconds`` and ``regions`` of an image, for each number of regions.

    Under :data:`ALL` also ``reading``, the median seconds of an image and its proposals.
    """
    evaluators = {count: Evaluator(copy.deepcopy(evaluator)) for count in counts}
    for one in evaluators.values():
        one.dataset_meta = dataset.metainfo
    seconds: dict[int, list[float]] = {count: [] for count in counts}
    reading, regions = [], []
    settings, classify = model.test_cfg['rcnn'], model.region_scores
    settings['preselect'] = dict(settings.get('preselect') or {})
    for place in tqdm(range(images), unit='image'):
        start = time.perf_counter()
        item = dataset[place]
        reading.append(time.perf_counter() - start)
        with torch.no_grad():
            data = model.data_preprocessor(pseudo_collate([item]))
            inputs, samples = data['inputs'], data['data_samples']
            boxes = region_proposals(samples[0])
            regions.append(len(boxes))
            # The first image warms up.
            for count in counts if place <= timed else ():
                settings['preselect']['regions'] = count
                start = now()
                model.predict(inputs, copy.deepcopy(samples))
                seconds[count].append(now() - start)
            rois = torch.nn.functional.pad(boxes, (1, 0))  # Of image 0.
            model.region_scores = remembered(classify(inputs, rois, samples), boxes)
            with looked_at_once(model, inputs, boxes):
                for count in counts:
                    settings['preselect']['regions'] = count
                    evaluators[count].process(model.predict(inputs, copy.deepcopy(samples)))
            model.region_scores = classify
    results = {}
    for count, one in evaluators.items():
        score = next(value for name, value in one.evaluate(images).items() if name.endswith(SCORES))
        looked_at = statistics.median(number if count == ALL else min(count, number) for number in regions)
        results[count] = dict(mAP=float(score), seconds=statistics.median(seconds[count][1:]), regions=looked_at)
    results[ALL]['reading'] = statistics.median(reading[1:])
    return results


def coverage(model: RegionDetector, dataset: Dataset, images: int, counts: list[int]) -> tuple[int, dict[int, tuple]]:
    """Counts the objects that regions cover at IoU 0.5, without a close look.

    Returns:
        The number of objects, and for each number of regions the shares of them covered by those that one look at the
        image chooses, and by as many of the first proposals.
    """
    settings = model.test_cfg['rcnn']
    settings['preselect'] = dict(settings.get('preselect') or {})
    objects, proposals = [], []
    chosen: dict[int, list] = {count: [] for count in counts}
    for place in tqdm(range(images), unit='image'):
        with torch.no_grad():
            data = model.data_preprocessor(pseudo_collate([dataset[place]]))
            image, (sample,) = data['inputs'], data['data_samples']
            boxes = region_proposals(sample)
            objects.append(sample.gt_instances.bboxes.cpu().numpy())
            proposals.append(boxes.cpu().numpy())
            with looked_at_once(model, image, boxes):
                for count in counts:
                    settings['preselect']['regions'] = count
                    chosen[count].append(model.preselect(image, boxes, sample).cpu().numpy())
    limits = [max(map(len, proposals)) if count == ALL else count for count in counts]
    first = recall(proposals, objects, [0.5], limits)[0]
    best = (recall(chosen[count], objects, [0.5], [limit])[0, 0] for count, limit in zip(counts, limits))
    return sum(map(len, objects)), dict(zip(counts, zip(best, first)))


def said(count: int) -> str:
    """Returns a number of regions in words."""
    return 'all' if count == ALL else str(count)


def draw(results: dict[int, dict], out: Path) -> None:
    """Draws mAP over the seconds of an image."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=110, layout='constrained')
    axes = figure.subplots()
    axes.plot([row['seconds'] for row in results.values()], [row['mAP'] for row in results.values()], marker='o')
    for count, row in results.items():
        axes.annotate(said(count), (row['seconds'], row['mAP']), xytext=(4, -12), textcoords='offset points')
    axes.set(xlabel='seconds an image, without proposals', ylabel='mAP at IoU 0.5', xlim=(0, None))
    save_curves(figure, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='of an R-CNN')
    parser.add_argument('checkpoint', nargs='+', help='a trained one; several are an ensemble')
    parser.add_argument('--data-root', metavar='DIR', help='of the test data')
    parser.add_argument(
        '--counts', nargs='+', type=int, default=[25, 50, 100, 200, 400], metavar='N', help='besides all: %(default)s'
    )
    parser.add_argument('--images', type=int, default=100, metavar='N', help='the first of the test (%(default)s)')
    parser.add_argument('--timed', type=int, default=9, metavar='N', help='the first that are timed (%(default)s)')
    parser.add_argument('--coverage', action='store_true', help='count the covered objects alone')
    parser.add_argument('--engine', help='as for det-inception test, such as auto')
    parser.add_argument('--device', help='cpu or cuda (default: a GPU where there is one)')
    cli.add_config_options(parser, 'settings that override the config')
    parser.add_argument('--out', type=Path, default=Path('preselected_regions.png'), metavar='FILE.png')
    args = parser.parse_args()
    MMLogger.get_current_instance().setLevel('WARNING')
    cfg = load_config(
        args.config, options=read_options(args.cfg_options), data_root=args.data_root, checkpoint=args.checkpoint
    )
    model, dataset = MODELS.build(cfg.model), DATASETS.build(cfg.test_dataloader.dataset)
    if not isinstance(model, RegionDetector):
        raise InputError(f'{args.config}: describes no R-CNN, whose regions are crops; name one that does.')
    load_detectors(model, args.checkpoint)
    model.to(args.device or ('cuda' if torch.cuda.is_available() else 'cpu')).eval()
    if args.engine:
        accelerate(model, args.engine)
    images = min(args.images, len(dataset))
    if images < 2 or args.timed < 1:
        raise InputError('--images: at least two, as the first warms up; --timed: at least one.')
    counts = sorted({count for count in args.counts if count > 0}) + [ALL]
    if args.coverage:
        objects, shares = coverage(model, dataset, images, counts)
        rows = [['regions', 'chosen by one look', 'first proposals']]
        rows += [[said(count), f'{chosen:.3f}', f'{first:.3f}'] for count, (chosen, first) in shares.items()]
        print(f'{images} images with {objects} objects: share of them that regions cover at IoU 0.5')
        print(markdown_table(rows, numbers_from=1))
        return
    results = measure(model, dataset, images, args.timed, counts, cfg.test_evaluator)
    rows = [['regions looked at closely', 'mAP at IoU 0.5', 'seconds an image', 'the median image has']]
    for count, row in results.items():
        rows.append([said(count), f'{row["mAP"]:.4f}', f'{row["seconds"]:.2f}', f'{row["regions"]:.0f}'])
    print(f'{images} images; reading one and proposing regions takes {results[ALL]["reading"]:.2f} s')
    print(markdown_table(rows, numbers_from=1))
    draw(results, args.out)
    print(args.out)


if __name__ == '__main__':
    cli.run(main)
