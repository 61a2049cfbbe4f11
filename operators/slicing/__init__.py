"""Slicing: how a parent order becomes child orders; one contract for all algorithms.

``plan(parent, market, params) -> state`` lays out the whole order, ``next(state, events) -> (state,
decisions)`` goes on with it. Both are pure. Time passes in the events, chance comes from the parent's
id, so a replay sends the same children at the same times.

`orders` has the records, `params` what can be asked for, `plans` the plan, `decisions` the rest;
`almgren_chriss` makes a curve, `routing` picks between slicing and one market order, `steps` turns
decimals into whole lots and ticks. What it costs is in `market_impact` before and in `execution_cost` after.
"""
