"""Feature maps keep scikit-learn's contracts and are what they say."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import SkipTestWarning
from sklearn.utils.estimator_checks import check_estimator

from gaussequiv.errors import ArgumentError
from gaussequiv.estimators.feature_maps import ConvolutionalFeatures, DeepRandomFeatures


@pytest.mark.parametrize("transformer", [DeepRandomFeatures((7, 5), random_state=0), ConvolutionalFeatures()])
def test_scikit_learns_checks(transformer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        check_estimator(transformer)


def test_random_features_are_a_network():
    X = np.random.default_rng(0).standard_normal((5, 8))
    made = DeepRandomFeatures((6, 4), ("relu", "tanh"), weight_variance=2.0, bias_variance=0.5, random_state=1).fit(X)
    by_hand = np.tanh(np.maximum(X @ made.weights_[0] + made.biases_[0], 0) @ made.weights_[1] + made.biases_[1]) / 2
    assert made.transform(X) == pytest.approx(by_hand, rel=1e-12)
    wide = DeepRandomFeatures(20_000, weight_variance=2.0, random_state=0).fit(X)
    assert np.var(wide.weights_[0]) == pytest.approx(2.0 / 8, rel=0.02)
    with pytest.raises(ArgumentError, match="activations"):
        DeepRandomFeatures((6, 4), ("relu",)).fit(X)


def test_convolutional_features_see_no_constant_and_turn_with_the_image():
    rng = np.random.default_rng(0)
    images = rng.random((3, 64))
    made = ConvolutionalFeatures(cells=1, orientations=2).fit(images)
    features = made.transform(images).reshape(3, 5)
    shifted = made.transform(images + 0.7).reshape(3, 5)
    assert shifted[:, 1:] == pytest.approx(features[:, 1:], abs=1e-12)  # wavelets sum to zero
    assert shifted[:, 0] == pytest.approx(features[:, 0] + 0.7)
    turned = made.transform(np.transpose(images.reshape(3, 8, 8), (0, 2, 1)).reshape(3, 64)).reshape(3, 5)
    assert turned[:, [1, 2]] == pytest.approx(features[:, [2, 1]], rel=1e-9)  # angles 0 and pi/2 swap
    with pytest.raises(ArgumentError, match="shape"):
        ConvolutionalFeatures(shape=(3, 5)).fit(images)
