"""GoogLeNet Fast R-CNN (Girshick, arXiv 1504.08083): the network up to inception 4e once an image, the rest a region.

RoIAlign takes the place of the max-pool before 5a, at stride 16. As in Fast R-CNN, a step has 64 regions an image, and
images are scaled to a shorter side of 600.
"""

network = dict(norm_eval=True, init_cfg=dict(type='Pretrained', checkpoint='torchvision://googlenet'))
align = dict(type='RoIAlign', output_size=7, sampling_ratio=2)
# A region that is more than half inside a difficult object is neither an object nor background.
assigner = dict(type='IgnoringMaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, ignore_iof_thr=0.5)
model = dict(
    type='FastRCNN',
    data_preprocessor=dict(type='BackboneDataPreprocessor', pad_size_divisor=1),
    # The layers up to conv2 keep what they learned from a million images, as in Fast R-CNN.
    backbone=dict(type='GoogLeNet', variant='torchvision', out_indices=(3,), frozen_stages=1, **network),
    roi_head=dict(
        type='SharedRoIHead',
        first_center=14.5,  # Where the first cell of inception 4e looks, see GoogLeNet.feature_info.
        bbox_roi_extractor=dict(type='SingleRoIExtractor', roi_layer=align, out_channels=832, featmap_strides=[16]),
        shared_head=dict(type='GoogLeNetSharedHead', variant='torchvision', **network),
        # tools/train.py sets num_classes where it reads the classes from the data.
        bbox_head=dict(type='RegionClassifierHead', num_classes=200, in_channels=1024, dropout=0.4, with_reg=True),
    ),
    train_cfg=dict(
        rcnn=dict(
            assigner=dict(assigner, match_low_quality=False),
            sampler=dict(type='RandomSampler', num=64, pos_fraction=0.25, add_gt_as_proposals=True),
            pos_weight=-1,
        )
    ),
    test_cfg=dict(rcnn=dict(score_thr=0.001, nms=dict(type='nms', iou_threshold=0.3), max_per_img=-1)),
)

load, annotations = dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)
proposals = dict(type='LoadRegionProposals', method=dict(type='SelectiveSearch', mode='ilsvrc2014'))
resize, flip = dict(type='Resize', scale=(1000, 600), keep_ratio=True), dict(type='RandomFlip', prob=0.5)
both, scaled = (dict(type='ProposalBroadcaster', transforms=steps) for steps in ([resize, flip], [resize]))
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'instances')
train_pipeline = [load, annotations, proposals, both, dict(type='PackDetInputs')]
# Annotations behind Resize: objects and boxes meet in the pixels of the image itself.
test_pipeline = [load, proposals, scaled, annotations, dict(type='PackDetInputs', meta_keys=meta_keys)]
