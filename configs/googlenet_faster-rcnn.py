"""GoogLeNet Faster R-CNN on ILSVRC DET; compare it with googlenet_rcnn_bbox-reg.py."""

_base_ = ['_base_/models/faster-rcnn.py', '_base_/datasets/ilsvrc.py', '_base_/schedules/50k.py', '_base_/runtime.py']

train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipeline}}))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline}}))
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=1000))
