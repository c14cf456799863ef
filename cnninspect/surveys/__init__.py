"""Many models: measured side by side in processes of their own, and remembered.

In reading order:

* `tasks`        what to measure: a reference with its inputs and settings
* `measuring`    one model: from a reference to its figures
* `worker`       a process that measures what it is asked for
* `crew`         several of them
* `remembering`  the file of results in the user's cache folder
* `versions`     what a result depends on beside the task
* `surveying`    all of it: what is not remembered is measured
* `naming`       the names that sources have, remembered too

Nothing here imports torch until something must be measured.
"""
