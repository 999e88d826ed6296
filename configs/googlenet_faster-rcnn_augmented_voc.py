"""Faster R-CNN on own data in Pascal VOC's layout, augmented with Albumentations."""

_base_ = ['googlenet_faster-rcnn_voc.py', '_base_/datasets/augmented.py']

load, annotations = dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)
resize = dict(type='BatchResize', sides=[320, 352, 384, 416, 448, 480], batch_size=2)
pipeline = [load, annotations, {{_base_.augment}}, resize, dict(type='PackDetInputs')]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
