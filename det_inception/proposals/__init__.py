"""Region proposals: how they are made, kept, exchanged with other programs, and judged. No torch, no MMDetection."""

from det_inception.proposals.errors import ProposalError
from det_inception.proposals.interchange import export_mmdet, export_rcnn, import_mmdet, import_rcnn
from det_inception.proposals.make import METHODS, SelectiveSearch, make_proposals
from det_inception.proposals.mixing import Mix, mix
from det_inception.proposals.recall import average_recall, best_overlaps, recall, recall_of
from det_inception.proposals.selective_search import selective_search, selective_search_parameters
from det_inception.proposals.sources import GroundTruth, Images, list_images, read_ground_truth, read_image
from det_inception.proposals.store import (
    ImageIdentity,
    Proposals,
    ProposalStore,
    StoreKeyError,
    StoreMismatchError,
    identify,
    rank_scores,
)
from det_inception.proposals.writer import ProposalWriter, merge_stores

__all__ = [
    'METHODS',
    'GroundTruth',
    'ImageIdentity',
    'Images',
    'Mix',
    'ProposalError',
    'ProposalStore',
    'ProposalWriter',
    'Proposals',
    'SelectiveSearch',
    'StoreKeyError',
    'StoreMismatchError',
    'average_recall',
    'best_overlaps',
    'export_mmdet',
    'export_rcnn',
    'identify',
    'import_mmdet',
    'import_rcnn',
    'list_images',
    'make_proposals',
    'merge_stores',
    'mix',
    'rank_scores',
    'read_ground_truth',
    'read_image',
    'recall',
    'recall_of',
    'selective_search',
    'selective_search_parameters',
]
