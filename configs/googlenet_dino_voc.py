"""DINO with GoogLeNet on a data set of your own, in any layout."""

_base_ = [
    '_base_/models/dino.py',
    '_base_/datasets/voc.py',
    '_base_/datasets/resized.py',
    '_base_/schedules/24e.py',
    '_base_/runtime.py',
]

train_dataloader = dict(
    batch_size={{_base_.batch_size}}, num_workers=1, dataset=dict(pipeline={{_base_.train_pipeline}})
)
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline}}))
# The paper's settings; a transformer takes no larger steps.
adam = dict(lr=1e-4, weight_decay=1e-4)
optim_wrapper = dict(
    optimizer=adam, paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))), clip_grad=dict(max_norm=0.1)
)
