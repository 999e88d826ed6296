"""The first paper's MultiBox, K boxes for the whole image; the default are googlenet_multibox_voc.py's grids."""

_base_ = 'googlenet_multibox_voc.py'

head = dict(type='MultiBoxGlobalHead', num_boxes=200, in_channels=1024)
model = dict(backbone=dict(out_indices=(4,)), bbox_head=dict(_delete_=True, **head))
train_dataloader = dict(dataset=dict(pipeline={{_base_.small_train_pipeline}}))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.small_test_pipeline}}))
