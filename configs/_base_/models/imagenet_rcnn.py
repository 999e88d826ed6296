"""An R-CNN whose region classifier is the ImageNet classifier itself; see docs/photo.md."""

search = dict(proposals=320, proposal_iou=0.75, map_sides=(224, 384, 576), regions=120, evidence=True)
nms = dict(type='nms_with_box_voting', iou_threshold=0.3, part=0.8, vote=0.4)
model = dict(
    type='ImageNetRCNN',
    class_set='det',  # or 'imagenet': the 1000 classes instead of the 200 of DET.
    data_preprocessor=dict(type='BackboneDataPreprocessor', pad_size_divisor=1),
    region_warp=dict(type='RegionWarp', size=224, context=16, interpolation='bilinear'),
    backbone=dict(type='GoogLeNet', variant='torchvision'),
    bbox_head=dict(type='ImageNetHead', in_channels=1024),
    test_cfg=dict(rcnn=dict(search, nms=nms, score_thr=0.01, max_per_img=100, chunk_size=64)),
    init_cfg=dict(type='Pretrained', checkpoint='torchvision://googlenet'),  # Backbone and classifier together.
)

load, annotations = dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)
proposals = dict(type='LoadRegionProposals', method=dict(type='SelectiveSearch', mode='ilsvrc2014'))
pack = dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'instances'))
test_pipeline = [load, annotations, proposals, pack]
