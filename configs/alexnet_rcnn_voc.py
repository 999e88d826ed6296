"""R-CNN as it began: AlexNet with fc6 and fc7 instead of GoogLeNet; docs/backbones.md has its other networks."""

_base_ = 'googlenet_rcnn_voc.py'

pretrained = dict(type='Pretrained', checkpoint='torchvision://alexnet')
model = dict(
    backbone=dict(_delete_=True, type='AlexNet', variant='torchvision', frozen_stages=0, init_cfg=pretrained),
    bbox_head=dict(in_channels=4096, dropout=0.0),  # The network has its own, behind fc6 and fc7.
)
