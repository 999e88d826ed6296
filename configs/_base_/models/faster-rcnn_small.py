"""Faster R-CNN on images of 480 pixels, for own data: it starts from the detector in checkpoints/, see its model card.

That detector is the paper's GoogLeNet after Pascal VOC 2007. Its head is fitted to the new classes (TransferHeadHook).
--weights FILE starts from an ImageNet classifier instead. Large anchors fill such an image, so those that leave it are
trained as well.
"""

_base_ = 'faster-rcnn.py'

load_from = '{{ fileDirname }}/../../../checkpoints/googlenet_faster-rcnn_voc2007.pth'
network = dict(variant='paper', init_cfg=None)
model = dict(
    backbone=network,
    rpn_head=dict(feat_channels=112, anchor_generator=dict(scales=[2, 4, 8, 14, 24])),
    roi_head=dict(shared_head=network, bbox_head=dict(dropout=0.0)),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=128), allowed_border=-1),
        rpn_proposal=dict(nms_pre=2000, max_per_img=500),
        rcnn=dict(sampler=dict(num=32, pos_fraction=0.4)),
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=2000, max_per_img=300),
        rcnn=dict(max_per_class=100, nms=dict(type='box_voting', iou_threshold=0.4, vote=0.5)),
    ),
)

batch_size = 2
load, annotations = dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)
resize = dict(type='BatchResize', sides=[320, 352, 384, 416, 448, 480], batch_size=batch_size)
test_resize, flip = dict(type='Resize', scale=(800, 480), keep_ratio=True), dict(type='RandomFlip', prob=0.5)
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'instances')
train_pipeline = [load, annotations, resize, flip, dict(type='PackDetInputs')]
# Annotations behind Resize: objects and boxes meet in the pixels of the image itself.
test_pipeline = [load, test_resize, annotations, dict(type='PackDetInputs', meta_keys=meta_keys)]
