"""What a file is that somebody took for an image or for weights."""

from __future__ import annotations

_VIDEO = 'a video', 'make pictures of it, such as with "ffmpeg -i VIDEO frame_%05d.jpg", and name those'
_HEIC = 'a photo in HEIC format', 'convert it to JPEG'
_KINDS = (
    # (first byte, beginning, what it is and what to do)
    (0, b'version https://git-lfs', ('a pointer of Git LFS', 'run "git lfs pull"')),
    (0, b'%PDF', ('a PDF', 'export its pictures')),
    (0, b'%!PS', ('a PostScript file', 'convert it to PNG')),
    (0, b'8BPS', ('a Photoshop file', 'export it as PNG')),
    (0, b'PK\3\4', ('a ZIP archive', 'unpack it')),
    (0, b'\x1f\x8b', ('a gzip archive', 'unpack it')),
    (0, b'\x93NUMPY', ('a NumPy array', 'save it as PNG')),
    (128, b'DICM', ('a DICOM file', 'export it as PNG')),
    (8, b'AVI ', _VIDEO),
    (0, b'\x1aE\xdf\xa3', _VIDEO),  # Matroska and WebM
    (0, b'FLV\1', _VIDEO),
    (0, b'OggS', _VIDEO),
    (0, b'0&\xb2u\x8ef\xcf\x11', _VIDEO),  # Windows Media
    (0, b'\0\0\1\xba', _VIDEO),  # MPEG
    (0, b'\0\0\1\xb3', _VIDEO),
)
_IMAGES_OF_ISO_FILES = (b'heic', b'heix', b'heim', b'heis', b'hevc', b'hevx', b'mif1', b'msf1')


def unlike_an_image(content: bytes) -> str:
    """Says of the bytes of a file that is no readable image what it is and what to do, as the rest of a sentence.

    Example:
        >>> unlike_an_image(b'%PDF-1.7 ...')
        'this is no image that OpenCV or Pillow can read but a PDF; export its pictures'
    """
    text = 'this is no image that OpenCV or Pillow can read'
    found = kind_of(content)
    return f'{text}; replace it' if found is None else f'{text} but {found[0]}; {found[1]}'


def is_video(content: bytes) -> bool:
    """Whether a file is a video by its first thousand bytes: a container, not a playlist that names other files."""
    return kind_of(content) == _VIDEO


def kind_of(content: bytes) -> tuple[str, str] | None:
    """Returns what a file is by its first thousand bytes, and what to do to get what is wanted; None if unknown."""
    if content[4:8] == b'ftyp':
        if content[8:12] in (b'avif', b'avis'):
            return 'a photo in AVIF format', 'install Pillow 11.3 or later, or convert it to JPEG'
        return _HEIC if content[8:12] in _IMAGES_OF_ISO_FILES else _VIDEO
    if content[:1] == b'G' and content[188:189] == content[376:377] == b'G' and content[:3] != b'GIF':
        return _VIDEO  # MPEG transport stream
    for start, magic, found in _KINDS:
        if content[start : start + len(magic)] == magic:
            return found
    beginning = content[:1000].lstrip(b'\xef\xbb\xbf \t\r\n').lower()
    if beginning.startswith((b'<!doctype html', b'<html')):
        return 'a web page', 'download the file itself'
    return ('a drawing in SVG format', 'export it as PNG') if b'<svg' in beginning else None
