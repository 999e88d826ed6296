"""MultiBox on a data set of your own in COCO's format: one JSON file a split and a folder of images.

python tools/train.py configs/googlenet_multibox_coco.py --data-root MY_DATA --weights WEIGHTS --amp
"""

_base_ = './googlenet_multibox_voc.py'

data_root = 'data/coco'
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='COCOFormatDataset',
        ann_file='annotations/train.json',
        data_prefix=dict(img='train'),
        pipeline={{_base_.train_pipeline}},
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='COCOFormatDataset',
        ann_file='annotations/val.json',
        data_prefix=dict(img='val'),
        test_mode=True,
        pipeline={{_base_.test_pipeline}},
    )
)
test_dataloader = val_dataloader
