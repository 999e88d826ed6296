"""MultiBox on GoogLeNet: grids on its own feature maps at strides 8, 16 and 32, for an input of 448 x 448.

The papers leave open, and chosen here are: the maps, the input, coordinates in units of the priors with alpha 20, NMS
of 0.7 before the best 200; see docs/multibox.md.
"""

network = dict(norm_eval=True, init_cfg=dict(type='Pretrained', checkpoint='torchvision://googlenet'))
grids = dict(type='MultiBoxGridHead', in_channels=(480, 832, 1024), channels=128, sizes_per_cell=4)
model = dict(
    type='MultiBox',
    data_preprocessor=dict(type='BackboneDataPreprocessor', pad_size_divisor=1),
    backbone=dict(type='GoogLeNet', variant='torchvision', out_indices=(2, 3, 4), frozen_stages=2, **network),
    # MultiBoxPriorsHook takes the priors from the training set, unless they name a file.
    bbox_head=dict(grids, alpha=20.0, unit='prior', match_by='prediction', priors=None),
    test_cfg=dict(nms_pre=2000, nms=dict(type='nms', iou_threshold=0.7), max_per_img=200),
)

load, annotations = dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)
crop = dict(type='MinIoURandomCrop', min_ious=(0.3, 0.5, 0.7, 0.9), min_crop_size=0.4)
flip, resize = dict(type='RandomFlip', prob=0.5), dict(type='Resize', scale=(448, 448), keep_ratio=False)
pack = dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'))
train_pipeline = [load, annotations, crop, flip, resize, dict(type='PackDetInputs')]
# Annotations behind Resize: objects and boxes meet in the pixels of the image itself.
test_pipeline = [load, resize, annotations, pack]
small_train_pipeline = [load, annotations, crop, flip, dict(resize, scale=(224, 224)), dict(type='PackDetInputs')]
small_test_pipeline = [load, dict(resize, scale=(224, 224)), annotations, pack]
