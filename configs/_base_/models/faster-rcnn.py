"""GoogLeNet Faster R-CNN (Ren et al., arXiv 1506.01497): Fast R-CNN with MMDetection's RPN on inception 4e."""

_base_ = 'fast-rcnn.py'

# Anchors are where the cells of inception 4e look: the first at 14.5, not at 0.
anchors = dict(type='AnchorGenerator', scales=[2, 4, 8, 16, 32], ratios=[0.5, 1.0, 2.0], strides=[16])
assigner = dict(type='IgnoringMaxIoUAssigner', pos_iou_thr=0.7, neg_iou_thr=0.3, min_pos_iou=0.3, ignore_iof_thr=0.5)
sampler = dict(type='RandomSampler', num=256, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=False)
nms = dict(type='nms', iou_threshold=0.7)
model = dict(
    type='FasterRCNN',
    rpn_head=dict(
        type='RPNHead', in_channels=832, feat_channels=512, anchor_generator=dict(anchors, center_offset=14.5 / 16)
    ),
    train_cfg=dict(
        rpn=dict(assigner=assigner, sampler=sampler, allowed_border=0, pos_weight=-1),
        rpn_proposal=dict(nms_pre=6000, max_per_img=2000, nms=nms, min_bbox_size=0),
    ),
    test_cfg=dict(rpn=dict(nms_pre=3000, max_per_img=300, nms=nms, min_bbox_size=0)),
)

load, annotations = dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)
resize, flip = dict(type='Resize', scale=(1000, 600), keep_ratio=True), dict(type='RandomFlip', prob=0.5)
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'instances')
train_pipeline = [load, annotations, resize, flip, dict(type='PackDetInputs')]
# Annotations behind Resize: objects and boxes meet in the pixels of the image itself.
test_pipeline = [load, resize, annotations, dict(type='PackDetInputs', meta_keys=meta_keys)]
