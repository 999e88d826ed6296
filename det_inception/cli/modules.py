"""Prints what inception modules cost, naive and reduced."""

import argparse


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Prints parameters and multiply-adds of GoogLeNet's nine inception modules as figure 2a has them "
        '(naive) and as figure 2b does (reduced), and of single layers with and without a reduction. All is '
        'counted in networks that are built for it.',
        epilog='Example: det-inception modules --size 448',
    )
    parser.add_argument(
        '--size', type=int, default=224, metavar='PIXELS', help='side of the image (default: %(default)s)'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from det_inception.models.backbones.module_costs import module_costs, worked_examples
    from det_inception.utils.tables import markdown_table

    naive, reduced = module_costs('naive', args.size), module_costs('reduced', args.size)
    titles = 'channels', 'parameters', 'multiply-adds'
    rows = [['module', 'map', *(f'{kind}: {title}' for kind in ('naive', 'reduced') for title in titles), 'times']]
    for first, second in zip(naive, reduced, strict=True):
        cells = [
            cell
            for cost in (first, second)
            for cell in (str(cost.channels), f'{cost.parameters:,}', f'{cost.multiply_adds / 1e6:,.1f} M')
        ]
        times = f'{first.multiply_adds / second.multiply_adds:.1f}'
        rows.append([first.name, f'{first.side}x{first.side}', *cells, times])
    print(markdown_table(rows, numbers_from=1))
    rows = [['192 channels of 28x28 into', 'weights', 'multiply-adds']]
    rows += [[cost.name, f'{cost.weights:,}', f'{cost.multiply_adds:,}'] for cost in worked_examples()]
    print(f'\n{markdown_table(rows, numbers_from=1)}')
