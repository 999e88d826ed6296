"""A data set of your own in YOLO's layout: data.yaml, images/{train,val}, labels/{train,val}."""

shuffled, in_order = dict(type='DefaultSampler', shuffle=True), dict(type='DefaultSampler', shuffle=False)
yolo = dict(type='YOLODataset', data_root='data/yolo', ann_file='data.yaml')
train_set = dict(yolo, split='train', filter_cfg=dict(filter_empty_gt=True))
val_set = dict(yolo, split='val', test_mode=True)
train_dataloader = dict(batch_size=4, num_workers=2, persistent_workers=True, sampler=shuffled, dataset=train_set)
val_dataloader = dict(batch_size=1, num_workers=2, persistent_workers=True, sampler=in_order, dataset=val_set)
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(type='COCOFormatMetric', metric='bbox')
