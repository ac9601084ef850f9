"""BadgerDB v4.5.0 as an engine: a Go library built on this machine (`build.py`), called through ctypes (`library.py`).

Nothing here needs Go until somebody opens a `badger:` store; without the library that is a clear message.
"""
