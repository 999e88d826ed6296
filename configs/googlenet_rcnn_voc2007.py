"""R-CNN with the paper's GoogLeNet on Pascal VOC 2007, to compare its ingredients, for Caffe's --weights and a GPU.

Two passes, 256 regions of 16 images a step. See docs/results.md for what each ingredient brings.
"""

_base_ = ['_base_/models/rcnn.py', '_base_/datasets/voc.py', '_base_/schedules/voc2007.py', '_base_/runtime.py']

batch_size = 16
model = dict(
    backbone=dict(variant='paper'),
    bbox_head=dict(with_reg=True),
    train_cfg=dict(rcnn=dict(sampler=dict(num=16))),
)
train_dataloader = dict(batch_size=batch_size, num_workers=4, dataset=dict(pipeline={{_base_.train_pipeline}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.val_pipeline}}))
test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline}}))
val_evaluator = test_evaluator = dict(type='VOCBoxMetric', iou_thrs=0.5, eval_mode='11points')
train_cfg = dict(max_epochs=2, val_interval=2)
