"""Inception v3 instead of GoogLeNet in googlenet_rcnn_voc.py; docs/backbones.md has other networks of timm."""

_base_ = 'googlenet_rcnn_voc.py'

pretrained = dict(type='Pretrained', checkpoint='timm://')
backbone = dict(type='TimmBackbone', model_name='inception_v3', frozen_stages=2, norm_eval=True, init_cfg=pretrained)
model = dict(
    region_warp=dict(size=299, context=21),  # The size that it was trained at, and R-CNN's 16 of 224 pixels of context.
    backbone=dict(_delete_=True, **backbone),
    bbox_head=dict(in_channels=2048),
)
