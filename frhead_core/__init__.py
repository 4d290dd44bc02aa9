"""The science of the FR-Head pipeline: data, skeletons, models, training, evaluation.

Nothing in this package knows of Kubeflow, object storage, containers or the web.

Letters used for tensor shapes throughout: N samples in a batch, C channels, T frames, V joints,
M bodies (persons), K classes.
"""

__version__ = "0.1.0"
