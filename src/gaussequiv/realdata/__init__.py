"""Learning curves from one data set: what its rows say about training sets of other sizes."""
