"""The mini set that the project draws itself with tools/make_mini.py: 12 of the 200 DET classes."""

classes = ('banana', 'butterfly', 'car', 'cup_or_mug', 'goldfish', 'guitar')
classes += ('ladybug', 'pizza', 'soccer_ball', 'starfish', 'traffic_light', 'wine_bottle')
shuffled, in_order = dict(type='DefaultSampler', shuffle=True), dict(type='DefaultSampler', shuffle=False)
metainfo = dict(classes=classes)
mini = dict(type='ILSVRCDetDataset', data_root='data/mini', metainfo=metainfo)
train_set = dict(mini, ann_file='ImageSets/DET/train.txt', split='train', filter_cfg=dict(filter_empty_gt=True))
val_set = dict(mini, ann_file='ImageSets/DET/val.txt', split='val', test_mode=True)
train_dataloader = dict(batch_size=8, num_workers=2, persistent_workers=True, sampler=shuffled, dataset=train_set)
val_dataloader = dict(batch_size=1, num_workers=2, persistent_workers=True, sampler=in_order, dataset=val_set)
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(type='ILSVRCDetMetric')
