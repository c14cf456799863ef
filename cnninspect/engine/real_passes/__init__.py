"""Real forward and backward passes, and the sizes of what comes back.  In reading order:

* `norms`          norms of tensors, accurate and cheap
* `measuring`      hooks that take norms as tensors appear
* `losses`         what is differentiated
* `batches`        data: random, or given; `images` real ones
* `initialisation` how weights are drawn anew
* `preparation`    a model that is ready to be measured
* `unrolling`      recurrent layers step by step
* `profiling`      all passes of a model, with or without training steps
* `stopwatch`      which layer takes how long, by hooks
* `timing`         how long a whole run takes, with nothing installed; then by layer
* `machine_rates`  how fast this machine multiplies matrices and moves bytes
"""

from __future__ import annotations
