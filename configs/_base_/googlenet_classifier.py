"""GoogLeNet as a classifier: model with auxiliary classifiers, crops, data in ImageNet's layout.

What the paper leaves open is chosen in the files that build on this one. "weights" carries variant and normalization
with it, "classes" the number of outputs; see det_inception/classifier_config.py.
"""

weights = None  # None: random weights. A file, or 'torchvision://googlenet'.
classes = None  # Those of the training data: the names of its class folders.

model = dict(
    type='GoogLeNetClassifier',
    num_classes=1000,
    data_preprocessor=dict(type='CropPreprocessor', mean=[104.0, 117.0, 123.0], std=[1.0] * 3, bgr_to_rgb=False),
    backbone=dict(type='GoogLeNet', variant='paper'),
    dropout=0.4,
    auxiliary=dict(loss_weight=0.3, dropout=0.7, crop_size=224),
)

train_pipeline = [
    dict(type='LoadAnyImage'),
    dict(type='RandomCropAndDistort', size=224, area=(0.08, 1.0), aspect=(3 / 4, 4 / 3)),
    dict(type='PackCrops'),
]
test_pipeline = [
    dict(type='LoadAnyImage'),
    dict(type='TestCrops', number=1, size=224),
    dict(type='PackCrops'),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    drop_last=True,  # Batch norm cannot do with one image, and few have a loud say.
    dataset=dict(type='ImageNetDataset', data_prefix=dict(img_path='train'), pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ImageNetDataset', data_prefix=dict(img_path='val'), test_mode=True, pipeline=test_pipeline),
)
# 144 crops of an image are a batch by themselves.
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='ImageNetDataset', data_prefix=dict(img_path='val'), test_mode=True, pipeline=test_pipeline),
)
val_evaluator = dict(type='ImageNetMetric', topk=(1, 5))
test_evaluator = val_evaluator
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
