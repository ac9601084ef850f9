"""OpenFGA as authorizer: the model and the policies in its words, how it is asked, and how it follows the store."""
