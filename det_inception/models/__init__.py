"""What is registered with MMDetection: backbone, region operation, head and detector."""

from det_inception.models.bn_inception import BNInception
from det_inception.models.classifier import GoogLeNetClassifier
from det_inception.models.classifier_ensemble import GoogLeNetClassifierEnsemble
from det_inception.models.crop_preprocessor import CropPreprocessor
from det_inception.models.ensemble import RCNNEnsemble
from det_inception.models.googlenet import GoogLeNet
from det_inception.models.imagenet_rcnn import ImageNetHead, ImageNetRCNN
from det_inception.models.multibox import MultiBox, MultiBoxGlobalHead, MultiBoxGridHead
from det_inception.models.multibox_priors import MultiBoxPriorsHook
from det_inception.models.rcnn import RCNN, RegionClassifierHead
from det_inception.models.region_warp import RegionWarp
from det_inception.models.score_files import RegionScoreAverage
from det_inception.models.shared_head import GoogLeNetSharedHead, SharedRoIHead
from det_inception.models.timm_backbone import TimmBackbone

__all__ = [
    'RCNN',
    'BNInception',
    'CropPreprocessor',
    'GoogLeNet',
    'GoogLeNetClassifier',
    'GoogLeNetClassifierEnsemble',
    'GoogLeNetSharedHead',
    'ImageNetHead',
    'ImageNetRCNN',
    'MultiBox',
    'MultiBoxGlobalHead',
    'MultiBoxGridHead',
    'MultiBoxPriorsHook',
    'RCNNEnsemble',
    'RegionClassifierHead',
    'RegionScoreAverage',
    'RegionWarp',
    'SharedRoIHead',
    'TimmBackbone',
]
