"""The entry with class-specific box regression, which the 2014 entry had no time for and R-CNN had."""

_base_ = 'googlenet_rcnn.py'

model = dict(bbox_head=dict(with_reg=True))
