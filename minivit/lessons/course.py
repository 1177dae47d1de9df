"""The map of the course: every lesson by number. Numbers and names never change; what is written has a notebook."""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "lessons"
REPOSITORY = ""  # "OWNER/NAME" on GitHub: set it, run python -m minivit course --write, and every lesson opens in Colab

PARTS = {
    "Part 1. From pixels to a Vision Transformer": [
        ("00", "start_here", "How to work, the device, the data, the map; a first model in two minutes"),
        ("01", "autograd", "From one derivative to a reverse-mode engine: graph, backward passes, gradient check"),
        ("02", "patches", "Pictures cut into patches, projected to tokens, and told where they were"),
        ("03", "attention", "Scaled dot-product and several heads, forward and backward, and what they cost"),
        ("04", "encoder_block", "LayerNorm, GELU, MLP, residuals, dropout and stochastic depth; norm before or after"),
        ("05", "training", "The loop by hand: momentum, AdamW, Muon, warm-up, clipping, averaging, a validation split"),
        ("06", "vit", "The Vision Transformer assembled and trained; class token, average or attention pooling"),
        ("07", "cnn", "ResNet, the hybrid ViT, the convolutional stem; little data against much"),
        ("08", "looking_inside", "Attention maps, rollout, patch filters, mean attention distance"),
        ("09", "what_vits_learn", "Activation maximisation, masked foregrounds and backgrounds, low-pass filters"),
    ],
    "Part 2. Training well on little data": [
        ("10", "augreg", "Flips, crops, RandAugment, Mixup, CutMix, dropout, weight decay, and how to search"),
        ("11", "deit", "A CNN as teacher: soft and hard distillation, the distillation token"),
        ("12", "deit3", "LayerScale, 3-Augment, binary cross-entropy: the simple recipe"),
        ("13", "sam", "Sharpness-aware minimisation, the largest Hessian eigenvalue, the loss landscape"),
        ("14", "small_data", "Instance discrimination, then fine-tuning, with 2,040 pictures"),
        ("15", "scaling", "Parameters and GFLOPs by shape, power laws, the compute-optimal shape"),
        ("16", "nfnet", "ResNets without normalisation: scaled weight standardisation, adaptive clipping"),
    ],
    "Part 3. Hierarchies and windows": [
        ("17", "swin", "Attention in windows, the cyclic shift and its mask, relative positions, patch merging"),
        ("18", "swin_v2", "Residual post-norm, cosine attention, position bias for other window sizes"),
        ("19", "pvt", "A pyramid, and attention to fewer keys"),
        ("20", "cpvt", "Position encoding by a depthwise convolution"),
        ("21", "twins", "Attention within groups, and to one summary of each group"),
        ("22", "maxvit", "MBConv, block attention, grid attention"),
        ("23", "dinat", "Attention to neighbours, near and dilated"),
        ("24", "t2t", "Tokens from overlapping tokens, in a deep and narrow model"),
        ("25", "tnt", "A transformer in a transformer"),
    ],
    "Part 4. Convolution meets attention": [
        ("26", "cvt", "Convolutional token embedding and projection"),
        ("27", "levit", "A convolutional stem, shrinking attention, attention bias, BatchNorm folded away"),
        ("28", "fastvit", "Branches in training, folded into one for inference"),
        ("29", "mobilevit", "Unfold, transformer, fold: local and global in one light block"),
        ("30", "mobile_former", "A two-way bridge between MobileNet and six tokens"),
        ("31", "efficientformer", "Slimming by measured latency"),
        ("32", "efficientvit", "The sandwich layout, and heads in a cascade"),
    ],
    "Part 5. Is attention what you need?": [
        ("33", "mlp_mixer", "MLP-Mixer, ResMLP, gMLP: tokens mixed without attention"),
        ("34", "poolformer", "MetaFormer: identity, pooling, attention and MLP as mixers, side by side"),
    ],
    "Part 6. Learning without labels": [
        ("35", "mae", "A masked autoencoder: random masking, a light decoder, reconstructions"),
        ("36", "beit", "Masked patches predicted as words of a learned vocabulary"),
        ("37", "simmim", "Masked pixels, a linear head, an L1 loss"),
        ("38", "moco_v3", "Momentum contrast for Vision Transformers"),
        ("39", "dino", "Self-distillation: centring, sharpening, multi-crop"),
    ],
    "Part 7. Beyond classification": [
        ("40", "setr", "Segmentation from the tokens of a ViT"),
        ("41", "detr", "Detection as a set: object queries, Hungarian matching"),
        ("42", "maskformer", "Masks that are classified, instead of pixels"),
        ("43", "image_to_text", "Captions, and pictures matched with sentences"),
    ],
    "Part 8. Using a ViT for real": [
        ("44", "fine_tuning", "Official weights, a new head, a higher resolution"),
        ("45", "robustness", "Adversarial pictures, occlusion, shuffled patches, corruptions"),
        ("46", "compression", "Pruning, and integers of eight bits"),
        ("47", "scaling_out", "Threads, processes, GPUs; a sharded optimiser; mixed precision"),
    ],
    "Part 9. Roots": [
        ("48", "roots", "Before ViT: non-local blocks, stand-alone and axial attention, patches of 2 x 2, image GPT"),
    ],
}


@dataclass(frozen=True)
class Lesson:
    """One line of the map: "06", "vit", what it is about, and the part to which it belongs."""

    number: str
    name: str
    line: str
    part: str

    @property
    def path(self):
        """Its notebook, which need not be written yet."""
        return FOLDER / f"{self.number}_{self.name}.ipynb"


COURSE = [Lesson(*lesson, part) for part, lessons in PARTS.items() for lesson in lessons]


def locate(name):
    """The notebook that "6", "06", "06_vit", "vit" or the path of a notebook means.

    Raises
    ------
    ValueError
        If there is none, with what there is: the written lessons, or that this one is planned.
    """
    path = Path(name)
    if path.suffix == ".ipynb" and path.exists():
        return path
    there = ", ".join(f"{lesson.number} {lesson.name}" for lesson in COURSE if lesson.path.exists())
    if not there:
        raise ValueError(f"lesson: no notebooks in {FOLDER}; they are in the repository, not in an installed package")
    for lesson in COURSE:
        if path.stem in (lesson.number, str(int(lesson.number)), lesson.name, lesson.path.stem):
            if lesson.path.exists():
                return lesson.path
            raise ValueError(f"lesson {lesson.number} ({lesson.name}) is planned, not written yet; there are {there}")
    raise ValueError(f"lesson: {name!r} does not exist; there are {there}")
