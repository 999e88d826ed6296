"""Computes what the reproduction on the full ILSVRC DET costs, from rates that were measured on your own machines.

    python benchmarks/plan_ilsvrc.py --train 43 --test 118 --search 0.24 --devices 1

"--train" is crops a second in training (128 divided by the step that benchmarks/training_step.py prints), "--test"
those of a whole detector (the last lines of benchmarks/region_classifier.py), both of one device, which is a GPU or a
computer without; "--search" the core-seconds an image of selective search (benchmarks/selective_search.py: its
seconds times its threads). Devices share the work of a member by data parallelism, members go one after the other,
proposals go over all cores. What several devices lose to communication is not in it.
"""

from __future__ import annotations

import argparse

from det_inception.utils.tables import markdown_table

VAL2, VAL, TEST = 9_917, 20_121, 40_152
STEPS, CROPS_A_STEP = 50_000, 128
MULTIBOX_BOXES = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--train', type=float, required=True, metavar='CROPS', help='a second and device, in training')
    parser.add_argument('--test', type=float, required=True, metavar='CROPS', help='a second and device, in testing')
    parser.add_argument('--search', type=float, default=0.24, metavar='SECONDS', help='a core and image (%(default)s)')
    parser.add_argument('--devices', type=int, nargs='+', default=[1, 8], metavar='N', help='default: 1 8')
    parser.add_argument('--cores', type=int, default=2, help='of a device, for selective search (default: %(default)s)')
    parser.add_argument('--members', type=int, default=6, help='default: %(default)s')
    parser.add_argument(
        '--proposals', type=float, default=1_400, help='an image, with those of MultiBox (default: %(default)s)'
    )
    args = parser.parse_args()
    if min(args.train, args.test, args.search, args.cores, args.members, args.proposals, *args.devices) <= 0:
        parser.error('all rates and numbers are positive')

    training = STEPS * CROPS_A_STEP / args.train / 3600
    member = args.proposals / args.test / 3600
    rows = {
        'selective search, val and test': (VAL + TEST) * args.search / args.cores / 3600,
        f'training, one member: {STEPS:,} steps': training,
        f'training, {args.members} members': training * args.members,
        'score on val2, one member': VAL2 * member,
        f'score on val2, {args.members} members': VAL2 * member * args.members,
        f'submission for the test set, {args.members} members': TEST * member * args.members,
    }
    rows['all of it'] = sum(rows[name] for name in rows if 'one member' not in name)
    table = [['hours', *(f'{number} device{"s" if number > 1 else ""}' for number in args.devices)]]
    for name, hours in rows.items():
        table.append([name, *(f'{hours / number:.1f}' for number in args.devices)])
    print(markdown_table(table, numbers_from=1))
    store = (VAL + TEST) * args.proposals * 16 / 1e9
    scores = VAL2 * args.proposals * 201 * 4 / 1e9
    print(
        f'\nDisk: proposals {store:.1f} GB at most (4 bytes a coordinate, before compression); region scores of val2, '
        f'should they be kept, {scores:.1f} GB a member.'
    )


if __name__ == '__main__':
    main()
