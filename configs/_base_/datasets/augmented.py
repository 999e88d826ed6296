"""Steps of Albumentations for images of a training: mirrored, cropped, turned, in other colors.

They move objects and proposals alike. Steps that look at the boxes, such as BBoxSafeRandomCrop, look at proposals too.
"""

borders = dict(crop_left=0.25, crop_right=0.25, crop_top=0.25, crop_bottom=0.25)
# What a turned image lacks is the gray that the network takes for nothing: its mean, in RGB.
turned = dict(type='Rotate', limit=10, border_mode=0, fill=(123, 117, 104), p=0.3)
colors = dict(brightness=(0.7, 1.3), contrast=(0.7, 1.3), saturation=(0.7, 1.3), hue=(-0.02, 0.02))
augment = dict(
    type='ProposalAlbu',
    transforms=[
        dict(type='HorizontalFlip', p=0.5),
        dict(type='RandomCropFromBorders', **borders, p=0.5),
        turned,
        dict(type='ColorJitter', **colors, p=0.5),
        dict(type='ToGray', p=0.05),
    ],
)
