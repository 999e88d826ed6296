"""GoogLeNet Faster R-CNN on a data set of your own in Pascal VOC's layout; it makes its own proposals."""

_base_ = [
    '_base_/models/faster-rcnn_small.py',
    '_base_/datasets/voc.py',
    '_base_/schedules/finetune.py',
    '_base_/runtime.py',
]

batch = {{_base_.batch_size}}
train_dataloader = dict(batch_size=batch, num_workers=1, dataset=dict(pipeline={{_base_.train_pipeline}}))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline}}))
