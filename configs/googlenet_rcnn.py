"""The entry itself on ILSVRC DET: 200 classes, no box regression, selective search; see docs/full_ilsvrc.md.

The network is the paper's, and its weights are at hand: those of the detector in checkpoints/, which learned from
ImageNet and Pascal VOC. --weights bvlc_googlenet.caffemodel starts from ImageNet alone, as the entry did.
"""

_base_ = ['_base_/models/rcnn.py', '_base_/datasets/ilsvrc.py', '_base_/schedules/50k.py', '_base_/runtime.py']

papers = dict(type='Pretrained', checkpoint='googlenet_faster-rcnn_voc2007.pth')
sampler = dict(type='RandomSampler', num=32, pos_fraction=0.25, add_gt_as_proposals=True)  # R-CNN's.
rcnn = dict(assigner=dict(pos_iou_thr=0.5), sampler=dict(_delete_=True, **sampler))
model = dict(backbone=dict(variant='paper', frozen_stages=-1, init_cfg=papers), train_cfg=dict(rcnn=rcnn))
train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipeline}}))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline}}))
multibox = dict(config='{{ fileDirname }}/googlenet_multibox.py', number=200)  # For --cfg-options multibox.checkpoint=.
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=1000))
