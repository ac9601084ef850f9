"""What a power failure may leave of a store at work: its system calls are recorded, what may be left is tried.

The method is that of ALICE (Pillai et al., OSDI 2014) and CrashMonkey (Mohan et al., OSDI 2018).
"""
