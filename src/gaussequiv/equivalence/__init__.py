"""The Gaussian equivalent: what every source of data ends in and every learner starts from."""
