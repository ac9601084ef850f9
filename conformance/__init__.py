"""The conformance suite: proves from outside whether a server keeps the behaviour contract.

`run()` exercises a target and judges it; `read_run()` reads a stored run. The suite never imports a server's code:
it judges strangers.
"""
