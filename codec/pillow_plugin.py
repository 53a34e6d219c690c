"""The documented name of the Pillow plugin: importing it lets Image.open and Image.save handle .ncr files.

    import nacre.codec.pillow_plugin

The plugin itself is nacre.codec.pictures.pillow_plugin.
"""

from nacre.codec.pictures.pillow_plugin import NacreImageFile, register

__all__ = ["NacreImageFile", "register"]
