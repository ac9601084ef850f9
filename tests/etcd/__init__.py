"""Whether the contract of a store fits etcd: `python -m tests.etcd` measures it on three nodes of this machine."""
