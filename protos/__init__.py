"""The wire contract and our extension package, with the code that protoc makes of them.

Import messages and services from the generated modules, for example
`protos.ai.stigmer.agentic.agent.v1.api_pb2`. `generate.py` is the only caller of protoc.
"""
