"""GoogLeNet Fast R-CNN on a data set of your own in Pascal VOC's layout; see googlenet_rcnn_voc.py for the layout.

    python tools/train.py configs/googlenet_fast-rcnn_voc.py --data-root MY_DATA --weights WEIGHTS --amp

Learns faster than R-CNN, since regions share the network; see docs/speed.md for what that costs.
"""

_base_ = ['./googlenet_rcnn_bbox-reg_voc.py', './_base_/fast-rcnn_googlenet.py']

model = {{_base_.fast_rcnn}}
train_dataloader = dict(batch_size=2, dataset=dict(pipeline={{_base_.fast_train_pipeline}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.fast_test_pipeline}}))
test_dataloader = dict(dataset=dict(pipeline={{_base_.fast_test_pipeline}}))
