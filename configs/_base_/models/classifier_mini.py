"""A GoogLeNet classifier half as wide as the paper's, with batch norm, for crops of 64 pixels."""

_base_ = 'classifier.py'

model = dict(
    num_classes=12,
    backbone=dict(variant='batch_norm', width=0.5),
    auxiliary=dict(crop_size=64),
)
