"""The twelve classes: names, drawings and the poses in which each is seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from det_inception.mini_set.canvas import Canvas
from det_inception.mini_set.leisure import guitar, pizza, soccer_ball
from det_inception.mini_set.living import banana, butterfly, goldfish, ladybug, starfish
from det_inception.mini_set.made import car, cup_or_mug, traffic_light, wine_bottle


@dataclass(frozen=True)
class ObjectClass:
    """One class: its names, its drawing and the poses in which it is seen.

    Attributes:
        wnid: WordNet ID, as the ILSVRC annotation files name the class.
        name: the name in the development kit's `map_det.txt`.
        draw: paints one individual.
        turn: largest rotation in the image plane in degrees, to either side.
        slant: least ratio of the two axes' scales when seen at a slant.
        smallest: least length in pixels at which it is still itself.
    """

    wnid: str
    name: str
    draw: Callable[[Canvas], None]
    turn: float
    slant: float
    smallest: float


CATALOGUE = (
    ObjectClass('n07753592', 'banana', banana, 180, 0.8, 52),
    ObjectClass('n02274259', 'butterfly', butterfly, 180, 0.75, 42),
    ObjectClass('n02958343', 'car', car, 12, 0.8, 48),
    ObjectClass('n03797390', 'cup_or_mug', cup_or_mug, 14, 0.85, 38),
    ObjectClass('n01443537', 'goldfish', goldfish, 40, 0.75, 44),
    ObjectClass('n03467517', 'guitar', guitar, 180, 0.8, 84),
    ObjectClass('n02165456', 'ladybug', ladybug, 180, 0.8, 34),
    ObjectClass('n07873807', 'pizza', pizza, 180, 0.5, 42),
    ObjectClass('n04254680', 'soccer_ball', soccer_ball, 180, 0.96, 32),
    ObjectClass('n02317335', 'starfish', starfish, 180, 0.7, 38),
    ObjectClass('n06874185', 'traffic_light', traffic_light, 12, 0.8, 52),
    ObjectClass('n04591713', 'wine_bottle', wine_bottle, 25, 0.9, 64),
)
