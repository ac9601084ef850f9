"""One step per file: plain functions over a frozen state and a unit of work. The order stands in `pipelines.py`."""
