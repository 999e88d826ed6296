"""GoogLeNet Faster R-CNN on a data set of your own in Pascal VOC's layout; see googlenet_rcnn_voc.py for the layout.

    python tools/train.py configs/googlenet_faster-rcnn_voc.py --data-root MY_DATA --weights WEIGHTS --amp

It finds its own proposals. Regions share the network, so it learns faster than R-CNN; what that costs, docs/speed.md
says.
"""

_base_ = ['./googlenet_fast-rcnn_voc.py', './_base_/faster-rcnn_googlenet.py']

model = {{_base_.faster_rcnn}}
train_dataloader = dict(dataset=dict(pipeline={{_base_.faster_train_pipeline}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.faster_test_pipeline}}))
test_dataloader = dict(dataset=dict(pipeline={{_base_.faster_test_pipeline}}))
# The new layers of the RPN learn ten times as fast as well.
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict(rpn_head=dict(lr_mult=10))))
