"""The page: complete in itself, readable with any number of classes, and closed to what users call their classes."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_runs import make_run, write_images

from det_inception.evaluation.report import bootstrap, image_files, require_writable, write_report
from det_inception.evaluation.report import write as write_module
from det_inception.evaluation.report.page import make_page
from det_inception.utils.errors import InputError

BOX = [10, 10, 50, 50]


class Checker(HTMLParser):
    """Collects text, pictures and links, and checks that every element is closed."""

    VOID = ('meta', 'img', 'br', 'source')

    def __init__(self, html):
        super().__init__()
        self.open, self.text, self.images, self.ids, self.links, self.tags = [], [], [], [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        self.ids += [attributes['id']] if 'id' in attributes else []
        if tag == 'img':
            self.images.append(attributes)
        self.links += [attributes[name] for name in ('href', 'src', 'srcset') if name in attributes]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ['style']:
            self.text.append(data)

    def words(self):
        return ' '.join(' '.join(self.text).split())


def write(run, folder, **kwargs):
    page = write_report(run, folder, title=kwargs.pop('title', 'my_config'), **kwargs)
    html = page.read_text(encoding='utf-8')
    return Checker(html), Checker(html).words(), html


def many_classes(count, **kwargs):
    """Every other object is found; class 0 has none."""
    objects = [(number % 2, number, BOX) for number in range(1, count + 1)]
    found = [(image, label, 0.5, BOX) for image, label, _ in objects[::2]]
    return make_run(objects, found, classes=[f'class {number}' for number in range(count + 1)], **kwargs)


def test_a_page_needs_no_other_file_and_no_network(tmp_path):
    run = many_classes(3, image_paths=write_images(tmp_path, 2), proposal_iou=[0.9, 0.4, 0.6], proposals_per_image=50.0)
    checker, text, html = write(run, tmp_path / 'out', facts=[('checkpoint', 'epoch_8.pth')])
    assert all(link.startswith(('data:image/', '#')) or link == 'numbers.csv' for link in checker.links)
    assert {link[1:] for link in checker.links if link.startswith('#')} <= set(checker.ids)
    assert 'script' not in checker.tags and 'url(' not in html and '@import' not in html
    assert checker.images and all(image['alt'] for image in checker.images)
    for said in ('my_config', 'checkpoint epoch_8.pth', '0.667', 'COCO, IoU 0.5', '66.7%', 'Missed', 'class 3'):
        assert said in text
    assert '1 class has no objects' in text
    names = {path.relative_to(tmp_path / 'out').as_posix() for path in (tmp_path / 'out').rglob('*') if path.is_file()}
    assert {
        'index.html',
        'numbers.csv',
        'precision_recall.png',
        'confidence.png',
        'proposal_recall.png',
        'pictures/true_01.jpg',
        'pictures/missed_01.jpg',
    } <= names
    assert not [name for name in names if 'tmp' in name]


# A chart of precision and recall for each class, and one of confidence for each and for all. One class needs only these
# two; many have three charts of an overview more.
@pytest.mark.parametrize(('count', 'curves'), [(1, 2), (3, 7), (16, 36)])
def test_any_number_of_classes(tmp_path, count, curves):
    checker, text, html = write(many_classes(count), tmp_path)
    values = [float(value) for value in re.findall(r'<span class="value">([\d.]+)', html)]
    assert len(values) == count and values == sorted(values, reverse=True)
    assert ('bars many' in html) == (count > 15)
    assert len(checker.images) == 0 and checker.tags.count('svg') == curves
    assert 'has no proposals' in text and 'no image files are at hand' in text


def test_names_are_only_text(tmp_path):
    evil = '<script>alert("1")</script>'
    run = make_run(
        [(0, 0, BOX), (1, 1, BOX), (1, 0, BOX)],
        [(0, 0, 0.9, BOX), (1, 0, 0.8, BOX), (1, 2, 0.7, BOX)],
        classes=(evil, '$x^{', '\'"&_'),
        image_names=('<img src=x onerror=alert(1)>', '"><b>\udcff'),  # the latter as a file system may give it
        image_paths=write_images(tmp_path, 2),
        proposal_iou=[1, 1, 1],
    )
    checker, text, html = write(run, tmp_path / 'out', title=evil, facts=[(evil, evil), ('data', 'caf\udce9')])
    assert not {'script', 'b onerror'} & set(checker.tags) and '<script' not in html
    assert evil in text and '<img src=x onerror=alert(1)>' in text and 'caf\\udce9' in text
    assert all(image['src'].startswith('data:') for image in checker.images)
    assert any(evil in image['alt'] for image in checker.images)


def test_nothing_detected(tmp_path):
    run = make_run([(0, 0, BOX)], [], image_paths=write_images(tmp_path, 2))
    assert 'none were asked for' in write(run, tmp_path / 'out', pictures=0)[1]
    checker, text, _ = write(run, tmp_path / 'out')
    assert 'no detection at all' in text and 'No detection is true.' in text and 'nan' not in text.lower()
    assert len(checker.images) == 1  # the missed object


def test_the_page_names_the_best_confidence(tmp_path):
    """Of the two dogs and two persons three are found before a false dog; a kite is where nothing is."""
    objects = [(0, 0, BOX), (1, 0, BOX), (0, 1, BOX), (1, 1, BOX)]
    found = [(0, 0, 0.91, BOX), (0, 1, 0.8, BOX), (1, 1, 0.62, BOX), (1, 0, 0.4, [60, 5, 70, 10]), (1, 2, 0.7, BOX)]
    _, text, _ = write(make_run(objects, found), tmp_path)
    assert 'Best confidence for all classes: 0.62 , with a precision of 75.0% and a recall of 75.0%' in text
    assert 'F1 rises from 0.750 to 0.857' in text  # without the kite: 6 / 7
    assert 'Class Best from Precision Recall F1 F1 at 0.62 All classes 0.62 75.0% 75.0% 0.750 0.750' in text
    assert 'dog 0.91 100.0% 50.0% 0.667 0.667 person 0.62 100.0% 100.0% 1.000 1.000 kite – – – – –' in text
    assert 'dog as kite 1 of 2' in text
    assert 'dog 1 1 person 2 kite nothing there' in text  # the matrix
    _, text, _ = write(make_run(objects, found), tmp_path, confidence=0.3)
    assert 'detections of confidence 0.3 or more' in text and 'nothing there 1' in text
    with pytest.raises(InputError, match='No detection has the confidence 0.92'):
        write(make_run(objects, found), tmp_path / 'none', confidence=0.92)
    assert not (tmp_path / 'none').exists()


def test_of_many_classes_the_matrix_shows_those_that_are_confused(tmp_path):
    objects = [(0, number, [20 * number, 0, 20 * number + 15, 15]) for number in range(30)]
    found = [(0, (label + (label > 25)) % 30, 0.5, box) for _, label, box in objects]  # 26 as 27, ..., 29 as 0
    checker, text, _ = write(make_run(objects, found, classes=[f'c{n}' for n in range(30)], images=1), tmp_path)
    assert 'the 24 classes that are confused most' in text
    matrix = text[text.index('has all.') : text.index('The stronger')].split()
    assert {'c0', 'c26', 'c27', 'c28', 'c29'} <= set(matrix) and 'c25' not in matrix
    assert 'c26 as c27 1 of 1' in text


def test_the_official_mean_where_it_differs(tmp_path):
    detected = make_run([(0, 0, BOX)], [(0, 0, 0.9, BOX), (0, 1, 0.5, BOX)], rules='ilsvrc')
    assert 'class without objects was detected' not in write(detected, tmp_path)[1]  # behind the last class
    detected = make_run([(0, 1, BOX)], [(0, 1, 0.9, BOX), (0, 0, 0.5, BOX)], rules='ilsvrc')
    text = write(detected, tmp_path)[1]
    assert 'gives NaN here' in text and '1.000' in text
    silent = make_run([(0, 1, BOX)], [(0, 1, 0.9, BOX)], rules='ilsvrc')
    assert 'The official formula gives 0.500' in write(silent, tmp_path)[1]


def test_ignored_objects_are_mentioned(tmp_path):
    run = make_run([(0, 0, BOX), (0, 1, BOX, True)], [(0, 0, 0.9, BOX)], rules='voc')
    assert '1 object more does not count' in write(run, tmp_path)[1]


def test_the_page_says_how_sure_its_score_is(tmp_path):
    """Found in one image of two: a draw has both in a half of all cases, else one twice, so the deviation is 35 %."""
    run = make_run([(0, 0, BOX), (1, 0, BOX)], [(0, 0, 0.9, BOX)], rules='voc')
    error = bootstrap(run).estimate.error
    assert error == pytest.approx(np.sqrt(0.5 * 0.5 / 2), rel=0.1)
    assert f'mAP sure to ±{196 * error:.1f} points' in write(run, tmp_path)[1]
    alone = make_run([(0, 0, BOX)], [(0, 0, 0.9, BOX)], images=1)  # One image says nothing about others.
    assert 'sure to' not in write(alone, tmp_path)[1]


def test_folders(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match='file: the report cannot be written there'):
        require_writable(tmp_path / 'file')
    require_writable(tmp_path / 'new' / 'folder')
    assert list((tmp_path / 'new' / 'folder').iterdir()) == []
    with pytest.raises(InputError, match='no such folder of images'):
        image_files(tmp_path / 'absent')
    with pytest.raises(InputError, match='holds no image'):
        image_files(tmp_path / 'new')
    write_images(tmp_path, 2)
    assert sorted(image_files(tmp_path)) == ['image_0', 'image_1']
    write_images(tmp_path / 'new', 1)
    assert sorted(image_files(tmp_path)) == ['image_1']  # Which picture is image_0's?


def test_an_older_report_leaves_nothing_behind(tmp_path):
    paths, out = write_images(tmp_path, 2), tmp_path / 'out'
    write(many_classes(2, image_paths=paths, proposal_iou=[1, 1]), out)
    (out / 'precision_recall_dark.png').write_text('of version 0.1')
    own = [out / 'notes.txt', out / 'pictures' / 'mine.jpg', out / 'pictures' / 'true_story.jpg']
    for path in own:
        path.write_text('')
    write(make_run([(0, 0, BOX)], [(0, 0, 0.9, BOX)], image_paths=paths), out)
    left = {path.relative_to(out).as_posix() for path in out.rglob('*') if path.is_file()}
    assert left == {
        'index.html',
        'precision_recall.png',
        'confidence.png',
        'numbers.csv',
        'pictures/true_01.jpg',
        'results.npz',
        *(path.relative_to(out).as_posix() for path in own),
    }


def test_the_same_run_gives_the_same_page(tmp_path):
    pages = []
    for folder in ('one', 'two'):
        rng = np.random.default_rng(0)
        run = many_classes(2, proposal_iou=rng.random(2))
        pages.append(write(run, tmp_path / folder)[2])
    assert pages[0] == pages[1]


# What HTML gives a meaning to, and any other text.
NAME = st.text(st.sampled_from('<>&"\'/= ab;!-\n'), max_size=20) | st.text(max_size=20)


@pytest.fixture(scope='module')
def shown(tmp_path_factory):
    """What a page with pictures of all kinds shows; and that page's elements with the names of their attributes."""
    folder = tmp_path_factory.mktemp('shown')
    run = make_run(
        [(0, 0, BOX), (1, 1, BOX), (1, 0, BOX)],
        [(0, 0, 0.9, BOX), (0, 0, 0.8, BOX), (1, 0, 0.8, BOX), (1, 2, 0.7, BOX)],
        image_paths=write_images(folder, 2),
        proposal_iou=[1, 0.4, 0.6],
    )
    reports = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write_module, 'make_page', lambda report: reports.append(report) or '')
        write(run, folder / 'out', facts=[('config', 'mine.py')])
    report = replace(reports[0], galleries=replace(reports[0].galleries, unreadable=['a.png: is none.']))
    return report, Structure(make_page(report)).elements


class Structure(HTMLParser):
    """Elements with the names of their attributes, which no name may change, and all texts and values."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.values = [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, [name for name, _ in attributes]))
        self.values += [value for _, value in attributes]

    def handle_endtag(self, tag):
        self.elements.append(f'/{tag}')

    def handle_data(self, data):
        self.values.append(data)

    def handle_comment(self, data):
        self.elements.append('comment')

    handle_decl = unknown_decl = handle_pi = handle_comment


@given(st.lists(NAME, min_size=9, max_size=9))
@settings(max_examples=50, deadline=None)
def test_no_text_of_a_user_becomes_markup(shown, names):
    report, elements = shown
    title, word, value, *names = names
    results = replace(report.results, class_names=tuple(names[:3]), image_names=tuple(names[3:5]))
    galleries = replace(report.galleries, unreadable=[names[5]])
    page = make_page(replace(report, results=results, galleries=galleries, title=title, facts=[(word, value)]))
    seen = Structure(page)
    assert seen.elements == elements
    text = '\n'.join(filter(None, seen.values))
    for name in (title, word, value, *results.class_names, *results.image_names, names[5]):
        assert name in text
