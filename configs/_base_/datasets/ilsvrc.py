"""ILSVRC DET in data/ILSVRC, with Annotations/DET, Data/DET and ImageSets/DET as shipped.

As in R-CNN, training is on val1 and on at most 1000 objects a class of the training set, whose images are no source of
background; the test is on val2. tools/split_data.py writes the lists of val1 and val2.
"""

ilsvrc, keep = dict(type='ILSVRCDetDataset', data_root='data/ILSVRC'), dict(filter_empty_gt=True)
val1 = dict(ilsvrc, ann_file='ImageSets/DET/val1.txt', split='val', filter_cfg=keep)
train = dict(ilsvrc, ann_file='ImageSets/DET', split='train', lists=('positive', 'partial'), exhaustive=False)
objects = dict(train, filter_cfg=keep, max_objects_per_class=1000)
val2 = dict(ilsvrc, ann_file='ImageSets/DET/val2.txt', split='val', test_mode=True)
train_dataloader = dict(
    # Four images of val1, 128 regions as in R-CNN, and the objects of one training image: by R-CNN's numbers (10,000
    # images with proposals around every object, up to 200,000 objects without) about its mix of positive examples.
    batch_size=5,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='MultiSourceSampler', batch_size=5, source_ratio=[4, 1]),
    dataset=dict(type='SharedPipelineDataset', datasets=[val1, objects]),
)
in_order = dict(type='DefaultSampler', shuffle=False)
val_dataloader = dict(batch_size=1, num_workers=4, persistent_workers=True, sampler=in_order, dataset=val2)
test_dataloader = val_dataloader
val_evaluator = test_evaluator = dict(type='ILSVRCDetMetric')
