"""What a learner is fitted on, and what is measured of a fit."""
