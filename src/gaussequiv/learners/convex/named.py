"""Thin names for common cases of `ERM`."""

from __future__ import annotations

from typing import Any

from gaussequiv.ingredients.losses import named as losses
from gaussequiv.ingredients.penalties.base import L1, ElasticNet
from gaussequiv.learners.convex.erm import ERM


def Logistic(lam: Any = "optimal", *, intercept: bool | None = None, class_weight: Any = None) -> ERM:
    """Logistic regression, scikit-learn's ``LogisticRegression(C=1/lam)`` on X/sqrt(p).

    Examples
    --------
    >>> Logistic(0.1).label
    'logistic(lam=0.1)'
    """
    return ERM("logistic", lam, intercept=intercept, class_weight=class_weight)


def SVM(lam: Any = "optimal", *, intercept: bool | None = None, class_weight: Any = None) -> ERM:
    """Linear support-vector machine (hinge loss), ``SVC(kernel="linear", C=1/lam)`` on X/sqrt(p); lam = 0 is the maximum margin.

    Examples
    --------
    >>> SVM(0).label
    'hinge(lam=0)'
    """
    return ERM("hinge", lam, intercept=intercept, class_weight=class_weight)


def Huber(lam: Any = "optimal", threshold: float = 1.0, *, intercept: bool | None = None, tune: tuple[str, ...] = ()) -> ERM:
    """Robust regression: squared residuals up to `threshold`, absolute ones beyond; tune=("threshold",) optimises that too.

    Examples
    --------
    >>> Huber(0.1, 1.35).label
    'huber(threshold=1.35, lam=0.1)'
    """
    return ERM(losses.Huber(threshold), lam, intercept=intercept, tune=tune)


def Lasso(lam: Any = "optimal", *, intercept: bool | None = None) -> ERM:
    """Square loss with lam |w|_1: ``Lasso(alpha=lam/n)`` on X/sqrt(p). Isotropic inputs.

    Examples
    --------
    >>> Lasso(0.1).label
    'square(lam=0.1, penalty=l1)'
    """
    return ERM("square", lam, L1(), intercept)


def ElasticNetRegression(lam: Any = "optimal", l1_ratio: float = 0.5, *, intercept: bool | None = None, tune: tuple[str, ...] = ()) -> ERM:
    """Square loss with lam (l1_ratio |w|_1 + (1 - l1_ratio)|w|^2/2): ``ElasticNet(alpha=lam/n)`` on X/sqrt(p). Isotropic inputs.

    Examples
    --------
    >>> ElasticNetRegression(0.1).label
    'square(lam=0.1, penalty=elastic_net:0.5)'
    """
    return ERM("square", lam, ElasticNet(l1_ratio), intercept, tune=tune)
