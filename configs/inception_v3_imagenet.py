"""Inception v3 on ImageNet-1k by its paper's recipe (arXiv 1512.00567, sections 4, 7 and 8); see docs/classifier.md."""

_base_ = [
    '_base_/models/classifier.py',
    '_base_/datasets/imagenet.py',
    '_base_/schedules/rmsprop.py',
    '_base_/runtime.py',
]

model = dict(
    type='ImageClassifier',
    backbone=dict(_delete_=True, type='TimmBackbone', model_name='inception_v3'),
    dropout=0.2,
    label_smoothing=0.1,
    auxiliary=dict(_delete_=True, kind='v3', layers=['Mixed_6e'], loss_weight=0.4, crop_size=299),
)

load, pack = dict(type='LoadImageFromFile'), dict(type='PackCrops')
random_crop = dict(type='RandomCropAndDistort', size=299, area=(0.08, 1.0), aspect=(3 / 4, 4 / 3))
val_steps = [load, dict(type='TestCrops', number=1, size=299), pack]
train_dataloader = dict(dataset=dict(pipeline=[load, random_crop, pack]))
val_dataloader = dict(dataset=dict(pipeline=val_steps))
test_dataloader = dict(dataset=dict(pipeline=val_steps))

# "A running average of the parameters": 0.9999, as the authors' code has it.
average = dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=1e-4, update_buffers=True)
custom_hooks = [average, dict(type='BackboneNormalizationHook')]
