"""A data set of your own, in YOLO's or any other layout of docs/data.md, scored as COCO does."""

shuffled, in_order = dict(type='DefaultSampler', shuffle=True), dict(type='DefaultSampler', shuffle=False)
own = dict(type='DetectionDataset', data_root='data/yolo', prefer='yolo')
train_set = dict(own, split='train', filter_cfg=dict(filter_empty_gt=True))
val_set = dict(own, split='val', test_mode=True)
train_dataloader = dict(batch_size=4, num_workers=2, persistent_workers=True, sampler=shuffled, dataset=train_set)
val_dataloader = dict(batch_size=1, num_workers=2, persistent_workers=True, sampler=in_order, dataset=val_set)
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(type='COCOFormatMetric', metric='bbox')
