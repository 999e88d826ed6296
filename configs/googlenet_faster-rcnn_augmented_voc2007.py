"""What augmentation brings on Pascal VOC 2007: googlenet_faster-rcnn_voc2007.py with the steps of Albumentations."""

_base_ = ['googlenet_faster-rcnn_voc2007.py', '_base_/datasets/augmented.py']

resize = dict(type='BatchResize', sides=[256, 288, 320, 352, 384], batch_size=2)
pipeline = [{{_base_.load}}, {{_base_.annotations}}, {{_base_.augment}}, resize, dict(type='PackDetInputs')]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
