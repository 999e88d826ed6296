"""Steps for detectors that make no use of region proposals: images of about 480 pixels, mirrored at random."""

batch_size = 4
load, annotations = dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)
resize = dict(type='BatchResize', sides=[320, 352, 384, 416, 448, 480], batch_size=batch_size)
test_resize, flip = dict(type='Resize', scale=(800, 480), keep_ratio=True), dict(type='RandomFlip', prob=0.5)
meta_keys = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'instances')
train_pipeline = [load, annotations, resize, flip, dict(type='PackDetInputs')]
# Annotations behind Resize: objects and boxes meet in the pixels of the image itself.
test_pipeline = [load, test_resize, annotations, dict(type='PackDetInputs', meta_keys=meta_keys)]
