"""MultiBox with a small GoogLeNet from random weights on the mini set."""

_base_ = ['_base_/models/multibox.py', '_base_/datasets/mini.py', '_base_/schedules/16e.py', '_base_/runtime.py']

custom_hooks = [dict(type='BackboneNormalizationHook'), dict(type='MultiBoxPriorsHook')]
model = dict(
    backbone=dict(variant='batch_norm', width=0.5, frozen_stages=-1, norm_eval=False, init_cfg=None),
    bbox_head=dict(in_channels=(240, 416, 512), channels=64),
)
optim_wrapper = dict(optimizer=dict(weight_decay=0.01))
train_dataloader = dict(dataset=dict(pipeline={{_base_.small_train_pipeline}}))
val_dataloader = test_dataloader = dict(batch_size=8, dataset=dict(pipeline={{_base_.small_test_pipeline}}))
val_evaluator = test_evaluator = dict(_delete_=True, type='ProposalRecallMetric', limits=(10, 50, 200))
