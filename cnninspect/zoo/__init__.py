"""Networks to read: one file per family of architectures, and `catalogue`, the table of variants.

`catalogue` and `settings` need no torch; the family files do.  Each family file opens with what it
defines and from which paper, has its classes in reading order, smallest first, and can be read
from top to bottom without opening another.
"""
