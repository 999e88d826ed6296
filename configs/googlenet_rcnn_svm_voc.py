"""googlenet_rcnn_bbox-reg_voc.py with R-CNN's linear SVMs; tools/train_svm.py trains it, see docs/svm.md."""

_base_ = 'googlenet_rcnn_bbox-reg_voc.py'

model = dict(bbox_head=dict(type='SVMHead'))
