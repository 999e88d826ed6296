"""GoogLeNet R-CNN. Freezing and sampling suit some hundred images; googlenet_rcnn.py has those of the 2014 entry.

The paper leaves open, and chosen here are: softmax instead of SVMs, R-CNN's context of 16 pixels and its NMS of 0.3.
Box coder and losses are MMDetection's: deltas of center and log size, divided by 0.1 and 0.2.
"""

# R-CNN's SVMs learned from tighter positives than its network. Without SVMs the softmax must tell a good box from half
# of one: positives from 0.6 on, and as much background that overlaps an object by a third to a half as less.
positives = dict(type='InstanceBalancedPosSampler')
negatives = dict(type='IoUBalancedNegSampler', floor_thr=-1, floor_fraction=0, num_bins=3)
sampler = dict(type='CombinedSampler', pos_sampler=positives, neg_sampler=negatives, add_gt_as_proposals=True)
# A region that is more than half inside a difficult object is neither.
assigner = dict(type='IgnoringMaxIoUAssigner', pos_iou_thr=0.6, neg_iou_thr=0.5, ignore_iof_thr=0.5)
pretrained = dict(type='Pretrained', checkpoint='torchvision://googlenet')
nms = dict(type='nms', iou_threshold=0.3)
model = dict(
    type='RCNN',
    data_preprocessor=dict(type='BackboneDataPreprocessor', pad_size_divisor=1),
    region_warp=dict(type='RegionWarp', size=224, context=16, interpolation='bilinear'),
    # Few images: the layers up to inception 3b keep what they learned from a million.
    backbone=dict(type='GoogLeNet', variant='torchvision', frozen_stages=2, norm_eval=True, init_cfg=pretrained),
    # tools/train.py sets num_classes where it reads the classes from the data. The 2014 entry had no box regression.
    bbox_head=dict(type='RegionClassifierHead', num_classes=200, in_channels=1024, dropout=0.4, with_reg=False),
    train_cfg=dict(
        rcnn=dict(
            assigner=dict(assigner, match_low_quality=False),
            sampler=dict(sampler, num=32, pos_fraction=0.25),
            pos_weight=-1,
        )
    ),
    test_cfg=dict(
        rcnn=dict(
            score_thr=0.001,
            nms=nms,
            max_per_img=-1,
            max_per_class=100,
            chunk_size=128,
            # Of all proposals, how many are looked at closely; see docs/speed.md.
            preselect=dict(regions=-1, map_sides=(320, 640), iou_threshold=0.65),
        )
    ),
)

load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
proposals = dict(type='LoadRegionProposals', method=dict(type='SelectiveSearch', mode='ilsvrc2014'))
flip = dict(type='ProposalBroadcaster', transforms=[dict(type='RandomFlip', prob=0.5)])
pack = dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'instances'))
train_pipeline = [*load, proposals, flip, dict(type='PackDetInputs')]
test_pipeline = [*load, proposals, pack]
# While it trains, a look at the best 300 proposals is enough to see where it goes; the test takes all of them.
val_pipeline = [*load, dict(proposals, max_num=300), pack]
