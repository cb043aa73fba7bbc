"""How papers are reproduced: figures, reference numbers, instances."""
