"""Images to classify in ImageNet's layout, one folder a class in train/ and val/, and the crops of the paper."""

load, pack = dict(type='LoadImageFromFile'), dict(type='PackCrops')
random_crop = dict(type='RandomCropAndDistort', size=224, area=(0.08, 1.0), aspect=(3 / 4, 4 / 3))
shuffled, in_order = dict(type='DefaultSampler', shuffle=True), dict(type='DefaultSampler', shuffle=False)
imagenet = dict(type='ImageNetDataset', data_root='data/imagenet')
train_set = dict(imagenet, data_prefix=dict(img_path='train'), pipeline=[load, random_crop, pack])
val_steps = [load, dict(type='TestCrops', number=1, size=224), pack]
val_set = dict(imagenet, data_prefix=dict(img_path='val'), test_mode=True, pipeline=val_steps)
train_dataloader = dict(batch_size=32, num_workers=8, persistent_workers=True, sampler=shuffled, dataset=train_set)
train_dataloader['drop_last'] = True  # Batch norm cannot do with one image, and few have a loud say.
val_dataloader = dict(batch_size=32, num_workers=4, persistent_workers=True, sampler=in_order, dataset=val_set)
test_dataloader = dict(val_dataloader, batch_size=1)  # 144 crops of an image are a batch by themselves.
val_evaluator = test_evaluator = dict(type='ImageNetMetric', topk=(1, 5))
