"""The entry itself on ILSVRC DET: 200 classes, no box regression, selective search; see docs/full_ilsvrc.md."""

_base_ = ['_base_/models/rcnn.py', '_base_/datasets/ilsvrc.py', '_base_/schedules/50k.py', '_base_/runtime.py']

sampler = dict(type='RandomSampler', num=32, pos_fraction=0.25, add_gt_as_proposals=True)  # R-CNN's.
rcnn = dict(assigner=dict(pos_iou_thr=0.5), sampler=dict(_delete_=True, **sampler))
model = dict(backbone=dict(frozen_stages=-1), train_cfg=dict(rcnn=rcnn))
train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipeline}}))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline}}))
multibox = dict(config='{{ fileDirname }}/googlenet_multibox.py', number=200)  # For --cfg-options multibox.checkpoint=.
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=1000))
