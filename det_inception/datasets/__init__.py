"""What is registered with MMDetection: data sets and the pipeline steps that it lacks."""

import det_inception.compat  # noqa: F401  (first: MMDetection cannot be imported without it)
from det_inception.datasets.crops import PackCrops, RandomCropAndDistort, TestCrops
from det_inception.datasets.detection import COCOFormatDataset, DetectionDataset, VOCFolderDataset, YOLODataset
from det_inception.datasets.ilsvrc_det import ILSVRCDetDataset
from det_inception.datasets.imagenet import ImageNetDataset
from det_inception.datasets.proposal_transforms import ProposalAlbu, ProposalBroadcaster
from det_inception.datasets.shared_pipeline import SharedPipelineDataset
from det_inception.datasets.transforms import BatchResize, LoadAnyImage, LoadRegionProposals
from det_inception.formats.records import DataError

__all__ = [
    'BatchResize',
    'COCOFormatDataset',
    'DataError',
    'DetectionDataset',
    'ILSVRCDetDataset',
    'ImageNetDataset',
    'LoadAnyImage',
    'LoadRegionProposals',
    'PackCrops',
    'ProposalAlbu',
    'ProposalBroadcaster',
    'RandomCropAndDistort',
    'SharedPipelineDataset',
    'TestCrops',
    'VOCFolderDataset',
    'YOLODataset',
]
