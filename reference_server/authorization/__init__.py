"""Who a caller is (callers), what a method asks for (requirements), who may do what (model), and the decision."""

AUTHORIZER_HEALTH = "parity.authorizer"
"""The name of the health service of an authorizer outside: NOT_SERVING while it doesn't answer or doesn't follow."""
