"""What a person types in a clone, and the tools behind it; no part of the product."""
