"""GoogLeNet R-CNN with box regression on a data set of your own in YOLO's layout; classes are read from it."""

_base_ = ['_base_/models/rcnn.py', '_base_/datasets/yolo.py', '_base_/schedules/8e.py', '_base_/runtime.py']

model = dict(bbox_head=dict(with_reg=True))
train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipeline}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.val_pipeline}}))
test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline}}))
