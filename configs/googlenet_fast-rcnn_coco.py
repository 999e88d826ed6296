"""GoogLeNet Fast R-CNN on a data set of your own in COCO's format; see googlenet_rcnn_bbox-reg_coco.py for its files.

    python tools/train.py configs/googlenet_fast-rcnn_coco.py --data-root MY_DATA --weights WEIGHTS --amp

Learns faster than R-CNN, since regions share the network; see docs/speed.md for what that costs.
"""

_base_ = ['./googlenet_rcnn_bbox-reg_coco.py', './_base_/fast-rcnn_googlenet.py']

model = {{_base_.fast_rcnn}}
train_dataloader = dict(batch_size=2, dataset=dict(pipeline={{_base_.fast_train_pipeline}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.fast_test_pipeline}}))
test_dataloader = dict(dataset=dict(pipeline={{_base_.fast_test_pipeline}}))
