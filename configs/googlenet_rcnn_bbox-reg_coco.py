"""A data set of your own in COCO's format: one JSON file a split and a folder of images. With box regression.

    python tools/train.py configs/googlenet_rcnn_bbox-reg_coco.py --data-root MY_DATA --weights WEIGHTS

Classes are the categories of the training file, in its order.
"""

_base_ = './googlenet_rcnn_bbox-reg_voc.py'

data_root = 'data/coco'
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='COCOFormatDataset',
        ann_file='annotations/train.json',
        data_prefix=dict(img='train'),
        pipeline={{_base_.train_pipeline}},
        filter_cfg=dict(filter_empty_gt=True),
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='COCOFormatDataset',
        ann_file='annotations/val.json',
        data_prefix=dict(img='val'),
        test_mode=True,
        pipeline={{_base_.val_pipeline}},
    )
)
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='COCOFormatDataset',
        ann_file='annotations/val.json',
        data_prefix=dict(img='val'),
        test_mode=True,
        pipeline={{_base_.test_pipeline}},
    )
)
# Without an annotation file of its own the metric takes the objects from the data set, whose labels it then shares.
val_evaluator = dict(_delete_=True, type='CocoMetric', metric='bbox')
test_evaluator = val_evaluator
