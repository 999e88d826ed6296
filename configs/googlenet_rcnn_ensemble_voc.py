"""Six networks on a data set of your own in Pascal VOC's layout, with box regression; see googlenet_rcnn_ensemble.py.

    C=configs/googlenet_rcnn_ensemble_voc.py
    python tools/train_ensemble.py $C --data-root MY_DATA --weights WEIGHTS --amp
    python tools/test.py $C work_dirs/googlenet_rcnn_ensemble_voc/member_*/final.pth --data-root MY_DATA --amp

A member alone is tested with googlenet_rcnn_bbox-reg_voc.py.
"""

_base_ = './googlenet_rcnn_bbox-reg_voc.py'

ensemble = dict(members=6, combine='scores', mirror=False)
