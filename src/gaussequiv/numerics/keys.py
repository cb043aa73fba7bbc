"""The purposes of all random keys, in one place.

A key is a tuple of non-negative integers, the entropy of ``numpy.random.default_rng``: what it belongs to, then its purpose, then a running
number where there are several. Streams with different keys are independent, so that further trials, points or learners never change
earlier ones. None of these numbers may ever change: every simulated number hangs on them.
"""

from __future__ import annotations

import numpy as np

# what `fit` and the iterations take for their own draws: a generator that the caller made from a key, or None for fresh entropy
Key = np.random.Generator | None

# streams of rows, (..., ROWS, stream, block), and of labels, (..., LABELS, stream, block): train and test rows never coincide
TRAIN, TEST = 0, 1

# simulated trials, (seed, trial, purpose, ...)
TEACHER = 10  # weights of the true network
ROWS = 11  # inputs, and the order of a data matrix's rows
LABELS = 12  # label noise
CENTRE = 13  # rows on which a network's own mean is measured
FEATURES = 14  # the students' random features
WEIGHTS = 15  # the samples' weights
SIDE_INFORMATION = 16  # of an informed start of message passing
FIT = 17  # what a learner draws while it fits, (..., FIT, n): the same for all learners, whose differences are paired
NOISE = 18  # of an observed matrix

# online learning: what all trials share, (instance, size, purpose), with TEACHER, and a trial's own, (seed, trial, purpose, block)
GENERATOR = 40  # weights of the generative model
STUDENT = 41  # weights with which learning starts
LATENTS = 42  # of fresh samples
TWIN = 43  # what the Gaussian twin has beside the latents
FRESH = 44  # samples on which errors are measured

# estimated moments of a generator, (seed, purpose, block)
MOMENTS = 45  # latents

# diagnosis of fields, (seed, purpose, stream, block), with what online learning's trials share
DIAGNOSIS = 46  # latents, and what families of weights draw

# training of a generator, (seed, purpose)
TRAINING = 47  # weights with which it begins, and the seed of JAX's own keys

# posterior sampling, (seed, trial, purpose, ...)
CHAIN_STARTS = 20  # (..., n)
CHAINS = 21  # (..., n)
PRIOR_NETWORKS = 22

# annealed evidence, (seed, d, trial, purpose, ...): four numbers, none of them a key of the kinds above
EVIDENCE_TEACHER, EVIDENCE_ROWS, EVIDENCE_LABELS = 20, 21, 22
FIRST_PILOT, FIRST_CONTROL = 1 << 40, 1 << 41  # their trials are counted from here
UPWARDS, DOWNWARDS = 0, 1  # the annealer's own draws, (seed, d, trial, direction)
PILOT_WALK = 2  # (seed, pilot, PILOT_WALK)
