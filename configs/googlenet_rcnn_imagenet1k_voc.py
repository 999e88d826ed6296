"""An ImageNet classifier on the regions of Pascal VOC, without training on boxes; see docs/photo.md."""

_base_ = ['_base_/models/imagenet_rcnn.py', '_base_/datasets/voc.py', '_base_/runtime.py']

model = dict(class_set='voc')
train_dataloader = val_dataloader = val_evaluator = val_cfg = None
classes = (
    'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
    'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor',
)  # fmt: skip
test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline}}, metainfo=dict(classes=classes)))
test_evaluator = dict(type='VOCBoxMetric', iou_thrs=0.5, eval_mode='11points')
