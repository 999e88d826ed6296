"""Fast R-CNN as it was published, with VGG-16, its fc6 and fc7, on a data set of your own; selective search proposes.

Its weights are torchvision's, or those of --weights (VGG_ILSVRC_16_layers.caffemodel).
"""

_base_ = [
    '_base_/models/fast-rcnn.py',
    '_base_/datasets/voc.py',
    '_base_/schedules/finetune.py',
    '_base_/runtime.py',
]

pretrained = dict(type='Pretrained', checkpoint='torchvision://vgg16')
network = dict(_delete_=True, init_cfg=pretrained)
model = dict(
    # The layers up to conv2_2 stay as they are, as in the paper. Cells of conv5_3 look at the middle of their stride.
    backbone=dict(network, type='VGG16', out_indices=(4,), frozen_stages=1),
    roi_head=dict(
        first_center=None,
        bbox_roi_extractor=dict(out_channels=512),
        shared_head=dict(network, type='FullyConnectedSharedHead', network='VGG16'),
        bbox_head=dict(in_channels=4096, dropout=0.0),  # fc6 and fc7 have their own.
    ),
)
train_dataloader = dict(batch_size=2, num_workers=1, dataset=dict(pipeline={{_base_.train_pipeline}}))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline}}))
