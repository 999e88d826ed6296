"""What augmentation brings on Pascal VOC 2007: googlenet_faster-rcnn_voc2007_finish.py with Albumentations' steps."""

_base_ = ['googlenet_faster-rcnn_voc2007_finish.py', '_base_/datasets/augmented.py']

resize = dict(type='BatchResize', sides=[288, 352, 416, 480], batch_size=2)
pipeline = [{{_base_.load}}, {{_base_.annotations}}, {{_base_.augment}}, resize, dict(type='PackDetInputs')]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
