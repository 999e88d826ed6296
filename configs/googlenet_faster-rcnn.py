"""GoogLeNet Faster R-CNN on ILSVRC DET, on the data of googlenet_rcnn.py; compare it with googlenet_rcnn_bbox-reg.py.

    python tools/train.py configs/googlenet_faster-rcnn.py --amp

Five images a step, as there; regions share the network up to inception 4e.
"""

_base_ = ['./googlenet_fast-rcnn.py', './_base_/faster-rcnn_googlenet.py']

model = {{_base_.faster_rcnn}}
train_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(
                type='ILSVRCDetDataset',
                ann_file='ImageSets/DET/val1.txt',
                split='val',
                pipeline={{_base_.faster_train_pipeline}},
                filter_cfg=dict(filter_empty_gt=True),
            ),
            dict(
                type='ILSVRCDetDataset',
                ann_file='ImageSets/DET',
                split='train',
                lists=('positive', 'partial'),
                max_objects_per_class=1000,
                pipeline={{_base_.faster_train_pipeline}},
                filter_cfg=dict(filter_empty_gt=True),
            ),
        ],
    ),
)
val_dataloader = dict(dataset=dict(pipeline={{_base_.faster_test_pipeline}}))
test_dataloader = dict(dataset=dict(pipeline={{_base_.faster_test_pipeline}}))
# The new layers of the RPN learn ten times as fast as well.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(rpn_head=dict(lr_mult=10))))
