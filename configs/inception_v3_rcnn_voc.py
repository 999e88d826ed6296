"""The R-CNN of googlenet_rcnn_voc.py with Inception v3 in the place of GoogLeNet, for comparison on your own data.

    pip install -e '.[backbones]'
    python tools/train.py configs/inception_v3_rcnn_voc.py --data-root MY_DATA --weights timm://

--weights takes "timm://", which lets timm download, or a file of timm's weights for this network. Any other network of
timm does as well: name it in model.backbone.model_name, its channels in model.bbox_head.in_channels and, to start from
random weights, its normalization in model.data_preprocessor (--weights sets that). benchmarks/backbones.py prints the
family with its channels.
"""

_base_ = './googlenet_rcnn_voc.py'

model = dict(
    # The size that the network was trained at, and R-CNN's 16 of 224 pixels of context in it.
    region_warp=dict(size=299, context=21),
    backbone=dict(_delete_=True, type='TimmBackbone', model_name='inception_v3', frozen_stages=2, norm_eval=True),
    bbox_head=dict(in_channels=2048),
)
