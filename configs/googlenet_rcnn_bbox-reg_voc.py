"""googlenet_rcnn_voc.py with class-specific box regression: tighter boxes, usually the better choice."""

_base_ = 'googlenet_rcnn_voc.py'

model = dict(bbox_head=dict(with_reg=True))
