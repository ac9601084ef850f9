"""The site of documents: `python -m parity.site` writes its sources, mkdocs makes the site of them (`make docs`)."""
