"""Configs of data, the command line's settings, training lists, and weights under the names of other programs."""

import json

import torch
import yaml
from annotation_targets import odd_words
from mutations import ODD_FLOATS, ODD_NUMBERS, ODD_TEXTS, odd_text, pick
from targets import Target

from det_inception.config.loading import read_config
from det_inception.config.options import read_options
from det_inception.formats.ilsvrc_lists import read_train_lists
from det_inception.models.backbones.googlenet import LAYOUT, GoogLeNet
from det_inception.weights.files import RawCheckpoint
from det_inception.weights.layouts import convert_state_dict

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


class WeightLayout(Target):
    """A GoogLeNet's arrays in the layouts of this project, Caffe and torchvision, some missing or of other shapes."""

    says_names = True

    def sound_files(self) -> list[bytes]:
        self.states = []
        for variant in LAYOUT.variants:
            network = GoogLeNet(variant, width=0.125)
            own = dict(
                network.state_dict(), **{'fc.weight': torch.ones(3, network.out_channels[-1]), 'fc.bias': torch.ones(3)}
            )
            self.states += [own, {f'module.backbone.{key}': value for key, value in own.items()}]
            batch_norm = any('.norm.' in key for key in own)
            names = {
                f'{unit.own}.conv': unit.torchvision + '.conv' if batch_norm else unit.caffe for unit in LAYOUT.units
            }
            names |= {f'{unit.own}.norm': f'{unit.torchvision}.bn' for unit in LAYOUT.units}
            names['fc'] = 'fc' if batch_norm else 'loss3/classifier'
            parts = {key: key.rpartition('.') for key in own if '.' in key}  # TF-slim's network has a flag besides.
            self.states.append({f'{names[layer]}.{kind}': own[key] for key, (layer, _, kind) in parts.items()})
        for state in self.states:
            self.convert(state)
        return []

    @staticmethod
    def convert(state: dict) -> None:
        weights = convert_state_dict(RawCheckpoint(state, {}), 'input', LAYOUT)
        assert all(value.isfinite().all() for value in weights.backbone.values() if value.is_floating_point())
        assert not weights.classifier or len(weights.classifier['fc.weight']) == len(weights.classifier['fc.bias'])

    def try_one(self, random):
        state = dict(pick(random, self.states))
        for _ in range(int(random.integers(4))):
            name = pick(random, list(state) or ['a'])
            value = state.pop(name, torch.ones(1))
            kind = int(random.integers(7))
            if kind == 1:
                state[f'{pick(random, ODD_TEXTS)}{name}'] = value
            elif kind == 2:
                state[name] = value.reshape(-1)[: int(random.integers(5))]
            elif kind == 3:
                state[name] = (
                    value[None]
                    if random.random() < 0.5
                    else value.to(pick(random, [torch.int64, torch.half, torch.bool]))
                )
            elif kind == 4:
                state[name] = torch.full_like(
                    value,
                    pick(
                        random,
                        [0, 1, -1]
                        if value.dtype == torch.int64
                        else [0.0, -0.0, 1e-38, 1e38, float('inf'), float('nan')],
                    ),
                )
            elif kind == 5:
                state |= {pick(random, list(state) or ['a']): value, name: value}
            elif kind == 6:
                state = {
                    key.replace('inception', pick(random, ['Inception', 'inception', ''])): each
                    for key, each in state.items()
                }
        self.convert(state)


CONFIG_TARGETS: dict[str, type[Target]] = {
    'config in JSON': JsonConfig,
    'config in YAML': YamlConfig,
    'options': Options,
    'training list': TrainingList,
    'combined training list': CombinedList,
    'layouts of weights': WeightLayout,
}
