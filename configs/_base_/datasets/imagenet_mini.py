"""The objects of the mini set, cut out by tools/make_mini.py --objects."""

_base_ = 'imagenet.py'

# The paper's 8 % of an object leaves little to see where the object is the image.
random_crop = dict(type='RandomCropAndDistort', size=64, area=(0.25, 1.0))
train_pipeline = [dict(type='LoadImageFromFile'), random_crop, dict(type='PackCrops')]
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='TestCrops', number=1, size=64), dict(type='PackCrops')]
train, test = (dict(data_root='data/mini_objects', pipeline=steps) for steps in (train_pipeline, test_pipeline))
train_dataloader = dict(batch_size=16, num_workers=0, persistent_workers=False, dataset=train)
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=test)
test_dataloader = dict(dataset=test)
