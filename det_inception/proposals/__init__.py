"""Region proposals: how they are made, kept, exchanged with other programs, and judged. No torch, no MMDetection."""

from det_inception.proposals.errors import ProposalError, StoreKeyError, StoreMismatchError
from det_inception.proposals.interchange import export_mmdet, export_rcnn, import_mmdet, import_rcnn
from det_inception.proposals.make import make_proposals
from det_inception.proposals.merging import merge_stores
from det_inception.proposals.methods import (
    PROPOSAL_METHODS,
    ProposalMethod,
    build_method,
    register_method,
    with_options,
)
from det_inception.proposals.mixing import Mixed, mix
from det_inception.proposals.recall import average_recall, best_overlaps, recall, recall_of
from det_inception.proposals.records import ImageIdentity, Proposals, identify, rank_scores
from det_inception.proposals.selective_search import SelectiveSearch, selective_search, selective_search_parameters
from det_inception.proposals.sources import GroundTruth, Images, list_images, read_ground_truth, read_image
from det_inception.proposals.store import ProposalStore
from det_inception.proposals.writer import ProposalWriter

__all__ = [
    'PROPOSAL_METHODS',
    'GroundTruth',
    'ImageIdentity',
    'Images',
    'Mixed',
    'ProposalError',
    'ProposalMethod',
    'ProposalStore',
    'ProposalWriter',
    'Proposals',
    'SelectiveSearch',
    'StoreKeyError',
    'StoreMismatchError',
    'average_recall',
    'best_overlaps',
    'build_method',
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
    'register_method',
    'selective_search',
    'selective_search_parameters',
    'with_options',
]
