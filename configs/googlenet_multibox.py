"""MultiBox on ILSVRC DET, for the 200 proposals that the 2014 entry added to those of selective search."""

_base_ = ['_base_/models/multibox.py', '_base_/datasets/ilsvrc_pos.py', '_base_/schedules/90k.py', '_base_/runtime.py']

custom_hooks = [dict(type='BackboneNormalizationHook'), dict(type='MultiBoxPriorsHook')]
model = dict(backbone=dict(frozen_stages=-1))  # Half a million images teach the early layers too.
train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipeline}}))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline}}))
val_evaluator = test_evaluator = dict(_delete_=True, type='ProposalRecallMetric', limits=(10, 50, 200))
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=1000))
