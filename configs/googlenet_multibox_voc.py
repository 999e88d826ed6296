"""MultiBox on a data set of your own in Pascal VOC's layout; names of classes play no part."""

_base_ = ['_base_/models/multibox.py', '_base_/datasets/voc.py', '_base_/schedules/15e.py', '_base_/runtime.py']

custom_hooks = [dict(type='BackboneNormalizationHook'), dict(type='MultiBoxPriorsHook')]
train_dataloader = dict(dataset=dict(filter_cfg=None, pipeline={{_base_.train_pipeline}}))
val_dataloader = test_dataloader = dict(batch_size=4, dataset=dict(pipeline={{_base_.test_pipeline}}))
val_evaluator = test_evaluator = dict(_delete_=True, type='ProposalRecallMetric', limits=(10, 50, 200))
