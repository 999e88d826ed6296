"""Configs of data, the command line's settings, and training lists."""

import json

import yaml
from annotation_targets import odd_words
from mutations import ODD_FLOATS, ODD_NUMBERS, ODD_TEXTS, odd_text, pick
from targets import Target

from det_inception.config.loading import read_config
from det_inception.config.options import read_options
from det_inception.formats.ilsvrc_lists import read_train_lists

PLAIN = dict(
    custom_imports=dict(imports=['det_inception.models']),
    default_scope='mmdet',
    model=dict(type='RCNN', backbone=dict(type='mmdet.ResNet', depth=18), size=[3, 4], parts=[dict(a=1), dict(b=None)]),
    train_dataloader=dict(batch_size=2, dataset=dict(type='CocoDataset', pipeline=[dict(type='Resize')])),
)


class JsonConfig(Target):
    says_names = True
    suffix = 'json'

    def sound_files(self) -> list[bytes]:
        self.path = self.folder / f'input.{self.suffix}'
        (self.folder / 'base.json').write_text(json.dumps(PLAIN))
        return [json.dumps(PLAIN).encode(), json.dumps(dict(_base_='base.json', model=dict(size=[1]))).encode()]

    def forged(self, random):
        return odd_text(random, dict(PLAIN, _base_=pick(random, ['base.json', ['base.json']]))).encode()

    def read(self):
        assert isinstance(read_config(self.path).to_dict(), dict)


class YamlConfig(JsonConfig):
    suffix = 'yaml'

    def sound_files(self):
        content = dict(PLAIN, size=(3, 4))
        return [
            *super().sound_files(),
            yaml.dump(content).encode(),
            b'a: &a [1, 2]\nb: [*a, *a]\n' + yaml.dump(content).encode(),
        ]

    def forged(self, random):
        tag = pick(
            random, ['!!python/tuple', '!!python/name:os.mkdir', '!!python/object/apply:os.mkdir', '!!set', '!!omap']
        )
        text = super().forged(random)
        return text if random.random() < 0.5 else text.replace(b': ', f': {tag} '.encode(), int(random.integers(1, 4)))


class Options(Target):
    """Words of ``--cfg-options`` on a config."""

    says_names = True
    keys = (
        *'model.backbone.depth model.size.0 model.parts.1.b model.parts model train_dataloader.dataset'.split(),
        'new.one',
    )
    letters = '[](){}=,.\'"0123456789eE+- abTrueNone\n\0é'

    def sound_files(self) -> list[bytes]:
        self.path = self.folder / 'config.json'
        return [json.dumps(PLAIN).encode()]

    def read(self):
        read_config(self.path, options=read_options(['model.backbone.depth=34']))

    def try_one(self, random):
        words = []
        for _ in range(int(random.integers(1, 4))):
            key, odd = pick(random, self.keys), pick(random, [*ODD_TEXTS, *map(str, ODD_NUMBERS + ODD_FLOATS)])
            if random.random() < 0.2:
                key = pick(random, [odd, f'{key}.{odd}', f'{odd}.{key}', ''])
            letters = ''.join(pick(random, self.letters) for _ in range(int(random.integers(12))))
            words.append(pick(random, [f'{key}={letters}', f'{key}={odd}', f'{key}=[{odd},{letters}]', letters]))
        read_config(self.path, options=read_options(words))


class TrainingList(Target):
    """A class's list of three, or of all images."""

    def sound_files(self) -> list[bytes]:
        for kind in ('pos', 'part'):
            (self.folder / f'train_{kind}_1.txt').write_text('n02672831/a\n')
        self.path = self.folder / 'train_neg_1.txt'
        return [b'n02672831/b\nn02672831/c\n', b'']

    def forged(self, random):
        return odd_words(random, 'n02672831/b\nn02672831/c 1\n')

    def read(self):
        lists = read_train_lists(self.folder, num_classes=1)
        for labels in lists.labels.values():
            assert labels[1].size == 0 or 0 <= labels[1].min() <= labels[1].max() < len(lists.images)


class CombinedList(TrainingList):
    def sound_files(self):
        self.path = self.folder / 'train_1.txt'
        return [b'n02672831/b 1\nn02672831/c -1\nd 0\n']

    def forged(self, random):
        return odd_words(random, 'n02672831/b 1\nn02672831/c -1\nd 0\n')


CONFIG_TARGETS: dict[str, type[Target]] = {
    'config in JSON': JsonConfig,
    'config in YAML': YamlConfig,
    'options': Options,
    'training list': TrainingList,
    'combined training list': CombinedList,
}
