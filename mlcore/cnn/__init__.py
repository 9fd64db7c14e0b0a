"""The convolutional network: encoder, training through Zoobot, prediction, evaluation.

Importing this package comes before importing torchvision, timm, lightning or zoobot:
see `mlcore.cnn.operators`.
"""

from mlcore.cnn import operators

__all__ = ["operators"]
