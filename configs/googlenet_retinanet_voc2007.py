"""RetinaNet with GoogLeNet on Pascal VOC 2007, beside googlenet_fast-rcnn_voc2007.py; both want Caffe's --weights."""

_base_ = [
    '_base_/models/retinanet.py',
    '_base_/datasets/voc.py',
    '_base_/datasets/resized.py',
    '_base_/schedules/voc2007.py',
    '_base_/runtime.py',
]

batch_size = 16
resize = dict(type='BatchResize', sides=[320, 352, 384, 416, 448, 480], batch_size=batch_size)
pipeline = [{{_base_.load}}, {{_base_.annotations}}, resize, {{_base_.flip}}, dict(type='PackDetInputs')]
train_dataloader = dict(batch_size=batch_size, num_workers=4, dataset=dict(pipeline=pipeline))
val_dataloader = test_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipeline}}))
val_evaluator = test_evaluator = dict(type='VOCBoxMetric', iou_thrs=0.5, eval_mode='11points')
# Batches have many shapes; a trial of each would take longer than it saves.
env_cfg = dict(cudnn_benchmark=False)
