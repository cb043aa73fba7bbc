"""Pure mathematics: Gaussian expectations, scalar roots, Gaussian orthants."""
