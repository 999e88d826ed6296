"""Several data sets with one pipeline."""

from __future__ import annotations

from collections.abc import Sequence

from mmdet.datasets import ConcatDataset

from det_inception.registry import DATASETS


@DATASETS.register_module()
class SharedPipelineDataset(ConcatDataset):
    """MMDetection's :class:`ConcatDataset`, whose pipeline a config writes once.

    Args:
        datasets: Configs of the data sets; one that has a pipeline keeps it.
        pipeline: For all others.
        **kwargs: As for :class:`ConcatDataset`.
    """

    def __init__(self, datasets: Sequence[dict], pipeline: Sequence[dict] = (), **kwargs) -> None:
        super().__init__([dict(dict(pipeline=pipeline), **dataset) for dataset in datasets], **kwargs)
