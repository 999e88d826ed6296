"""Fast R-CNN on images of 480 pixels, for own data: it starts from the detector in checkpoints/, see its model card.

That detector is the paper's GoogLeNet after Pascal VOC 2007. Its head is fitted to the new classes (TransferHeadHook).
--weights FILE starts from an ImageNet classifier instead.
"""

_base_ = 'fast-rcnn.py'

load_from = '{{ fileDirname }}/../../../checkpoints/googlenet_faster-rcnn_voc2007.pth'
network = dict(variant='paper', init_cfg=None)
model = dict(
    backbone=network,
    roi_head=dict(shared_head=network, bbox_head=dict(dropout=0.0)),
    train_cfg=dict(rcnn=dict(sampler=dict(num=32, pos_fraction=0.4))),
    test_cfg=dict(rcnn=dict(max_per_class=100, nms=dict(type='box_voting', iou_threshold=0.3, vote=0.5))),
)

batch_size = 2
load, annotations = dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)
proposals = dict(type='LoadRegionProposals', method=dict(type='SelectiveSearch', mode='ilsvrc2014'))
resize = dict(type='BatchResize', sides=[320, 352, 384, 416, 448, 480], batch_size=batch_size)
test_resize, flip = dict(type='Resize', scale=(800, 480), keep_ratio=True), dict(type='RandomFlip', prob=0.5)
both, scaled = (dict(type='ProposalBroadcaster', transforms=steps) for steps in ([resize, flip], [test_resize]))
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'instances')
train_pipeline = [load, annotations, proposals, both, dict(type='PackDetInputs')]
# Annotations behind Resize: objects and boxes meet in the pixels of the image itself.
test_pipeline = [load, proposals, scaled, annotations, dict(type='PackDetInputs', meta_keys=meta_keys)]
