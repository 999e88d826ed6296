"""GoogLeNet Fast R-CNN on a data set of your own in YOLO's layout; selective search proposes."""

_base_ = [
    '_base_/models/fast-rcnn_small.py',
    '_base_/datasets/yolo.py',
    '_base_/schedules/finetune.py',
    '_base_/runtime.py',
]

batch = {{_base_.batch_size}}
train_dataloader = dict(batch_size=batch, num_workers=1, dataset=dict(pipeline={{_base_.train_pipeline}}))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline}}))
