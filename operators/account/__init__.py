"""Account: everything that decides on an order, as one pure fold of one ordered log.

`events` has what comes in, `outcomes` what goes out, `signing` the seals of the one and the permits of
the other. `portfolio` keeps money, `tiers` what is unlocked, `risk` what is refused, `execution` cuts
parents into children, and `fold` puts them together.
"""
