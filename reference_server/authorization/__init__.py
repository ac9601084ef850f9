"""Who a caller is (callers), what a method asks for (requirements), who may do what (model), and the decision."""
