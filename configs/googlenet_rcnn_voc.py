"""GoogLeNet R-CNN on a data set of your own in Pascal VOC's layout; classes are read from it."""

_base_ = ['_base_/models/rcnn.py', '_base_/datasets/voc.py', '_base_/schedules/8e.py', '_base_/runtime.py']

train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipeline}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.val_pipeline}}))
test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline}}))
