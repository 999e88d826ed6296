"""R-CNN's own classifier on Pascal VOC 2007: linear SVMs, and ridge regression of boxes, for tools/train_svm.py."""

_base_ = 'googlenet_rcnn_voc2007.py'

model = dict(bbox_head=dict(type='SVMHead'))
