"""The class table against the development kit and against itself."""

from pathlib import Path

from det_inception.formats.synsets import DET_CLASSES, DET_SYNSETS, DET_WNIDS


def test_two_hundred_distinct_classes_in_order():
    assert len(DET_SYNSETS) == len(set(DET_WNIDS)) == len(set(DET_CLASSES)) == 200
    assert [synset.id for synset in DET_SYNSETS] == list(range(1, 201))
    assert all(wnid.startswith('n') and len(wnid) == 9 for wnid in DET_WNIDS)
    assert (DET_CLASSES[0], DET_CLASSES[123], DET_CLASSES[199]) == ('accordion', 'person', 'zebra')


def test_equals_the_development_kit(shared_data: Path):
    lines = (shared_data / 'ilsvrc_devkit' / 'map_det.txt').read_text().split('\n')
    official = [(int(line.split()[1]), line.split()[0], line.split()[2]) for line in lines if line.strip()]
    assert [tuple(synset) for synset in DET_SYNSETS] == official
