"""MultiBox on GoogLeNet: model, images, optimizer. The data sets are in the configs that build on it.

What the papers leave open, and what is chosen here: grids on GoogLeNet's own feature maps at strides 8, 16 and 32, an
input of 448 x 448, coordinates in units of the priors with alpha 20, NMS of 0.7 before the best 200; see
docs/multibox.md.
"""

weights = None  # None: random weights. A file, or 'torchvision://googlenet'.

model = dict(
    type='MultiBox',
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True, pad_size_divisor=1
    ),
    backbone=dict(type='GoogLeNet', variant='torchvision', out_indices=(2, 3, 4), frozen_stages=2, norm_eval=True),
    bbox_head=dict(
        type='MultiBoxGridHead',
        in_channels=(480, 832, 1024),
        channels=128,
        sizes_per_cell=4,
        alpha=20.0,
        unit='prior',
        match_by='prediction',
        priors=None,
    ),
    test_cfg=dict(nms_pre=2000, nms=dict(type='nms', iou_threshold=0.7), max_per_img=200),
)
# Without a file of priors in model.bbox_head.priors, they come from the training set.
custom_hooks = [dict(type='MultiBoxPriorsHook')]

image_size = (448, 448)  # width, height
train_pipeline = [
    dict(type='LoadAnyImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='MinIoURandomCrop', min_ious=(0.3, 0.5, 0.7, 0.9), min_crop_size=0.4),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Resize', scale=image_size, keep_ratio=False),
    dict(type='PackDetInputs'),
]
# Annotations behind Resize: objects and boxes meet in the pixels of the image itself.
test_pipeline = [
    dict(type='LoadAnyImage'),
    dict(type='Resize', scale=image_size, keep_ratio=False),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
val_evaluator = dict(type='ProposalRecallMetric', limits=(10, 50, 200))
test_evaluator = val_evaluator

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.001, weight_decay=0.01),
    # The head starts from random numbers; the network knows much already.
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
    clip_grad=dict(max_norm=35, norm_type=2),
)
