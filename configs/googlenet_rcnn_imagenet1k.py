"""Boxes on any photo without training on boxes: the region classifier is the ImageNet classifier itself.

    python tools/demo.py photo.jpg
    python tools/demo.py photo.jpg --weights bvlc_googlenet.npz

What it finds and what it cannot is in docs/photo.md; how it works, in det_inception/models/imagenet_rcnn.py.
"""

_base_ = './_base_/runtime.py'

weights = 'torchvision://googlenet'

model = dict(
    type='ImageNetRCNN',
    class_set='det',  # or 'imagenet': the 1000 classes instead of the 200 of DET.
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True, pad_size_divisor=1
    ),
    region_warp=dict(type='RegionWarp', size=224, context=16, interpolation='bilinear'),
    backbone=dict(type='GoogLeNet', variant='torchvision'),
    bbox_head=dict(type='ImageNetHead', in_channels=1024),
    test_cfg=dict(
        rcnn=dict(
            proposals=320,
            proposal_iou=0.75,
            map_sides=(224, 384, 576),
            regions=120,
            nms=dict(type='nms_with_box_voting', iou_threshold=0.3, part=0.8, vote=0.4),
            score_thr=0.01,
            max_per_img=100,
            chunk_size=64,
        )
    ),
)

test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='ILSVRCDetDataset',
        data_root='data/ILSVRC',
        ann_file='ImageSets/DET/val2.txt',
        split='val',
        test_mode=True,
        pipeline=[
            dict(type='LoadAnyImage'),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='LoadRegionProposals', method=dict(type='SelectiveSearch', mode='ilsvrc2014')),
            dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'instances')),
        ],
    ),
)
