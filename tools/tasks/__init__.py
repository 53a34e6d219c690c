"""Tasks on pictures and on latents: small classifiers, their files, and their training."""

from nacre.tools.tasks.checkpoint import TaskCheckpoint
from nacre.tools.tasks.classifier import ClassifierConfig, TaskClassifier
from nacre.tools.tasks.fitting import Fitting, accuracy, fit

__all__ = ["ClassifierConfig", "Fitting", "TaskCheckpoint", "TaskClassifier", "accuracy", "fit"]
