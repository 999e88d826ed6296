"""What is registered with MMDetection: backbone, region operation, head and detector."""

import det_inception.compat.mmdetection  # noqa: F401  (first: MMDetection cannot be imported without it)
from det_inception.models.backbones.alexnet import AlexNet
from det_inception.models.backbones.bn_inception import BNInception
from det_inception.models.backbones.googlenet import GoogLeNet
from det_inception.models.backbones.inception_resnet_v1 import InceptionResNetV1
from det_inception.models.backbones.nin import NIN
from det_inception.models.backbones.timm_backbone import TimmBackbone
from det_inception.models.backbones.vgg import VGG16
from det_inception.models.classifiers.crop_preprocessor import CropPreprocessor
from det_inception.models.classifiers.googlenet_classifier import GoogLeNetClassifier
from det_inception.models.classifiers.googlenet_classifier_ensemble import GoogLeNetClassifierEnsemble
from det_inception.models.classifiers.image_classifier import ImageClassifier
from det_inception.models.classifiers.timm_classifier import TimmClassifier
from det_inception.models.data_preprocessors.backbone_data_preprocessor import BackboneDataPreprocessor
from det_inception.models.detectors.imagenet_rcnn import ImageNetRCNN
from det_inception.models.detectors.multibox import MultiBox
from det_inception.models.detectors.rcnn import RCNN
from det_inception.models.detectors.rcnn_ensemble import RCNNEnsemble
from det_inception.models.detectors.region_score_average import RegionScoreAverage
from det_inception.models.heads.fully_connected_shared_head import FullyConnectedSharedHead
from det_inception.models.heads.googlenet_shared_head import GoogLeNetSharedHead
from det_inception.models.heads.imagenet_head import ImageNetHead
from det_inception.models.heads.multibox_global_head import MultiBoxGlobalHead
from det_inception.models.heads.multibox_grid_head import MultiBoxGridHead
from det_inception.models.heads.region_classifier_head import RegionClassifierHead
from det_inception.models.heads.shared_roi_head import SharedRoIHead
from det_inception.models.heads.svm_head import SVMHead
from det_inception.models.layers.assigner import IgnoringMaxIoUAssigner
from det_inception.models.layers.region_warp import RegionWarp

__all__ = [
    'NIN',
    'RCNN',
    'VGG16',
    'AlexNet',
    'BNInception',
    'BackboneDataPreprocessor',
    'CropPreprocessor',
    'FullyConnectedSharedHead',
    'GoogLeNet',
    'GoogLeNetClassifier',
    'GoogLeNetClassifierEnsemble',
    'GoogLeNetSharedHead',
    'IgnoringMaxIoUAssigner',
    'ImageClassifier',
    'ImageNetHead',
    'ImageNetRCNN',
    'InceptionResNetV1',
    'MultiBox',
    'MultiBoxGlobalHead',
    'MultiBoxGridHead',
    'RCNNEnsemble',
    'RegionClassifierHead',
    'RegionScoreAverage',
    'RegionWarp',
    'SVMHead',
    'SharedRoIHead',
    'TimmBackbone',
    'TimmClassifier',
]
