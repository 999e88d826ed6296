"""ILSVRC DET for MultiBox: the positive images of the training set alone; partial ones lack boxes of what they show."""

_base_ = 'ilsvrc.py'

train = dict(type='ILSVRCDetDataset', data_root='data/ILSVRC', ann_file='ImageSets/DET', split='train')
positive = dict(train, lists=('positive',), filter_cfg=dict(filter_empty_gt=True))
sampler = dict(_delete_=True, type='InfiniteSampler', shuffle=True)
train_dataloader = dict(batch_size=32, num_workers=8, sampler=sampler, dataset=dict(_delete_=True, **positive))
val_dataloader = test_dataloader = dict(batch_size=32, num_workers=8)
