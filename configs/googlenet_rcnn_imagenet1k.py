"""Boxes on any photo without training on boxes: python tools/demo.py photo.jpg; see docs/photo.md."""

_base_ = ['_base_/models/imagenet_rcnn.py', '_base_/datasets/ilsvrc.py', '_base_/runtime.py']

train_dataloader = None
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline}}))
