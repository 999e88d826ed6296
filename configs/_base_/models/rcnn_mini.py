"""A GoogLeNet R-CNN half as wide as the paper's, with batch norm, crops of 96 pixels and random weights."""

_base_ = 'rcnn.py'

sampler = dict(type='RandomSampler', num=24, pos_fraction=0.33, add_gt_as_proposals=True)
model = dict(
    region_warp=dict(size=96, context=7),
    backbone=dict(variant='batch_norm', width=0.5, frozen_stages=-1, norm_eval=False, init_cfg=None),
    bbox_head=dict(num_classes=12, in_channels=512, with_reg=True),
    train_cfg=dict(rcnn=dict(assigner=dict(pos_iou_thr=0.5), sampler=dict(_delete_=True, **sampler))),
    test_cfg=dict(rcnn=dict(score_thr=0.01, chunk_size=256)),
)

load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
# The pictures are about 300 pixels wide; enlarging them to 500 finds no more.
search = dict(type='SelectiveSearch', mode='ilsvrc2014', width=None, min_size=16)
proposals = dict(type='LoadRegionProposals', method=search, max_num=300)
flip = dict(type='ProposalBroadcaster', transforms=[dict(type='RandomFlip', prob=0.5)])
pack = dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'instances'))
train_pipeline = [*load, proposals, flip, dict(type='PackDetInputs')]
test_pipeline = [*load, proposals, pack]
