"""GoogLeNet Fast R-CNN on a data set of your own in YOLO's layout; docs/speed.md compares it with R-CNN."""

_base_ = ['_base_/models/fast-rcnn.py', '_base_/datasets/yolo.py', '_base_/schedules/8e.py', '_base_/runtime.py']

train_dataloader = dict(batch_size=2, dataset=dict(pipeline={{_base_.train_pipeline}}))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline}}))
