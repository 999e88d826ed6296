"""A data set of your own in COCO's format: annotations/{train,val}.json, images in train/ and val/."""

shuffled, in_order = dict(type='DefaultSampler', shuffle=True), dict(type='DefaultSampler', shuffle=False)
coco, keep = dict(type='COCOFormatDataset', data_root='data/coco'), dict(filter_empty_gt=True)
train_set = dict(coco, ann_file='annotations/train.json', data_prefix=dict(img='train'), filter_cfg=keep)
val_set = dict(coco, ann_file='annotations/val.json', data_prefix=dict(img='val'), test_mode=True)
train_dataloader = dict(batch_size=4, num_workers=2, persistent_workers=True, sampler=shuffled, dataset=train_set)
val_dataloader = dict(batch_size=1, num_workers=2, persistent_workers=True, sampler=in_order, dataset=val_set)
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(type='COCOFormatMetric', metric='bbox')
