"""The first paper's MultiBox, K boxes for the whole image, on a data set of your own in Pascal VOC's layout.

To compare with googlenet_multibox_voc.py, whose grids are the default.
"""

_base_ = './googlenet_multibox_voc.py'

image_size = (224, 224)
model = dict(
    backbone=dict(out_indices=(4,)),
    bbox_head=dict(_delete_=True, type='MultiBoxGlobalHead', num_boxes=200, in_channels=1024),
)
