"""GoogLeNet as a classifier, with the auxiliary classifiers of its paper."""

model = dict(
    type='GoogLeNetClassifier',
    num_classes=1000,
    data_preprocessor=dict(type='CropPreprocessor'),
    backbone=dict(type='GoogLeNet', variant='paper'),
    dropout=0.4,
    auxiliary=dict(loss_weight=0.3, dropout=0.7, crop_size=224),
)
