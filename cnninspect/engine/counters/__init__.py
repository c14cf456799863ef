"""Other people's counters, really run: what `cnninspect audit` compares ours with.

`running` is the way in; `subjects` makes what a counter gets to see, which is never anybody's own
module; `tools` knows how each is asked, `quiet` keeps them quiet.
"""
