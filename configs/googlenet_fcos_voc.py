"""FCOS with GoogLeNet on a data set of your own, in any layout."""

_base_ = [
    '_base_/models/fcos.py',
    '_base_/datasets/voc.py',
    '_base_/datasets/resized.py',
    '_base_/schedules/24e.py',
    '_base_/runtime.py',
]

train_dataloader = dict(
    batch_size={{_base_.batch_size}}, num_workers=1, dataset=dict(pipeline={{_base_.train_pipeline}})
)
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline}}))
