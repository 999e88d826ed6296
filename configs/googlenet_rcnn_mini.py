"""A small GoogLeNet R-CNN from random weights on the mini set; a laptop trains it in half an hour."""

_base_ = ['_base_/models/rcnn_mini.py', '_base_/datasets/mini.py', '_base_/schedules/16e.py', '_base_/runtime.py']

train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipeline}}))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline}}))
