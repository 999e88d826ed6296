"""Fast R-CNN on own data in Pascal VOC's layout, augmented with Albumentations: objects and proposals move together."""

_base_ = ['googlenet_fast-rcnn_voc.py', '_base_/datasets/augmented.py']

load, annotations = dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)
proposals = dict(type='LoadRegionProposals', method=dict(type='SelectiveSearch', mode='ilsvrc2014'))
resize = dict(type='BatchResize', sides=[320, 352, 384, 416, 448, 480], batch_size=2)
resized = dict(type='ProposalBroadcaster', transforms=[resize])
pipeline = [load, annotations, proposals, {{_base_.augment}}, resized, dict(type='PackDetInputs')]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
