"""Files of weights: their tables of tensors, read without unpickling and without torch.

In reading order: `kinds` tells what a file is, `reading` finds its reader; `safetensors_header`,
`pytorch_zip` (with `zip_archive`), `pytorch_legacy` and `sharded_index` know the formats;
`pickle_opcodes` turns a pickle into `symbols`, `tensor_symbols` and `contents` find the tensors
in those, and `tables` checks them against the file.
"""

from cnninspect.sources.checkpoints.kinds import kind_of
from cnninspect.sources.checkpoints.reading import read_checkpoint

__all__ = ["kind_of", "read_checkpoint"]
