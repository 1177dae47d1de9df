"""Official checkpoints in and out: timm's, transformers', and those of ViT's authors."""

from .checkpoint import from_official, load, load_weights, save, to_official
from .predict import Pretrained, predict_classes
from .preprocessing import Preprocessing
