"""Takes every readable resource out of a damaged database: readers of the engines' file formats, without the engines.

An engine gives up at the first thing that it can't read, or repairs in place. These readers pass over it and read on.
"""
