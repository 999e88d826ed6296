"""A data set of your own in Pascal VOC's layout: JPEGImages, Annotations, ImageSets/Main/{train,val}.txt."""

shuffled, in_order = dict(type='DefaultSampler', shuffle=True), dict(type='DefaultSampler', shuffle=False)
voc = dict(type='VOCFolderDataset', data_root='data/voc')
train_set = dict(voc, ann_file='ImageSets/Main/train.txt', filter_cfg=dict(filter_empty_gt=True))
val_set = dict(voc, ann_file='ImageSets/Main/val.txt', test_mode=True)
train_dataloader = dict(batch_size=4, num_workers=2, persistent_workers=True, sampler=shuffled, dataset=train_set)
val_dataloader = dict(batch_size=1, num_workers=2, persistent_workers=True, sampler=in_order, dataset=val_set)
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(type='VOCBoxMetric', iou_thrs=0.5)
