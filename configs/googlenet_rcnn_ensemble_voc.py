"""Six networks as googlenet_rcnn_bbox-reg_voc.py has one; trained by tools/train_ensemble.py."""

_base_ = 'googlenet_rcnn_voc.py'

model = dict(bbox_head=dict(with_reg=True))
ensemble = dict(members=6, combine='scores', mirror=False)
