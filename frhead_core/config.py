"""Recipes: every setting of a benchmark, as frozen dataclasses validated from one YAML file.

A recipe is read with :func:`load_recipe`, changed with :func:`override` and travels between the
steps of the pipeline as canonical JSON. Unknown keys, wrong types and values out of range are
refused with the file, the line, the key and, for a misspelt key, the nearest valid one.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import AfterValidator, ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from frhead_core.backbones import BACKBONES
from frhead_core.errors import RecipeError
from frhead_core.settings_files import (
    MisplacedError,
    Place,
    closest,
    first_problem,
    nearest,
    read_settings,
)
from frhead_core.skeleton_layout import SkeletonLayout, layout_from_mapping, load_layout

Modality = Literal["joint", "bone", "joint_motion", "bone_motion"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)
IndexColumn = Literal["setup", "camera", "performer", "replication", "label", "part", "name"]
TEXT_COLUMNS = ("part", "name")
HeadVersion = Literal["V0", "V1", "V2", "NO FN", "NO FP", "NO FN & FP"]
Precision = Literal["float32", "bfloat16"]
Compatibility = Literal["reference", "corrected"]

# Numbers and switches are strict: "16", 16.0 or true where an integer belongs is a mistake.
Integer = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True)]
Switch = Annotated[bool, Field(strict=True)]
Positive = Annotated[Integer, Field(gt=0)]
NotNegative = Annotated[Integer, Field(ge=0)]
Share = Annotated[Number, Field(ge=0.0, le=1.0)]
Percent = Annotated[Number, Field(ge=0.0, le=100.0)]


def _index_value(value: Any) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"input should be a whole number or a text; found {value!r}")
    return value


Value = Annotated[int | str, PlainValidator(_index_value)]
"""What an index column holds: texts in ``part`` and ``name``, whole numbers in the others."""

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
_HEAD_SIZE = 256
_BACKBONE = "model.backbone"
_BENCHMARK_FOLDER = Path(__file__).parent / "benchmarks"


def _check_values(values: Sequence[Value], column: str, key: str) -> None:
    kind = str if column in TEXT_COLUMNS else int
    for number, value in enumerate(values):
        if not isinstance(value, kind):
            expected = "texts" if kind is str else "whole numbers"
            raise MisplacedError(
                f"the values of {column} are {expected}; found {value!r}", key, number
            )


def _check_anchors(anchors: Sequence[str], column: str, values: Sequence[Value]) -> None:
    """Anchors, if there are any, stand for the values of the column ``label``, one for each."""
    if not anchors:
        return
    if column != "label":
        raise ValueError(f"anchors stand for classes, so column must be label and not {column}")
    if len(anchors) != len(values) or len(set(anchors)) != len(anchors):
        raise ValueError(
            f"{len(set(anchors))} different anchors for {len(values)} classes; every class has one"
        )


@dataclass(frozen=True, config=_STRICT)
class Split:
    """Which recordings train and which test, by the value of one index column.

    ``setups``: first and last setup of the recordings that take part; all if not given. It keeps
    NTU RGB+D 60 apart within NTU RGB+D 120, where the same performers appear again.
    ``anchors``: names of the recordings by which the test classes are known, one for each label in
    ``test`` and in that order, where training has none of these classes (one-shot recognition).
    """

    column: IndexColumn
    train: tuple[Value, ...]
    test: tuple[Value, ...]
    setups: tuple[Integer, Integer] | None = None
    anchors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for key in ("train", "test"):
            _check_values(getattr(self, key), self.column, key)
        shared = sorted(set(self.train) & set(self.test), key=str)
        if shared:
            raise ValueError(f"{self.column} {shared} is in both train and test")
        _check_anchors(self.anchors, self.column, self.test)


@dataclass(frozen=True, config=_STRICT)
class ValidationSplit:
    """The part of the training recordings that is held out when a validation split is asked for.

    ``anchors``: as in :class:`Split`, for the classes that are held out.
    """

    column: IndexColumn
    values: tuple[Value, ...]
    anchors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_values(self.values, self.column, "values")
        _check_anchors(self.anchors, self.column, self.values)


@dataclass(frozen=True, config=_STRICT)
class Preparation:
    """How raw recordings become sequences.

    ``max_quarantined_share``: preparation stops when a larger share of the recordings is unusable.
    ``official_list``: every recording that the benchmark lists must be there; without it whatever
    is found is used. ``compatibility`` (NTU RGB+D): ``reference`` prepares as for the published
    accuracies, with their mistakes; ``corrected`` without: bodies that come back keep their true
    time, and an actor's time begins with its first body.
    """

    max_quarantined_share: Share = 0.02
    official_list: Switch = True
    compatibility: Compatibility = "reference"


@dataclass(frozen=True, config=_STRICT)
class NWUCLALoader:
    """NW-UCLA's transforms: turn, scale to the unit cube, sample frames.

    ``rotation_degrees``: training turns each sequence about x and y by whole degrees drawn from
    -rotation_degrees to rotation_degrees. ``scale``: the interval of the training-time factor.
    ``repeat``: how many times an epoch goes over the training recordings.
    """

    transform: Literal["nw-ucla"]
    window: Positive
    persons: Literal[1]
    repeat: Positive
    rotation_degrees: Annotated[Integer, Field(ge=0, le=180)]
    scale: tuple[Number, Number]


@dataclass(frozen=True, config=_STRICT)
class NTULoader:
    """NTU RGB+D's transforms: crop, resize in time, turn, scale the bones.

    ``train_crop`` / ``test_crop``: share of the frames that a crop keeps, as an interval to draw
    from (training) or as one number (test, centred). ``random_rotation``: radians, drawn once a
    sample for each axis. ``random_scale``: largest relative change of a bone's length.
    ``frame_mask``: share of frames set to zero in training. ``lone_body``: what stands in the
    second body's place when there is only one.
    """

    transform: Literal["ntu"]
    window: Positive
    persons: Literal[1, 2]
    repeat: Positive
    train_crop: tuple[Share, Share]
    test_crop: Share
    random_rotation: Annotated[Number, Field(ge=0.0)]
    random_scale: Share
    lone_body: Literal["zeros", "repeat"]
    frame_mask: Share = 0.0


LoaderSettings = Annotated[NWUCLALoader | NTULoader, Field(discriminator="transform")]


def _known_backbone(name: str) -> str:
    if name not in BACKBONES:
        meant = closest(name, BACKBONES)
        hint = "" if meant is None else f". {meant}"
        raise ValueError(f"unknown backbone; found {name}; expected {_one_of(BACKBONES)}{hint}")
    return name


BackboneName = Annotated[str, AfterValidator(_known_backbone)]


@dataclass(frozen=True, config=_STRICT)
class ModelSettings:
    """The backbone.

    ``reference_outputs``: width of the classifier in training where it is wider than the number
    of classes (the authors trained NTU60 with 120 outputs, and the unused ones act as negatives
    in the head); it is trimmed to the classes for inference.
    """

    backbone: BackboneName = "ctrgcn"
    base_channels: Annotated[Integer, Field(ge=8, multiple_of=4)] = 64
    dropout: Annotated[Number, Field(ge=0.0, lt=1.0)] = 0.0
    reference_outputs: Positive | None = None


@dataclass(frozen=True, config=_STRICT)
class HeadSettings:
    """The feature refinement head (FR-Head, Zhou, Liu and Wang, CVPR 2023, section 3).

    ``loss_weight`` multiplies the head's loss in the total; ``start_after_epoch``: it counts from
    the epoch after this 0-based one (-1: from the start). ``level_weights`` are those of the
    low, mid, high and final level. ``inferred`` names the settings that the records of the
    published runs leave open.
    """

    enabled: Switch = True
    version: HeadVersion = "V0"
    loss_weight: Annotated[Number, Field(ge=0.0)] = 0.1
    start_after_epoch: Annotated[Integer, Field(ge=-1)] = -1
    level_weights: tuple[Number, Number, Number, Number] = (0.1, 0.2, 0.5, 1.0)
    prediction_threshold: Share = 0.0
    use_probability_map: Switch = True
    alpha: Number = 0.125
    temperature: Annotated[Number, Field(gt=0.0)] = 0.125
    momentum: Share = 0.9
    inferred: tuple[str, ...] = ()


@dataclass(frozen=True, config=_STRICT)
class ModalityEpochs:
    """Epochs to train, for each modality."""

    joint: Positive
    bone: Positive
    joint_motion: Positive
    bone_motion: Positive


@dataclass(frozen=True, config=_STRICT)
class TrainingSettings:
    """Stochastic gradient descent with warm-up and steps, as in the published runs, or one cycle.

    ``schedule``: after the linear warm-up, ``steps`` multiplies the learning rate by ``decay`` at
    each of the ``milestones`` (0-based epochs); ``one_cycle`` lowers it with every batch, along a
    cosine, to zero at the end. ``label_smoothing``: share of the truth that is spread over all
    outputs. ``averaging``: decay of a moving average of the weights over the updates; what is
    evaluated and kept is then that average. ``hold_out_validation``: train without the recipe's
    validation part and evaluate every epoch on that part instead of the test set.
    ``synchronise_batch_norm``: where several processes train, normalise by the whole batch instead
    of each by its own share. ``compile``: let ``torch.compile`` make one program of the forward and
    backward pass. ``cuda_graphs``: let that program be started as a whole instead of operation by
    operation; only GPUs can.
    """

    epochs: ModalityEpochs
    batch_size: Positive
    weight_decay: Annotated[Number, Field(ge=0.0)]
    milestones: tuple[NotNegative, ...]
    learning_rate: Annotated[Number, Field(gt=0.0)] = 0.1
    schedule: Literal["steps", "one_cycle"] = "steps"
    decay: Annotated[Number, Field(gt=0.0, le=1.0)] = 0.1
    warm_up_epochs: NotNegative = 5
    momentum: Share = 0.9
    nesterov: Switch = True
    label_smoothing: Annotated[Number, Field(ge=0.0, lt=1.0)] = 0.0
    averaging: Annotated[Number, Field(gt=0.0, lt=1.0)] | None = None
    precision: Precision = "float32"
    seed: Annotated[Integer, Field(ge=0, lt=2**63)] = 1
    hold_out_validation: Switch = False
    synchronise_batch_norm: Switch = True
    compile: Switch = False
    cuda_graphs: Switch = False

    def __post_init__(self) -> None:
        if self.cuda_graphs and not self.compile:
            raise ValueError("cuda_graphs needs compile to be true")
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")


@dataclass(frozen=True, config=_STRICT)
class EvaluationSettings:
    """How samples are scored."""

    batch_size: Positive = 64


@dataclass(frozen=True, config=_STRICT)
class EnsembleWeights:
    """Weight of each modality's logits in the ensemble."""

    joint: Number
    bone: Number
    joint_motion: Number
    bone_motion: Number


@dataclass(frozen=True, config=_STRICT)
class PublishedAccuracy:
    """Top-1 accuracy in percent as published: the best epoch on the test set."""

    joint: Number
    bone: Number
    joint_motion: Number
    bone_motion: Number
    ensemble: Number


@dataclass(frozen=True, config=_STRICT)
class Promotion:
    """The gate that a candidate passes to become the champion; every condition has to hold.

    Accuracies are top-1 in percent, of the last epochs on the test part; differences are candidate
    minus champion, in percentage points. ``minimum_accuracy``: of the candidate. ``minimum_gain``:
    over the champion. ``maximum_class_loss``: what no class may lose more than. ``significance``:
    the p of McNemar's exact test may be at most this; 1 asks for no significance. All but the first
    need a champion to compare with.
    """

    minimum_accuracy: Percent = 0.0
    minimum_gain: Annotated[Number, Field(ge=-100.0, le=100.0)] = 0.0
    maximum_class_loss: Percent = 10.0
    significance: Share = 0.05


@dataclass(frozen=True, config=_STRICT)
class BackboneSettings:
    """What differs when a recipe is used with another backbone than its own.

    All but ``published`` are settings of the same name in ``training``, None where they stay.
    ``published``: figures published for this backbone; those of the recipe are its own backbone's.
    """

    epochs: ModalityEpochs | None = None
    batch_size: Positive | None = None
    weight_decay: Annotated[Number, Field(ge=0.0)] | None = None
    milestones: tuple[NotNegative, ...] | None = None
    learning_rate: Annotated[Number, Field(gt=0.0)] | None = None
    published: PublishedAccuracy | None = None


@dataclass(frozen=True, config=_STRICT)
class Recipe:
    """Everything that decides the result of a benchmark, except the raw data."""

    name: str
    title: str
    dataset: str
    skeleton: str | SkeletonLayout
    classes: Positive
    split: Split
    validation: ValidationSplit
    loader: LoaderSettings
    training: TrainingSettings
    preparation: Preparation = dataclasses.field(default_factory=Preparation)
    model: ModelSettings = dataclasses.field(default_factory=ModelSettings)
    head: HeadSettings = dataclasses.field(default_factory=HeadSettings)
    evaluation: EvaluationSettings = dataclasses.field(default_factory=EvaluationSettings)
    ensemble: EnsembleWeights | None = None
    published: PublishedAccuracy | None = None
    promotion: Promotion = dataclasses.field(default_factory=Promotion)
    backbones: Mapping[BackboneName, BackboneSettings] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        outputs = self.model.reference_outputs
        if outputs is not None and outputs < self.classes:
            raise ValueError(
                f"model.reference_outputs is {outputs}, fewer than the {self.classes} classes"
            )
        window = self.loader.window
        if isinstance(self.skeleton, SkeletonLayout) and self.head.enabled:
            joints = len(self.skeleton.joints)
            if joints > _HEAD_SIZE:
                raise ValueError(f"skeleton has {joints} joints; FR-Head takes up to {_HEAD_SIZE}")
        if self.head.enabled and (window % 4 or window > _HEAD_SIZE):
            raise ValueError(
                f"loader.window is {window}; FR-Head needs a multiple of 4, because two blocks "
                f"halve the frames, up to {_HEAD_SIZE}, the size of its features"
            )
        self._check_backbones()
        if self.validation.column == self.split.column:
            strange = sorted(set(self.validation.values) - set(self.split.train), key=str)
            if strange:
                raise ValueError(
                    f"validation.values {strange} are not among split.train: only training "
                    "recordings can be held out"
                )
        if self.split.anchors:
            self._check_one_shot()
        elif self.validation.anchors:
            raise ValueError("validation.anchors without split.anchors")

    def _check_one_shot(self) -> None:
        if self.classes != len(self.split.train):
            raise ValueError(
                f"classes is {self.classes}; with split.anchors it is the number of classes to "
                f"train on, those of split.train: {len(self.split.train)}"
            )
        if len(self.validation.anchors) != len(self.validation.values):
            raise ValueError(
                "validation.anchors: with split.anchors, every class in validation.values needs one"
            )

    def _check_backbones(self) -> None:
        backbone = self.model.backbone
        if backbone in self.backbones:
            raise ValueError(
                f"backbones.{backbone} is about the recipe's own backbone, whose settings belong "
                "into the other sections"
            )
        bodies = self.training.batch_size * self.loader.persons
        fewest = BACKBONES[backbone].fewest_bodies
        if bodies < fewest:
            raise ValueError(
                f"training.batch_size times loader.persons is {bodies}; {backbone} normalises "
                f"over the bodies of a batch and needs {fewest} or more"
            )

    @property
    def outputs(self) -> int:
        """Width of the classifier in training."""
        return self.model.reference_outputs or self.classes

    @property
    def trained_labels(self) -> tuple[int, ...]:
        """Label, as in the sequence store, of each of the K classes that the classifier knows."""
        return _labels(self.split.train) if self.split.anchors else tuple(range(self.classes))

    def anchors(self, part: str) -> tuple[str, ...]:
        """Names of the anchors that samples of a part are compared with; none: classified."""
        return {"test": self.split.anchors, "validation": self.validation.anchors}.get(part, ())

    def scored_labels(self, part: str) -> tuple[int, ...]:
        """Label, as in the sequence store, of each class that samples of a part have a score for.

        Without anchors those are the classes that the classifier knows, and with anchors theirs.
        """
        if not self.anchors(part):
            return self.trained_labels
        return _labels(self.split.test if part == "test" else self.validation.values)

    def for_training(self, modality: Modality) -> Recipe:
        """The recipe without what training one modality does not depend on.

        Two runs whose reduced recipes are equal train the same model. The rules that the sequences
        were prepared by stay: new recordings have to be prepared by the same.
        """
        epochs = getattr(self.training.epochs, modality)
        same_epochs = ModalityEpochs(**dict.fromkeys(MODALITIES, epochs))
        held_out = self.validation
        if not self.training.hold_out_validation:
            held_out = dataclasses.replace(held_out, values=(), anchors=())
        return dataclasses.replace(
            self,
            title="",
            preparation=Preparation(compatibility=self.preparation.compatibility),
            validation=held_out,
            head=dataclasses.replace(self.head, inferred=()),
            training=dataclasses.replace(self.training, epochs=same_epochs),
            ensemble=None,
            published=None,
            promotion=Promotion(),
            backbones={},
        )


def _labels(values: Sequence[Value]) -> tuple[int, ...]:
    return tuple(value for value in values if isinstance(value, int))


_RECIPE = TypeAdapter(Recipe)


def check_modality(name: str) -> Modality:
    """``name`` as a modality.

    Raises:
        RecipeError: If there is no such modality.
    """
    for modality in MODALITIES:
        if modality == name:
            return modality
    raise RecipeError(
        "unknown modality", field="modality", found=name, expected=_one_of(MODALITIES)
    )


def benchmark_names() -> tuple[str, ...]:
    """Names of the recipes that come with the package, sorted."""
    return tuple(sorted(path.stem for path in _BENCHMARK_FOLDER.glob("*.yaml")))


def load_recipe(name_or_file: str | Path) -> Recipe:
    """The recipe of a benchmark, by its name or from a YAML file of your own.

    Raises:
        RecipeError: If there is no such benchmark or file, or its content is not a valid recipe.
    """
    text = str(name_or_file)
    if text in benchmark_names():
        path = _BENCHMARK_FOLDER / f"{text}.yaml"
    elif text.endswith((".yaml", ".yml")):
        path = Path(text)
    else:
        raise RecipeError(
            "unknown benchmark",
            field="benchmark",
            found=text,
            expected=_one_of(benchmark_names()) + ", or a .yaml file",
        )
    return _parse_yaml(path)


def recipe_from_json(text: str) -> Recipe:
    """The recipe that :func:`recipe_to_json` wrote."""
    return _validated(json.loads(text), file=None, lines={})


def recipe_to_json(recipe: Recipe) -> str:
    """Canonical JSON of a recipe: sorted keys, no spaces, the same text for equal recipes."""
    data = _RECIPE.dump_python(recipe, mode="json")
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def recipe_to_yaml(recipe: Recipe) -> str:
    """The recipe as YAML for people, in the order of the fields."""
    return yaml.safe_dump(_RECIPE.dump_python(recipe, mode="json"), sort_keys=False)


def override(recipe: Recipe, *settings: Mapping[str, Any] | Iterable[str]) -> Recipe:
    """A recipe with some settings replaced, checked like a file.

    Another ``model.backbone`` brings what ``backbones`` says of it, and drops the figures that are
    published for the first; the other settings then change that.

    Args:
        recipe: The recipe to start from; it is not changed.
        settings: Dotted keys to values, or texts ``key=value`` whose value is read as YAML
            (``training.batch_size=32``). ``training.epochs=2`` sets all modalities. Of several
            groups the last one counts.

    Raises:
        RecipeError: If a key does not exist or a value is not valid.
    """
    changes: dict[str, Any] = {}
    for group in settings:
        pairs = group if isinstance(group, Mapping) else map(_parse_assignment, group)
        changes.update(pairs)
    data = _RECIPE.dump_python(recipe, mode="json")
    if changes.get(_BACKBONE, recipe.model.backbone) != recipe.model.backbone:
        _switch_backbone(data, str(changes[_BACKBONE]))
    for key, value in changes.items():
        for_all = key == "training.epochs" and not isinstance(value, Mapping)
        _set(data, key, dict.fromkeys(MODALITIES, value) if for_all else value)
    return _validated(data, file=None, lines={})


def _switch_backbone(data: dict[str, Any], backbone: str) -> None:
    own = data["backbones"].get(backbone, {})
    data["published"] = own.pop("published", None)
    data["training"].update((key, value) for key, value in own.items() if value is not None)
    data["backbones"] = {}


# PyYAML lets some errors of what it calls through: 2026-99-99, !!bool x, !!timestamp x, many "[".
_NO_YAML = (yaml.YAMLError, ValueError, KeyError, AttributeError, RecursionError)


def _parse_assignment(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise RecipeError("not a setting", found=text, expected="key=value")
    try:
        return key.strip(), yaml.safe_load(value)
    except _NO_YAML as error:
        raise RecipeError("the value is not valid YAML", field=key, found=value) from error


def _set(data: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    node: Any = data
    for section in sections:
        node = node.get(section) if isinstance(node, dict) else None
    if not isinstance(node, dict) or last not in node:
        raise RecipeError("unknown setting", field=key, hint=nearest(key, _dotted_keys(data)))
    node[last] = value


def _dotted_keys(data: Mapping[str, Any], prefix: str = "") -> list[str]:
    keys = []
    for name, value in data.items():
        keys.append(prefix + name)
        if isinstance(value, Mapping):
            keys += _dotted_keys(value, f"{prefix}{name}.")
    return keys


def _parse_yaml(path: Path) -> Recipe:
    data, lines = read_settings(path, "a recipe")
    return _validated(data, file=path, lines=lines)


def _validated(data: Any, file: Path | None, lines: Mapping[Place, int]) -> Recipe:
    data = data | _own_layout(data, file, lines)
    try:
        return _RECIPE.validate_python(data)
    except ValidationError as error:
        # The loader's kind, and that a key is meant, are in pydantic's places but not in the file.
        left_out = ("nw-ucla", "ntu", "[key]")
        raise first_problem(error, file, lines, _known_keys, left_out=left_out) from error


def _own_layout(
    data: Mapping[str, Any], file: Path | None, lines: Mapping[Place, int]
) -> dict[str, SkeletonLayout]:
    """The joint layout, if it is not one that comes with the package but described or in a file.

    From then on it is a part of the recipe. A file is looked for beside that of the recipe.
    """
    given = data.get("skeleton")
    if isinstance(given, dict):
        return {"skeleton": layout_from_mapping(given, file, lines, below=("skeleton",))}
    if isinstance(given, str) and given.endswith((".yaml", ".yml")):
        folder = Path() if file is None else file.parent
        return {"skeleton": load_layout(folder / given)}
    if "skeleton" in data and not isinstance(given, str | SkeletonLayout):
        raise RecipeError(
            "is no joint layout",
            file=file,
            line=lines.get(("skeleton",)),
            field="skeleton",
            found=repr(given),
            expected="the name of one, its file, or a section with joints and bones",
        )
    return {}


def _known_keys(section: Sequence[str]) -> list[str]:
    """The valid keys of a section of a recipe, over all its kinds."""
    kinds: list[Any] = [Recipe]
    if section[:1] == ("backbones",):  # the name of a backbone comes between section and keys
        section = (*section[:1], *section[2:])
    for name in section:
        fields = {f.name: f for kind in kinds for f in dataclasses.fields(kind)}
        kinds = _SECTIONS.get(name, []) if name in fields else []
    return [f.name for kind in kinds for f in dataclasses.fields(kind)]


_SECTIONS: dict[str, list[Any]] = {
    "split": [Split],
    "validation": [ValidationSplit],
    "loader": [NWUCLALoader, NTULoader],
    "preparation": [Preparation],
    "model": [ModelSettings],
    "head": [HeadSettings],
    "training": [TrainingSettings],
    "epochs": [ModalityEpochs],
    "evaluation": [EvaluationSettings],
    "ensemble": [EnsembleWeights],
    "published": [PublishedAccuracy],
    "promotion": [Promotion],
    "backbones": [BackboneSettings],
}


def _one_of(names: Iterable[str]) -> str:
    return "one of " + ", ".join(names)
