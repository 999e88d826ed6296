"""``python -m det_inception`` is the console command ``det-inception``."""

from det_inception.cli.main import entry_point

if __name__ == '__main__':
    entry_point()
