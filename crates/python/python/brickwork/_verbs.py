"""What models can be asked, with the names, defaults and words of the command line.

Made by the command's tests; CONTRIBUTING.md says how. Do not edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from brickwork._answer import Answer, Predicted
from brickwork._ask import answered, made, profiled
from brickwork._ask import names as _names
from brickwork._ask import several as _several
from brickwork._ask import size as _size
from brickwork._work import Work, shared, shared_profile

if TYPE_CHECKING:
    from brickwork._ask import Data, File, ModelLike, Pictures, ProfileLike, Sides
    from brickwork._model import Model, Profile
    from brickwork._progress import ProgressLike


class Accuracy(Answer):
    """Accuracy over images and over classes."""

    per_image: float
    """Share of images classified correctly."""

    interval: list[float]
    """Its 95 % interval (Wilson 1927)."""

    per_class: float
    """Mean of the classes' shares."""


class Agreement(Answer):
    """How a model answered some labelled images."""

    images: int
    """Images with a class of the model."""

    share: float
    """Share of them that were answered with their class."""

    interval: list[float]
    """Its 95 % interval (Wilson 1927)."""

    chance: float
    """Share that guessing the most frequent class gets right."""


class Alternative(Answer):
    """Another preprocessing, and what it comes to on the same images."""

    change: str
    """What it does otherwise, as options."""

    share: float
    """Share of images that were answered with their class."""


class AnnotateAnswer(Answer):
    """What the model says now."""

    output: str | None
    """Where it was written."""

    classes: list[str]
    """Names of its classes."""

    preprocess: Preprocess | None
    """How pixels become its input, if it says so now."""


class AssembleAnswer(Answer):
    """What was joined."""

    output: str | None
    """The file that was written."""

    classes: list[str]
    """The classes of the model."""

    parts: list[AssembledPart]
    """What it is made of, in order."""

    params: int
    """Learned parameters."""

    macs: int
    """Multiply-accumulates of one image."""

    shared_layers: list[str]
    """Weighted layers that several parts have in common: stored and run once."""

    difference_from_parts: float
    """How far the scores of random images are from the parts' own, relative to the largest."""


class AssembledPart(Answer):
    """One part of an assembled model."""

    name: str
    """Its name."""

    classes: list[str]
    """Its classes."""

    params: int
    """Learned parameters."""

    macs: int
    """Multiply-accumulates of one image."""


class BatchTimes(Answer):
    """Median times with batches of one size."""

    batch: int
    """Images of a batch."""

    forward_ms: float
    """Milliseconds of a run."""

    profile_ms: float | None
    """Milliseconds of a profiling pass."""

    profile_ratio: float | None
    """How many times as long as a run a profiling pass takes."""

    step_ms: float | None
    """Milliseconds of a training step."""


class BenchAnswer(Answer):
    """What was timed."""

    model: str | None
    """The model's name."""

    threads: int | None
    """Threads that they had."""

    runs: list[BatchTimes] | None
    """For every batch size, the times."""

    batch: int | None
    """Images of that run."""

    nodes: list[NodeTime] | None
    """The nodes, in running order."""


class CalibrateAnswer(Answer):
    """How scores were made comparable."""

    output: str | None
    """The file that was written."""

    data: DataAccount | None
    """What the data holds of the model's classes, if any is given."""

    method: Literal["none", "paper", "layerwise", "affine", "background", "linear"]
    """The method."""

    logits: list[PartLogit]
    """The classes of all parts, in order: what factors and shifts are of."""

    calibration: CalibrationNote | None
    """What was done to them, if anything."""

    held_out: HeldOutGain | None
    """How often answers are right before and after, where the method holds images out."""


class CalibrationNote(Answer):
    """How an assembled model was calibrated."""

    method: str
    """The method's name."""

    images: int
    """Calibration images."""

    scale: list[float]
    """Factor of every part's every logit, part by part."""

    shift: list[float]
    """Added to every logit after the factor."""

    notes: list[str] | None
    """What had to be said about single classes."""

    held_out: HeldOutCounts | None
    """What images held out in turns say of it, where the method holds some out."""


class CardAnswer(Answer):
    """A model card."""

    output: str | None
    """Where it was written."""

    card: str
    """The card."""


class ClassImages(Answer):
    """Images of one class."""

    class_: str
    """Its name in the data."""

    images: int
    """How many."""


class ClassRetrieval(Answer):
    """How one class is told from all other images."""

    images: int
    """Images that are labelled with it."""

    average_precision: float | None
    """Average precision; none where no image is labelled with it."""

    precision: float
    """Share of the images above the threshold that are labelled with it."""

    recall: float
    """Share of the images labelled with it that are above the threshold."""

    f1: float
    """Harmonic mean of precision and recall."""


class CompressAnswer(Answer):
    """Smaller models."""

    output: str | None
    """Where the model was written."""

    kept_all: str | None
    """The folder in which all models were written."""

    criterion: Literal["taylor", "contribution", "net-contribution", "energy", "reconstruction", "l1", "fpgm", "bn-scale", "random"]
    """The criterion that was asked for."""

    budget: Reached
    """The size that was reached."""

    held_out: int | None
    """Images that were held out to measure on."""

    held_out_split: Literal["train", "val", "test"] | None
    """The part of the data that they are, if not some of the training images."""

    measure: Literal["accuracy", "mean-average-precision"] | None
    """What their accuracy is the number of."""

    refit_images: int | None
    """Images that were refitted on."""

    data: DataAccount | None
    """What the data holds of the model's classes, if any is given."""

    source: SourceSize
    """The model as it was."""

    models: list[Compressed]
    """One model for every criterion that was tried."""

    skipped: list[Skipped]
    """Criteria that cannot judge this model."""


class Compressed(Answer):
    """One smaller model."""

    criterion: Literal["taylor", "contribution", "net-contribution", "energy", "reconstruction", "l1", "fpgm", "bn-scale", "random"]
    """What made a channel worth keeping."""

    params: int
    """Learned parameters."""

    macs: int
    """Multiply-accumulates of one image."""

    accuracy_before_refit: float | None
    """Accuracy of the bare cut on the held-out images."""

    accuracy_after_refit: float | None
    """The same after the refit."""

    kept: dict[str, KeptLayer]
    """The channels it keeps, by layer."""


class ControlAccuracy(Answer):
    """How well as many other channels of the source do, without a refit."""

    choose: str
    """Which channels: `random` ones, or those with the largest weights (`magnitude`)."""

    per_image: float
    """Share of images classified correctly."""

    interval: list[float]
    """Its 95 % interval (Wilson 1927)."""

    per_class: float
    """Mean of the classes' shares."""


class DataAccount(Answer):
    """What all data sets hold together."""

    sets: list[SetAccount]
    """Every data set."""

    without_images: list[str]
    """Classes that were asked for and of which there is no image."""


class Difference(Answer):
    """Two models compared."""

    params: list[int]
    """Learned parameters of both."""

    macs: list[int]
    """Multiply-accumulates of both."""

    layers: list[LayerDifference]
    """Weighted layers by name, in the first model's order, then those only the second has."""


class DisassembleAnswer(Answer):
    """A component."""

    output: str | None
    """Where it was written."""

    dry_run: bool
    """Whether nothing was to be written."""

    source: str
    """The model it was cut from."""

    classes: list[str]
    """Its classes."""

    kept: dict[str, KeptLayer]
    """The channels it keeps, by layer."""

    added: dict[str, KeptLayer]
    """What had to be added to given channels."""

    params: Shrunk
    """Learned parameters."""

    macs: Shrunk
    """Multiply-accumulates of one image."""

    speed: list[Speed]
    """Time here, of one image and of a batch, on one thread and on all."""

    cut_equals_mask: float
    """How far its scores are from those of the masked source, relative to the largest, before any
    refit."""

    refit: RefitReport | None
    """The refit that followed."""

    data: DataAccount | None
    """What the data holds of the model's classes, if any is given."""

    criterion: Literal["taylor", "contribution", "net-contribution", "energy", "reconstruction", "l1", "fpgm", "bn-scale", "random"] | None
    """What made a channel worth keeping."""

    held_out: int | None
    """Images that were held out to measure on."""

    held_out_split: Literal["train", "val", "test"] | None
    """The part of the data that they are, if not some of the training images."""

    measure: Literal["accuracy", "mean-average-precision"] | None
    """What their accuracy is the number of."""

    frontier: list[Point] | None
    """Size and accuracy of every step, the largest first."""

    chosen: int | None
    """The place of the component among them."""

    by_table: TableTime | None
    """Time by the table that was given."""


class Divergence(Answer):
    """Mean divergences from the source's scores (Kullback-Leibler, in nats) on images that took no
    part."""

    before: float
    """In the beginning."""

    after: float
    """In the end."""


class DoctorAnswer(Answer):
    """What was found."""

    model: ModelFacts
    """The model."""

    data: DataAccount | None
    """What the data holds of the model's classes."""

    pixels: list[PixelFacts]
    """Pixels of every data set, as they are stored."""

    scores: ScoreFacts | None
    """The model's scores."""

    agreement: Agreement | None
    """Its answers against the labels; none where an image may be of several classes."""

    alternatives: list[Alternative]
    """Other preprocessings that do clearly better on the same images, the best first."""

    findings: list[Finding]
    """What looks wrong, the worst first."""


class Epoch(Answer):
    """What an epoch came to."""

    epoch: int
    """Its number, from 1."""

    rate: float
    """The learning rate of its last step."""

    train: Score
    """On the samples learned from, as they were seen: augmented, while the network changed."""

    held: Score | None
    """On the samples held out, after the epoch (cross-entropy)."""


class EvalAnswer(Answer):
    """What was measured."""

    images: int
    """Own images looked at."""

    accuracy_per_image: float
    """Share of images classified correctly. For a single class it says nothing: see `leakage`.
    Where an image may be of several classes, the share of those for which all are decided rightly."""

    accuracy_interval: list[float]
    """Its 95 % interval (Wilson 1927)."""

    accuracy_per_class: dict[str, float]
    """Share of images classified correctly, by class. Where an image may be of several, its recall."""

    interval_per_class: dict[str, list[float]]
    """Their 95 % intervals."""

    mean_class_accuracy: float
    """Mean of the classes' shares."""

    base: Accuracy | None
    """The source with all its classes, on the same images."""

    base_restricted: Accuracy | None
    """The source with its scores restricted to the task: the fair comparison."""

    before_refit: Accuracy | None
    """The component before its refit, on the same images."""

    controls: list[ControlAccuracy] | None
    """Other channels in the same numbers, on the same images, if they are asked for."""

    leakage: Leakage | None
    """Reaction to foreign classes, if the data has any."""

    base_leakage: Leakage | None
    """The source's leakage for the same task: top logit within the task."""

    parts: PartConfusion | None
    """For assembled models."""

    reject: Rejection | None
    """What the model's threshold does, if it has one."""

    calibration_error: float | None
    """How far the softmax of the answers is from the share of right ones (expected calibration
    error, Guo et al. 2017, 15 bins); none where an image may be of several classes."""

    confusion: dict[str, dict[str, int]]
    """Images of every class by the class that was answered."""

    reliability: list[ReliabilityBin]
    """How often answers are right that are about equally sure; none where an image may be of
    several classes."""

    multilabel: Retrieval | None
    """Where an image may be of several classes: average precision and F1."""

    data: DataAccount
    """What the data holds of the model's classes."""

    params: int
    """Learned parameters."""

    macs: int
    """Multiply-accumulates of one image."""

    file_bytes: int
    """Bytes of the model's file."""

    latency_ms: float | None
    """Median time of one image here, in milliseconds, if it was measured."""

    source_latency_ms: float | None
    """That of the source, if it was measured."""


class Finding(Answer):
    """Something that looks wrong."""

    severity: Literal["wrong", "doubtful"]
    """How bad it is."""

    message: str
    """What it is, and what to do."""


class FinetuneAnswer(Answer):
    """What a model was and what it became."""

    output: str | None
    """Where the model was written."""

    data: DataAccount
    """What the data holds of the model's classes."""

    images: int
    """Images learned from."""

    held_out: int
    """Images held out."""

    parameters: int
    """Learned parameters."""

    macs: int
    """Multiply-accumulates of one image."""

    best_epoch: int
    """The epoch that the model is of, from 1."""

    epochs: list[Epoch]
    """Every epoch."""

    score1: Score | None
    """On the images held out, before."""

    score2: Score | None
    """On the images held out, after."""


class FittedThreshold(Answer):
    """A threshold of the top score, and what it does to the images it was fitted on."""

    threshold: float
    """The threshold: an image is accepted if its top score is above it."""

    own_images: int
    """Own images it was fitted on."""

    foreign_images: int
    """Foreign images it was fitted on."""

    recall: float
    """Share of these own images that are accepted."""

    false_accepts: float | None
    """Share of these foreign images that are accepted, if there were any."""


class GroupRow(Answer):
    """One family of channels."""

    channels: int
    """How many channels can be chosen one by one."""

    members: list[MemberRow]
    """The values they run through."""

    frozen: str | None
    """Why none can be cut, if that is so."""


class Guess(Answer):
    """One class that an image may be of."""

    class_: str
    """Its name."""

    index: int
    """Its index."""

    score: float
    """The softmax of its logit; its sigmoid where an image may be of several classes."""

    logit: float
    """Its logit."""


class HeldOutCounts(Answer):
    """Calibration images, each judged by what was fitted without it: they are held out in turns."""

    images: int
    """How many."""

    right_before: int
    """Those whose class had the best score as the parts give it."""

    right_after: int
    """Those whose class has the best calibrated score."""


class HeldOutGain(Answer):
    """How often answers are right, of calibration images held out in turns: each is judged by what
    was fitted without it."""

    images: int
    """How many images."""

    before: float
    """The share of right answers by scores as the parts give them."""

    before_interval: list[float]
    """Its 95 % interval (Wilson 1927)."""

    after: float
    """The share of right answers by calibrated scores."""

    after_interval: list[float]
    """Its 95 % interval."""


class InitAnswer(Answer):
    """What was made, or what can be."""

    output: str | None
    """Where it was written."""

    architecture: str
    """Its architecture."""

    input: list[int]
    """Channels, height and width of its images."""

    classes: list[str]
    """Names of its classes."""

    width: float
    """Factor of the numbers of hidden channels."""

    stem: Literal["cifar", "imagenet"] | None
    """How images are taken in, where there is a choice."""

    seed: int
    """The seed of its weights."""

    params: int
    """Learned parameters."""

    macs: int
    """Multiply-accumulates of one image."""


class InspectAnswer(Answer):
    """What was found."""

    name: str | None
    """Its name."""

    input: str | None
    """Input shape in the file; `n` is the batch."""

    layout: Literal["nchw", "nhwc"] | None
    """The order of its axes. Everything else here has `[n, c, h, w]`."""

    head: Literal["single", "binary", "multilabel"] | None
    """What its scores mean."""

    classes: list[str] | None
    """Class names."""

    params: int | None
    """Learned parameters."""

    macs: int | None
    """Multiply-accumulates for one image."""

    layers: list[LayerRow] | None
    """Every node, in running order."""

    groups: list[GroupRow] | None
    """Families of channels that can only be cut together."""

    value: str | None
    """The value or node that was asked for."""

    why: list[str] | None
    """What couples or freezes its channels, in sentences."""


class Inspection(Answer):
    """A model at a glance."""

    name: str
    """Its name."""

    input: str
    """Input shape in the file; `n` is the batch."""

    layout: Literal["nchw", "nhwc"]
    """The order of its axes. Everything else here has `[n, c, h, w]`."""

    head: Literal["single", "binary", "multilabel"]
    """What its scores mean."""

    classes: list[str]
    """Class names."""

    params: int
    """Learned parameters."""

    macs: int
    """Multiply-accumulates for one image."""

    layers: list[LayerRow]
    """Every node, in running order."""

    groups: list[GroupRow]
    """Families of channels that can only be cut together."""


class KeptLayer(Answer):
    """Channels of a layer that were kept."""

    input: list[int]
    """Input channels (features, for a linear layer)."""

    output: list[int]
    """Output channels."""


class KnownArchitecture(Answer):
    """An architecture as it is usually built."""

    name: str
    """What it is called."""

    input: list[int]
    """Channels, height and width of its images."""

    params: int
    """Learned parameters."""

    macs: int
    """Multiply-accumulates of one image."""


class LayerDifference(Answer):
    """One weighted layer in two models."""

    name: str
    """Its name."""

    inputs: list[int | None]
    """Input channels in both; missing where the model lacks the layer."""

    outputs: list[int | None]
    """Output channels in both."""

    macs: list[int | None]
    """Multiply-accumulates in both."""

    kept: KeptLayer | None
    """The kept channels of the first model, if the second was cut from it."""

    weights: float | None
    """Largest difference of the weights that both have, relative to the largest weight."""


class LayerRow(Answer):
    """One node."""

    name: str
    """Its name."""

    op: str
    """Its operator."""

    input: str
    """Shape of what it reads."""

    output: str
    """Shape of what it makes."""

    params: int
    """Learned parameters it reads; shared ones count where they are read first."""

    macs: int
    """Multiply-accumulates for one image."""


class Leakage(Answer):
    """How a model reacts to classes that are none of its own."""

    foreign_images: int
    """Foreign images looked at."""

    auroc: float
    """Probability that the top logit of an own image exceeds that of a foreign one."""

    false_accepts_at_95_recall: float
    """Share of foreign images whose top logit is above the threshold that accepts 95 % of own ones."""

    recall_at_5_false_accepts: float
    """Share of own images accepted at the threshold that at most 5 % of foreign ones pass."""

    accepts_at_half: float
    """Share of foreign images accepted with a softmax of at least 0.5."""


class MadeNetwork(Answer):
    """A network with random weights."""

    output: str | None
    """Where it was written."""

    architecture: str
    """Its architecture."""

    input: list[int]
    """Channels, height and width of its images."""

    classes: list[str]
    """Names of its classes."""

    width: float
    """Factor of the numbers of hidden channels."""

    stem: Literal["cifar", "imagenet"] | None
    """How images are taken in, where there is a choice."""

    seed: int
    """The seed of its weights."""

    params: int
    """Learned parameters."""

    macs: int
    """Multiply-accumulates of one image."""


class MasksAnswer(Answer):
    """Where a component comes from and what it keeps."""

    source: str
    """The source model's name."""

    fingerprint: str
    """The source graph's fingerprint."""

    classes: list[int]
    """The task: indices of its classes in the source."""

    of: int
    """How many classes the source has."""

    rule: Literal["graph", "reference"] | None
    """How relevance was linked; none if the channels were given."""

    thresholds: Thresholds | None
    """Thresholds used."""

    criterion: Literal["taylor", "contribution", "net-contribution", "energy", "reconstruction", "l1", "fpgm", "bn-scale", "random"] | None
    """What the channels were chosen by, if they were given up step by step."""

    kept: dict[str, KeptLayer]
    """The kept channels, by the source node's name, in the source's numbers."""

    reads: dict[str, list[int]] | None
    """For the reference rule: inputs that each layer reads; the weights of its others are zero."""

    checked: float
    """Largest difference between the cut graph and the masked source, relative to the largest
    logit, before any refit."""

    refit: RefitNote | None
    """The refit that followed."""

    samples: list[SampleNote] | None
    """The samples behind the profile, per class of the task."""

    trained: bool | None
    """Whether its weights were trained after the cut."""

    class_names: list[str]
    """Names of its classes."""

    layers: list[str]
    """Its layers in running order."""


class MemberRow(Answer):
    """One place of a family."""

    value: str
    """The value."""

    node: str
    """The node that makes it."""

    axis: int
    """Its channel axis."""

    each: int
    """Places on that axis per channel of the family."""


class Merge(Answer):
    """Two clusters become one. Clusters are numbered: first every class, then every merge in order."""

    parts: list[int]
    """The clusters."""

    height: float
    """The mean distance between their classes."""

    size: int
    """How many classes they hold together."""


class ModelFacts(Answer):
    """What a model takes and gives."""

    name: str
    """Its name."""

    input: list[int]
    """Channels, height and width of its images."""

    classes: int
    """How many classes it has."""

    class_names: list[str]
    """Their names, if it has them."""

    preprocess: Preprocess | None
    """How pixels become its input, if that is known."""

    params: int
    """Learned parameters."""

    macs: int
    """Multiply-accumulates of one image."""


class NodeTime(Answer):
    """The time of one node."""

    name: str
    """Its name."""

    ms: float
    """What its kernel takes, in milliseconds."""


class PartConfusion(Answer):
    """Where the images of each part ended up."""

    parts: list[str]
    """Part names."""

    images: list[list[int]]
    """Images by true part (rows) and predicted part (columns)."""

    perfect_routing: Accuracy
    """Accuracy if every image were sent to its own part: the bound of any calibration."""


class PartLogit(Answer):
    """A class of a part."""

    class_: str
    """The name of the class."""

    part: str
    """The name of the part."""


class PixelFacts(Answer):
    """Pixels of some images of a data set."""

    name: str
    """The data set."""

    least: float
    """The least pixel."""

    largest: float
    """The largest pixel."""

    bytes: bool
    """Whether they are bytes."""


class Point(Answer):
    """One component on the way."""

    macs: int
    """Multiply-accumulates of one image."""

    params: int
    """Learned parameters."""

    accuracy: float | None
    """Share of the held-out images that are classified correctly, or their mean average precision
    where an image may be of several classes, if any were held out."""

    latency_ms: float | None
    """Milliseconds that one image takes, if they are asked for."""


class PredictAnswer(Predicted):
    """What all images show."""

    images: list[Prediction]
    """One for every image, in the order given."""

    unreadable: int
    """How many of them could not be read."""


class Prediction(Answer):
    """What one image shows."""

    image: str
    """The image: its file, or its place in a data set."""

    classes: list[Guess]
    """The likeliest classes, the first first; none if the image could not be read."""

    part: str | None
    """The part that answered, in an assembled model."""

    accepted: bool | None
    """Whether the score is above the model's threshold, if it has one."""

    error: str | None
    """Why the image could not be read."""


class Preprocess(Answer):
    """How a stored image becomes a model's input: `y = (x * scale - mean) / std`, per channel."""

    size: list[int]
    """Height and width of a sample."""

    channels: int
    """Channels of a sample, 1 or 3. Grey becomes RGB by repetition, RGB becomes grey by the ITU-R
    601 luma `0.299 R + 0.587 G + 0.114 B`, and alpha is dropped."""

    scale: float | None
    """`scale` of the formula; if `None`, 1/255 for u8 images and 1 for f32 images."""

    mean: list[float]
    """`mean` of the formula, after scaling: one for all channels or one each, in `order`."""

    std: list[float]
    """`std` of the formula, above 0: one for all channels or one each, in `order`."""

    order: Literal["rgb", "bgr"]
    """The order of three channels."""

    fit: Literal["exact", "cover", "stretch"]
    """What to do with an image of another size."""

    filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None
    """How images are resized. Where there is neither this nor a crop ratio, images are covered with
    a triangle filter in floating point, and sides and offsets are rounded otherwise than by
    torchvision."""

    crop: float | None
    """What share of either side of the resized image is kept, above 0 and at most 1: it is resized
    to `size / crop`, rounded, of which the centre is cut out. 0.875 is 256 of which 224 are kept.
    Without a filter it is resized bilinearly."""


class Probe(Answer):
    """What a linear classifier on a network's features gets right."""

    features: int
    """Features of an image."""

    fitted_on: int
    """Images it was fitted on."""

    images: int
    """Images it was measured on."""

    accuracy: float
    """Share of those that it classifies correctly."""

    chance: float
    """Share of the most frequent class among them."""


class ProbeAnswer(Answer):
    """What the models know."""

    classes: list[str]
    """The classes that were told apart."""

    models: list[ProbedModel]
    """Every model, in order."""

    fitted: list[TakenSet]
    """What the linear classifiers were fitted on."""

    measured: list[TakenSet]
    """What they were measured on."""


class ProbedModel(Answer):
    """What a model knows."""

    name: str
    """Its name."""

    probe: Probe
    """What a linear classifier makes of its features."""


class ProfileAnswer(Answer):
    """What a profile is of."""

    output: str | None
    """Where it was written."""

    model: str
    """The model's name."""

    fingerprint: str
    """The model's fingerprint."""

    sampling: Literal["all"] | dict[str, Any]
    """How samples were chosen."""

    layers: int
    """How many layers were profiled."""

    data: DataAccount | None
    """What the data holds of the model's classes, if any is given."""

    classes: list[ProfiledClass]
    """The profiled classes."""


class ProfiledClass(Answer):
    """One class of a profile."""

    class_: int
    """Its index in the model."""

    name: str
    """Its name."""

    seen: int
    """Samples of it in the data."""

    correct: int
    """How many of them the model classifies correctly; 0 where every sample was taken."""

    used: int
    """How many were taken."""

    lowest_margin: float | None
    """The smallest margin of those taken; none where every sample was taken."""


class Reached(Answer):
    """A size that was to be reached."""

    unit: str
    """What is counted."""

    limit: int
    """How many of them."""


class Readout(Answer):
    """What a readout of all layers brought."""

    features: int
    """Numbers that it reads of an image."""

    before: float
    """Mean divergence (Kullback-Leibler, in nats, at a temperature that leaves scores two apart)
    from the source's scores before, on images that chose its penalty and took no part in the fits
    to choose from."""

    after: float
    """After."""


class RefitAgreement(Answer):
    """How often a component gives an image the class that its source, restricted to the same
    classes, gives it."""

    fitted: float
    """The share of images that it was refitted on."""

    fitted_images: int
    """How many of these were looked at."""

    held_out: float
    """The share of images that took no part."""

    held_out_images: int
    """How many there are."""


class RefitAnswer(Answer):
    """How near a model came."""

    output: str | None
    """The file that was written."""

    source: str
    """The name of the model whose scores were wanted."""

    classes: list[str]
    """The classes."""

    data: DataAccount
    """What the data holds of the model's classes."""

    images: int
    """Images it was refitted on."""

    passes: int
    """Passes over all layers that helped."""

    divergence: Divergence | None
    """How far the scores were from the wanted ones before and after them, if there were to be any."""

    readout: Readout | None
    """The readout, if there was to be one and it helped."""


class RefitNote(Answer):
    """How a component was refitted."""

    images: int
    """Calibration images."""

    rows: int
    """Rows of the least-squares problem of a layer, at most."""

    lambda_: float
    """Ridge, relative to the mean diagonal of the second moments."""

    corrects: bool
    """Whether layers put right what earlier ones got wrong in the values they are added to."""

    rounds: int
    """How often a layer was solved again with what its activation flattens left free."""

    passes: int
    """Passes over all layers together that brought the scores closer to the source's."""

    readout: int
    """Features of the readout of all layers; 0 without one."""

    seed: int
    """Seed of the choice of images and rows."""


class RefitReport(Answer):
    """A refit: what the component's card says of it, with shares in percent."""

    images: int
    """Calibration images."""

    rows: int
    """Rows of the least-squares problem of a layer, at most."""

    lambda_: float
    """Ridge, relative to the mean diagonal of the second moments."""

    corrects: bool
    """Whether layers put right what earlier ones got wrong in the values they are added to."""

    rounds: int
    """How often a layer was solved again with what its activation flattens left free."""

    passes: int
    """Passes over all layers together that brought the scores closer to the source's."""

    readout: int
    """Features of the readout of all layers; 0 without one."""

    seed: int
    """Seed of the choice of images and rows."""

    agreement: RefitAgreement | None
    """How often it agrees with its source, where it has several classes and some images took no
    part."""


class RejectAnswer(Answer):
    """The threshold."""

    output: str | None
    """The file that was written."""

    data: DataAccount
    """What the data holds of the model's classes."""

    reject: FittedThreshold | None
    """What was fitted."""


class Rejection(Answer):
    """What a threshold does to images it was not fitted on."""

    threshold: float
    """The threshold."""

    accepted: float
    """Share of own images that are accepted."""

    accepted_and_right: float
    """Share of own images that are accepted and classified correctly."""

    false_accepts: float | None
    """Share of foreign images that are accepted, if there are any."""


class ReliabilityBin(Answer):
    """Answers that are about equally sure."""

    images: int
    """How many."""

    confidence: float
    """How sure they are: the mean of their softmax."""

    right: float
    """The share of them that is right."""


class ReportAnswer(Answer):
    """What there is to say about a model."""

    output: str | None
    """Where the page was written."""

    inspection: Inspection
    """What it is made of."""

    eval: EvalAnswer | None
    """What it is worth, if images were given."""


class Respelt(Answer):
    """A class that the data spells otherwise than the model."""

    data: str
    """As the data has it."""

    model: str
    """As the model has it."""


class Retrieval(Answer):
    """The measurements of all classes."""

    threshold: float
    """The probability above which an image counts as of a class."""

    mean_average_precision: float
    """Mean of the average precisions."""

    macro_f1: float
    """Mean of the classes' F1, those without images left out."""

    micro_f1: float
    """F1 of all decisions together."""

    all_right: float
    """Share of the images for which every class is decided rightly."""

    classes: dict[str, ClassRetrieval]
    """Every class."""


class RouteAnswer(Answer):
    """The routes in numbers."""

    output: str | None
    """Where they were written."""

    model: str
    """The model's name."""

    classes: list[str]
    """The classes whose routes these are."""

    layers: list[RouteRow]
    """The layers with relevant channels, in running order."""

    profiled: list[str]
    """All profiled classes."""

    similarity: list[list[float]]
    """For every two profiled classes, the mean Jaccard similarity over all layers."""

    merges: list[Merge]
    """Average-linkage clustering of the profiled classes at distances of 1 - similarity."""


class RouteRow(Answer):
    """One layer in numbers."""

    name: str
    """Its node's name."""

    channels: int
    """Number of output channels."""

    relevant: list[int]
    """For each class, how many are relevant to it."""

    private: list[int]
    """For each class, how many are relevant to no other class of the routes."""

    shared: int
    """How many are relevant to several classes."""

    jaccard: float | None
    """Jaccard similarity of the classes' channels: the mean over all pairs of classes."""


class SampleNote(Answer):
    """The profiled samples of one class."""

    class_: int
    """Its index in the source."""

    count: int
    """How many samples."""

    indices: list[int] | None
    """Their places in the data, most confident first; left out where every sample was taken."""

    margins: list[Any] | None
    """Their margins."""


class Score(Answer):
    """Loss and accuracy over samples."""

    loss: float
    """Mean loss per sample."""

    accuracy: float
    """Share of samples classified correctly."""


class ScoreFacts(Answer):
    """What a model's scores look like."""

    images: int
    """Images looked at."""

    least: float
    """Least logit."""

    largest: float
    """Largest logit."""

    not_finite: int
    """Logits that are infinite or no numbers."""

    confidence: float
    """Mean softmax of the answers."""

    answers: dict[str, int]
    """Images by answer."""


class SetAccount(Answer):
    """What one data set holds."""

    name: str
    """The data set."""

    split: Literal["train", "val", "test"] | None
    """The part of it that was read, if not all of it: that to validate on where there is none to
    test on."""

    images: int
    """Images in it."""

    matched: int
    """Those of the model's classes."""

    by: Literal["name", "number", "label"]
    """By what its classes were told to be the model's."""

    respelt: list[Respelt]
    """Classes that it spells otherwise than the model."""

    foreign: list[ClassImages]
    """Its classes that are none of the model's, where they have images."""

    left_out: list[str]
    """Files that were left out, with the reason."""


class Shrunk(Answer):
    """A number before and after."""

    before: int
    """Of the source."""

    after: int
    """Of what was cut out of it."""


class Skipped(Answer):
    """A criterion that cannot judge this model."""

    criterion: Literal["taylor", "contribution", "net-contribution", "energy", "reconstruction", "l1", "fpgm", "bn-scale", "random"]
    """Which."""

    reason: str
    """Why not."""


class SourceSize(Answer):
    """The model as it was."""

    name: str
    """What it is called."""

    params: int
    """Learned parameters."""

    macs: int
    """Multiply-accumulates of one image."""

    accuracy: float | None
    """Its accuracy on the held-out images, if any were held out."""


class Speed(Answer):
    """The time of a source and of what was made of it, side by side."""

    batch: int
    """Images that ran at once."""

    threads: int
    """Threads that they had."""

    before_ms: float
    """Milliseconds of the source: the best of many runs."""

    after_ms: float
    """Milliseconds of what was made of it: the best of as many, in turns with the source's."""


class TableTime(Answer):
    """How long a source and its component take, as a table of its layers tells."""

    runtime: str
    """The runtime that the table is of."""

    batch: int
    """Images that ran at once."""

    threads: int
    """Threads that they had."""

    before_ms: float
    """Milliseconds of the source."""

    after_ms: float
    """Milliseconds of the component."""


class TakenSet(Answer):
    """What was taken of a data set by work that asks for no class of a model."""

    name: str
    """The data set."""

    images: int
    """Images in it."""

    taken: int
    """Those that were taken."""

    untouched: list[ClassImages]
    """Its classes of which none was taken, where they have images."""

    left_out: list[str]
    """Files that were left out, with the reason."""


class Thresholds(Answer):
    """Where a relative contribution starts to count (Model LEGO, sections 3.1 and 5.1)."""

    alpha_conv: float
    """For a convolution: an input counts for an output above this relative contribution."""

    beta_conv: float
    """For a convolution: an input is relevant above this relative count."""

    alpha_linear: float
    """As `alpha_conv`, for linear layers."""

    beta_linear: float
    """As `beta_conv`, for linear layers."""


class TrainAnswer(Answer):
    """What a run of training came to."""

    output: str | None
    """Where the model was written."""

    data: DataAccount
    """What the data holds of the model's classes."""

    images: int
    """Images learned from."""

    held_out: int
    """Images held out."""

    parameters: int
    """Learned parameters."""

    macs: int
    """Multiply-accumulates of one image."""

    best_epoch: int
    """The epoch that the model is of, from 1."""

    epochs: list[Epoch]
    """Every epoch."""


class VerifyAnswer(Answer):
    """What was compared and how far apart it was."""

    holds: bool
    """Whether everything is within tolerance."""

    worst: float
    """Largest difference, relative to the largest element of the compared value, over all layers."""

    worst_layer: str
    """The layer where it was found."""

    layers: int
    """Number of layers compared."""

    scores: float
    """The largest difference of the scores."""

    weights: Literal["compared", "as-written", "changed", "unknown"]
    """What is known of the weights."""

    moved: float | None
    """Where weights were refitted or trained after the cut, which then is checked on the source's
    own: how far the scores are from the bare cut's, relative to the largest."""

    tolerance: float
    """The tolerance."""

    model: str
    """The name of the verified model."""

    assembled: bool
    """Whether it was assembled; then its parts were compared, not its layers."""

    images: int
    """Images that were compared."""

    data: list[TakenSet]
    """What they were taken of; nothing if they are random."""


class ModelVerbs:
    """What a model can be asked."""

    def inspect(
        self,
        *,
        weights: File | None = None,
        head: Literal["single", "binary", "multilabel"] | None = None,
        scores: str | None = None,
        class_axis: int | None = None,
        why: str | None = None,
        all: bool = False,
        size: Sides | None = None,
        layout: Literal["nchw", "nhwc"] | None = None,
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> InspectAnswer:
        """Layers, shapes, sizes, costs and channel groups of a model.

        Args:
            weights: Take weights of matching names from this safetensors file
            head: What its scores mean, where the model does not tell: single is a score for
                each class, of which an image has one; binary is one score that tells two classes
                apart; multilabel is a score for each class, of which an image may have several
            scores: The output that has the class scores, by name, or any value to take for it
                [default: the only one that can be scores]
            class_axis: The axis of the output that holds the classes, counted from 0; scores
                are averaged over all others but the batch [default: the only one on which there are
                several]
            why: Say what couples or freezes the channels of this value or node
            all: List every node, not only layers with weights
            size: Height and width, where the model leaves them open
            layout: Order of the input's axes, where the model does not tell: nchw or nhwc
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return answered(
            "inspect",
            InspectAnswer,
            {
                "weights": weights,
                "head": head,
                "scores": scores,
                "class_axis": class_axis,
                "why": why,
                "all": all,
                "size": _size(size),
                "layout": layout,
                "model": self,
            },
            progress=progress, threads=threads, seed=seed,
        )

    def report(
        self,
        data: Data = (),
        *,
        weights: File | None = None,
        head: Literal["single", "binary", "multilabel"] | None = None,
        scores: str | None = None,
        class_axis: int | None = None,
        split: Literal["train", "val", "test"] | None = None,
        labels: File | None = None,
        allow_missing: bool = False,
        skip_bad: bool = False,
        size: Sides | None = None,
        scale: float | None = None,
        mean: Sequence[float] | float = (),
        std: Sequence[float] | float = (),
        channel_order: Literal["rgb", "bgr"] | None = None,
        fit: Literal["exact", "cover", "stretch"] | None = None,
        crop: float | None = None,
        filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
        layout: Literal["nchw", "nhwc"] | None = None,
        odd_pixels: bool = False,
        class_names: str | int | Sequence[str | int] | None = None,
        source: ModelLike | None = None,
        controls: bool = False,
        output: File | None = None,
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> ReportAnswer:
        """Make a page about a model, component or assembly.

        It shows what the model is made of, where it comes from, and with images what it is worth.

        Args:
            data: Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors;
                NAME=PATH for one part of an assembled model. Repeat for several
            weights: Take weights of matching names from this safetensors file
            head: What its scores mean, where the model does not tell: single is a score for
                each class, of which an image has one; binary is one score that tells two classes
                apart; multilabel is a score for each class, of which an image may have several
            scores: The output that has the class scores, by name, or any value to take for it
                [default: the only one that can be scores]
            class_axis: The axis of the output that holds the classes, counted from 0; scores
                are averaged over all others but the batch [default: the only one on which there are
                several]
            split: Part of the data to use [default: train to profile, refit and calibrate, test
                to measure]
            labels: Which folder or label is which class: a table of index, WordNet identifier
                and name, in any usual form (CSV, JSON, text)
            allow_missing: Go on where there are no images of a class, or where most images are
                of none of the classes
            skip_bad: Leave images out that cannot be read
            size: Height and width: 224 or 224x160. Images of another size are resized and
                cropped
            scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
            mean: Mean to subtract: one number or one per channel
            std: Standard deviation to divide by: one number or one per channel
            channel_order: Order of colour channels [default: rgb]
            fit: What to do with images of another size: exact refuses them, cover resizes and
                crops, stretch only resizes
            crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of
                which 224 are kept
            filter: Filter to resize by, with antialiasing [default: bilinear]
            layout: Order of the input's axes, where the model does not tell: nchw or nhwc
            odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the
                data
            class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name
                holds a comma) or @FILE with one a line
            source: The model it was cut from, to compare with
            controls: Measure other channels of that model beside, in the same numbers and
                without a refit: random ones, and those with the largest weights
            output: Where to write the page (.html)
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return answered(
            "report",
            ReportAnswer,
            {
                "data": _several(data),
                "weights": weights,
                "head": head,
                "scores": scores,
                "class_axis": class_axis,
                "split": split,
                "labels": labels,
                "allow_missing": allow_missing,
                "skip_bad": skip_bad,
                "size": _size(size),
                "scale": scale,
                "mean": _several(mean),
                "std": _several(std),
                "channel_order": channel_order,
                "fit": fit,
                "crop": crop,
                "filter": filter,
                "layout": layout,
                "odd_pixels": odd_pixels,
                "class_names": _names(class_names),
                "source": source,
                "controls": controls,
                "output": output,
                "model": self,
            },
            progress=progress, threads=threads, seed=seed,
        )

    def model_card(
        self,
        data: Data = (),
        *,
        weights: File | None = None,
        head: Literal["single", "binary", "multilabel"] | None = None,
        scores: str | None = None,
        class_axis: int | None = None,
        split: Literal["train", "val", "test"] | None = None,
        labels: File | None = None,
        allow_missing: bool = False,
        skip_bad: bool = False,
        size: Sides | None = None,
        scale: float | None = None,
        mean: Sequence[float] | float = (),
        std: Sequence[float] | float = (),
        channel_order: Literal["rgb", "bgr"] | None = None,
        fit: Literal["exact", "cover", "stretch"] | None = None,
        crop: float | None = None,
        filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
        layout: Literal["nchw", "nhwc"] | None = None,
        odd_pixels: bool = False,
        class_names: str | int | Sequence[str | int] | None = None,
        source: ModelLike | None = None,
        license: str | None = None,
        base_model: str | None = None,
        datasets: Sequence[str] | str = (),
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> CardAnswer:
        """Write a model card as the Hugging Face hub expects it, in Markdown.

        What the file does not know is only there if it is said: the licence, and what models and
        data sets are called on the hub. Figures are those that are measured for it.

        Args:
            data: Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors;
                NAME=PATH for one part of an assembled model. Repeat for several
            weights: Take weights of matching names from this safetensors file
            head: What its scores mean, where the model does not tell: single is a score for
                each class, of which an image has one; binary is one score that tells two classes
                apart; multilabel is a score for each class, of which an image may have several
            scores: The output that has the class scores, by name, or any value to take for it
                [default: the only one that can be scores]
            class_axis: The axis of the output that holds the classes, counted from 0; scores
                are averaged over all others but the batch [default: the only one on which there are
                several]
            split: Part of the data to use [default: train to profile, refit and calibrate, test
                to measure]
            labels: Which folder or label is which class: a table of index, WordNet identifier
                and name, in any usual form (CSV, JSON, text)
            allow_missing: Go on where there are no images of a class, or where most images are
                of none of the classes
            skip_bad: Leave images out that cannot be read
            size: Height and width: 224 or 224x160. Images of another size are resized and
                cropped
            scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
            mean: Mean to subtract: one number or one per channel
            std: Standard deviation to divide by: one number or one per channel
            channel_order: Order of colour channels [default: rgb]
            fit: What to do with images of another size: exact refuses them, cover resizes and
                crops, stretch only resizes
            crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of
                which 224 are kept
            filter: Filter to resize by, with antialiasing [default: bilinear]
            layout: Order of the input's axes, where the model does not tell: nchw or nhwc
            odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the
                data
            class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name
                holds a comma) or @FILE with one a line
            source: The model it was cut from, to compare with
            license: Its licence, as the hub calls it, such as apache-2.0
            base_model: The model it was made of, as the hub calls it, such as
                timm/resnet18.a1_in1k
            datasets: A data set that it knows, as the hub calls it. Repeat for several; the
                head names a figure only where it is of one
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return answered(
            "card",
            CardAnswer,
            {
                "data": _several(data),
                "weights": weights,
                "head": head,
                "scores": scores,
                "class_axis": class_axis,
                "split": split,
                "labels": labels,
                "allow_missing": allow_missing,
                "skip_bad": skip_bad,
                "size": _size(size),
                "scale": scale,
                "mean": _several(mean),
                "std": _several(std),
                "channel_order": channel_order,
                "fit": fit,
                "crop": crop,
                "filter": filter,
                "layout": layout,
                "odd_pixels": odd_pixels,
                "class_names": _names(class_names),
                "source": source,
                "license": license,
                "base_model": base_model,
                "datasets": _several(datasets),
                "model": self,
            },
            progress=progress, threads=threads, seed=seed,
        )

    def profile(
        self,
        data: Data = (),
        *,
        weights: File | None = None,
        head: Literal["single", "binary", "multilabel"] | None = None,
        scores: str | None = None,
        class_axis: int | None = None,
        split: Literal["train", "val", "test"] | None = None,
        labels: File | None = None,
        allow_missing: bool = False,
        skip_bad: bool = False,
        size: Sides | None = None,
        scale: float | None = None,
        mean: Sequence[float] | float = (),
        std: Sequence[float] | float = (),
        channel_order: Literal["rgb", "bgr"] | None = None,
        fit: Literal["exact", "cover", "stretch"] | None = None,
        crop: float | None = None,
        filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
        layout: Literal["nchw", "nhwc"] | None = None,
        odd_pixels: bool = False,
        class_names: str | int | Sequence[str | int] | None = None,
        samples: str | float = "50",
        classes: str | int | Sequence[str | int] | None = None,
        part: str | float | None = None,
        indices: File | None = None,
        merge: Sequence[ProfileLike] | ProfileLike = (),
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> Profile:
        """Measure which channels contribute to which class.

        Args:
            data: Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors;
                NAME=PATH for one part of an assembled model. Repeat for several
            weights: Take weights of matching names from this safetensors file
            head: What its scores mean, where the model does not tell: single is a score for
                each class, of which an image has one; binary is one score that tells two classes
                apart; multilabel is a score for each class, of which an image may have several
            scores: The output that has the class scores, by name, or any value to take for it
                [default: the only one that can be scores]
            class_axis: The axis of the output that holds the classes, counted from 0; scores
                are averaged over all others but the batch [default: the only one on which there are
                several]
            split: Part of the data to use [default: train to profile, refit and calibrate, test
                to measure]
            labels: Which folder or label is which class: a table of index, WordNet identifier
                and name, in any usual form (CSV, JSON, text)
            allow_missing: Go on where there are no images of a class, or where most images are
                of none of the classes
            skip_bad: Leave images out that cannot be read
            size: Height and width: 224 or 224x160. Images of another size are resized and
                cropped
            scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
            mean: Mean to subtract: one number or one per channel
            std: Standard deviation to divide by: one number or one per channel
            channel_order: Order of colour channels [default: rgb]
            fit: What to do with images of another size: exact refuses them, cover resizes and
                crops, stretch only resizes
            crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of
                which 224 are kept
            filter: Filter to resize by, with antialiasing [default: bilinear]
            layout: Order of the input's axes, where the model does not tell: nchw or nhwc
            odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the
                data
            class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name
                holds a comma) or @FILE with one a line
            samples: Samples per class: a count or percentage of the most confident correct
                ones, or all
            classes: Classes to profile: names, indices, inclusive ranges [default: all]
            part: Use part K of N of the data; such profiles merge to the whole
            indices: Use exactly these samples: a JSON object from class index to places in the
                data
            merge: Merge profiles of parts of the data, or of different classes, instead; name
                their model, too, if different versions wrote them
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return profiled(
            "profile",
            ProfileAnswer,
            {
                "data": _several(data),
                "weights": weights,
                "head": head,
                "scores": scores,
                "class_axis": class_axis,
                "split": split,
                "labels": labels,
                "allow_missing": allow_missing,
                "skip_bad": skip_bad,
                "size": _size(size),
                "scale": scale,
                "mean": _several(mean),
                "std": _several(std),
                "channel_order": channel_order,
                "fit": fit,
                "crop": crop,
                "filter": filter,
                "layout": layout,
                "odd_pixels": odd_pixels,
                "class_names": _names(class_names),
                "samples": samples,
                "classes": _names(classes),
                "part": part,
                "indices": indices,
                "merge": _several(merge),
                "model": self,
            },
            progress=progress, threads=threads, seed=seed,
        )

    def disassemble(
        self,
        classes: str | int | Sequence[str | int],
        *,
        weights: File | None = None,
        head: Literal["single", "binary", "multilabel"] | None = None,
        scores: str | None = None,
        class_axis: int | None = None,
        profile: ProfileLike | None = None,
        data: Data = (),
        split: Literal["train", "val", "test"] | None = None,
        labels: File | None = None,
        allow_missing: bool = False,
        skip_bad: bool = False,
        size: Sides | None = None,
        scale: float | None = None,
        mean: Sequence[float] | float = (),
        std: Sequence[float] | float = (),
        channel_order: Literal["rgb", "bgr"] | None = None,
        fit: Literal["exact", "cover", "stretch"] | None = None,
        crop: float | None = None,
        filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
        layout: Literal["nchw", "nhwc"] | None = None,
        odd_pixels: bool = False,
        class_names: str | int | Sequence[str | int] | None = None,
        refit: Literal["lsq", "layers", "plain", "none"] = "lsq",
        refit_samples: int = 5000,
        refit_foreign: int = 0,
        minutes: float | None = None,
        readout: bool = False,
        round_to: int | None = None,
        alpha_conv: float = 0.3,
        beta_conv: float = 0.2,
        alpha_linear: float = 0.4,
        beta_linear: float = 0.3,
        rule: Literal["graph", "reference"] = "graph",
        choose: Literal["contribution", "random", "magnitude"] = "contribution",
        keep: File | None = None,
        masks_out: File | None = None,
        macs: str | float | None = None,
        params: str | float | None = None,
        max_drop: float | None = None,
        latency: str | float | None = None,
        speed: str | float | None = None,
        latency_table: str | None = None,
        frontier: File | None = None,
        node_data: File | None = None,
        keep_all: File | None = None,
        pick: str | float | None = None,
        criterion: Literal["taylor", "contribution", "net-contribution", "energy", "reconstruction", "l1", "fpgm", "bn-scale", "random"] = "taylor",
        step: str | float = "70%",
        trunk: str | None = None,
        hold_out: str | float = "10%",
        hold_out_split: Literal["train", "val", "test"] | None = None,
        called: str | None = None,
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> Model:
        """Cut a component for some classes out of a model.

        Args:
            classes: Classes of the component: names, indices, inclusive ranges
            weights: Take weights of matching names from this safetensors file
            head: What its scores mean, where the model does not tell: single is a score for
                each class, of which an image has one; binary is one score that tells two classes
                apart; multilabel is a score for each class, of which an image may have several
            scores: The output that has the class scores, by name, or any value to take for it
                [default: the only one that can be scores]
            class_axis: The axis of the output that holds the classes, counted from 0; scores
                are averaged over all others but the batch [default: the only one on which there are
                several]
            profile: The model's profile
            data: Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors;
                NAME=PATH for one part of an assembled model. Repeat for several
            split: Part of the data to use [default: train to profile, refit and calibrate, test
                to measure]
            labels: Which folder or label is which class: a table of index, WordNet identifier
                and name, in any usual form (CSV, JSON, text)
            allow_missing: Go on where there are no images of a class, or where most images are
                of none of the classes
            skip_bad: Leave images out that cannot be read
            size: Height and width: 224 or 224x160. Images of another size are resized and
                cropped
            scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
            mean: Mean to subtract: one number or one per channel
            std: Standard deviation to divide by: one number or one per channel
            channel_order: Order of colour channels [default: rgb]
            fit: What to do with images of another size: exact refuses them, cover resizes and
                crops, stretch only resizes
            crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of
                which 224 are kept
            filter: Filter to resize by, with antialiasing [default: bilinear]
            layout: Order of the input's axes, where the model does not tell: nchw or nhwc
            odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the
                data
            class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name
                holds a comma) or @FILE with one a line
            refit: Refit the kept weights in closed form on images of the task
            refit_samples: Images per class to refit on, chosen at random from the training
                split
            refit_foreign: Images of every other class of the model to refit on as well, so that
                the component goes on telling them from its own
            minutes: Take about so many minutes: larger steps and fewer passes of the refit
                where time is short, so that what is made depends on the machine
            readout: Let the component read all its layers: a linear map from them, fitted to
                the source's scores, is added to its own. More accurate where much is cut, for next
                to no multiply-accumulates
            round_to: Keep a multiple of this many channels in every group [default: for a cut
                to a size 8 where so many are kept, which runtimes are fast with]
            alpha_conv: An input counts for an output of a convolution above this relative
                contribution
            beta_conv: An input of a convolution is relevant above this relative count
            alpha_linear: As `alpha_conv=`, for linear layers
            beta_linear: As `beta_conv=`, for linear layers
            rule: How relevance is linked: along the graph, or as the published code does
            choose: Which channels stay, in the numbers the profile gives; the last two are
                controls
            keep: Keep these channels instead: a JSON file with the kept channels that an answer
                lists
            masks_out: Write the relevant inputs of every layer and class
            macs: Keep this many multiply-accumulates, or this share of them
            params: Keep this many parameters, or this share of them
            max_drop: Keep the smallest that costs at most this many points of accuracy, against
                the source restricted to the classes, on images held out of the training split
            latency: Keep the largest that takes at most so long for one image here
            speed: Keep the largest that is so many times as fast here as the model
            latency_table: A JSON file of how long the model's layers take in the runtime that
                will be used, as experiments/latency.py writes it: latency and speed are those,
                instead of the ones here
            frontier: Write accuracy and size of every step on the way: .html, .svg, .csv or
                .json
            node_data: Write for Model Explorer what is left of every node: kept output channels
                to this file, parameters and multiply-accumulates to FILE.params.json and
                FILE.macs.json
            keep_all: Write the component of every step into this folder, as step-0.onnx and so
                on
            pick: Keep the largest on the frontier with at most this share of the
                multiply-accumulates
            criterion: What makes a channel worth keeping
            step: What a step leaves of the size before it
            trunk: Leave this layer and all before it whole: components of one source share them
                once assembled
            hold_out: Images held out of the training split to measure on: a percentage, a count
                per class, or none
            hold_out_split: Measure on this part of the data instead, all of it: images that the
                model was not trained on tell better what is lost
            called: What the model is called, as a file is by its stem [default: as the one it
                is made of]
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return made(
            "disassemble",
            DisassembleAnswer,
            {
                "classes": _names(classes),
                "weights": weights,
                "head": head,
                "scores": scores,
                "class_axis": class_axis,
                "profile": profile,
                "data": _several(data),
                "split": split,
                "labels": labels,
                "allow_missing": allow_missing,
                "skip_bad": skip_bad,
                "size": _size(size),
                "scale": scale,
                "mean": _several(mean),
                "std": _several(std),
                "channel_order": channel_order,
                "fit": fit,
                "crop": crop,
                "filter": filter,
                "layout": layout,
                "odd_pixels": odd_pixels,
                "class_names": _names(class_names),
                "refit": refit,
                "refit_samples": refit_samples,
                "refit_foreign": refit_foreign,
                "minutes": minutes,
                "readout": readout,
                "round_to": round_to,
                "alpha_conv": alpha_conv,
                "beta_conv": beta_conv,
                "alpha_linear": alpha_linear,
                "beta_linear": beta_linear,
                "rule": rule,
                "choose": choose,
                "keep": keep,
                "masks_out": masks_out,
                "macs": macs,
                "params": params,
                "max_drop": max_drop,
                "latency": latency,
                "speed": speed,
                "latency_table": latency_table,
                "frontier": frontier,
                "node_data": node_data,
                "keep_all": keep_all,
                "pick": pick,
                "criterion": criterion,
                "step": step,
                "trunk": trunk,
                "hold_out": hold_out,
                "hold_out_split": hold_out_split,
                "model": self,
            },
            called=called, own=self,
            progress=progress, threads=threads, seed=seed,
        )

    def compress(
        self,
        data: Data = (),
        *,
        weights: File | None = None,
        head: Literal["single", "binary", "multilabel"] | None = None,
        scores: str | None = None,
        class_axis: int | None = None,
        macs: str | float | None = None,
        params: str | float | None = None,
        max_drop: float | None = None,
        split: Literal["train", "val", "test"] | None = None,
        labels: File | None = None,
        allow_missing: bool = False,
        skip_bad: bool = False,
        size: Sides | None = None,
        scale: float | None = None,
        mean: Sequence[float] | float = (),
        std: Sequence[float] | float = (),
        channel_order: Literal["rgb", "bgr"] | None = None,
        fit: Literal["exact", "cover", "stretch"] | None = None,
        crop: float | None = None,
        filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
        layout: Literal["nchw", "nhwc"] | None = None,
        odd_pixels: bool = False,
        class_names: str | int | Sequence[str | int] | None = None,
        criterion: Literal["taylor", "contribution", "net-contribution", "energy", "reconstruction", "l1", "fpgm", "bn-scale", "random"] = "taylor",
        step: str | float = "70%",
        profile: ProfileLike | None = None,
        compare: bool = False,
        keep_all: File | None = None,
        no_refit: bool = False,
        refit_samples: int = 200,
        minutes: float | None = None,
        hold_out: str | float = "10%",
        hold_out_split: Literal["train", "val", "test"] | None = None,
        uniform: bool = False,
        floor: str | float = "5%",
        round_to: int | None = None,
        called: str | None = None,
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> Model:
        """Make a model smaller without giving up a class.

        Args:
            data: Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors;
                NAME=PATH for one part of an assembled model. Repeat for several
            weights: Take weights of matching names from this safetensors file
            head: What its scores mean, where the model does not tell: single is a score for
                each class, of which an image has one; binary is one score that tells two classes
                apart; multilabel is a score for each class, of which an image may have several
            scores: The output that has the class scores, by name, or any value to take for it
                [default: the only one that can be scores]
            class_axis: The axis of the output that holds the classes, counted from 0; scores
                are averaged over all others but the batch [default: the only one on which there are
                several]
            macs: Keep this many multiply-accumulates, or this share of them
            params: Keep this many parameters, or this share of them
            max_drop: Keep the smallest that costs at most this many points of accuracy on
                images held out of the training split
            split: Part of the data to use [default: train to profile, refit and calibrate, test
                to measure]
            labels: Which folder or label is which class: a table of index, WordNet identifier
                and name, in any usual form (CSV, JSON, text)
            allow_missing: Go on where there are no images of a class, or where most images are
                of none of the classes
            skip_bad: Leave images out that cannot be read
            size: Height and width: 224 or 224x160. Images of another size are resized and
                cropped
            scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
            mean: Mean to subtract: one number or one per channel
            std: Standard deviation to divide by: one number or one per channel
            channel_order: Order of colour channels [default: rgb]
            fit: What to do with images of another size: exact refuses them, cover resizes and
                crops, stretch only resizes
            crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of
                which 224 are kept
            filter: Filter to resize by, with antialiasing [default: bilinear]
            layout: Order of the input's axes, where the model does not tell: nchw or nhwc
            odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the
                data
            class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name
                holds a comma) or @FILE with one a line
            criterion: What makes a channel worth keeping: that the scores would move without it
                (taylor), that its contributions tell the classes apart (contribution), or a
                baseline
            step: What a step leaves of the size before it; contribution takes one step
            profile: The model's profile, for the criterion contribution [default: made from the
                data]
            compare: Cut by every criterion to the same size, and compare
            keep_all: Write every model that is made, bare and refitted, into this folder
            no_refit: Leave the kept weights as they are
            refit_samples: Images per class to refit on, chosen at random from the training
                split
            minutes: Take about so many minutes: larger steps and fewer passes of the refit
                where time is short, so that what is made depends on the machine
            hold_out: Images held out of the training split to measure accuracy on: a
                percentage, a count per class, or none (then nothing is measured)
            hold_out_split: Measure on this part of the data instead, all of it: images that the
                model was not trained on tell better what is lost
            uniform: Give up the same share of every layer, not what is worth least in the whole
                model
            floor: Share of its channels that every layer keeps at least
            round_to: Keep a multiple of this many channels in every group [default: 8 where so
                many are kept, which runtimes are fast with]
            called: What the model is called, as a file is by its stem [default: as the one it
                is made of]
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return made(
            "compress",
            CompressAnswer,
            {
                "data": _several(data),
                "weights": weights,
                "head": head,
                "scores": scores,
                "class_axis": class_axis,
                "macs": macs,
                "params": params,
                "max_drop": max_drop,
                "split": split,
                "labels": labels,
                "allow_missing": allow_missing,
                "skip_bad": skip_bad,
                "size": _size(size),
                "scale": scale,
                "mean": _several(mean),
                "std": _several(std),
                "channel_order": channel_order,
                "fit": fit,
                "crop": crop,
                "filter": filter,
                "layout": layout,
                "odd_pixels": odd_pixels,
                "class_names": _names(class_names),
                "criterion": criterion,
                "step": step,
                "profile": profile,
                "compare": compare,
                "keep_all": keep_all,
                "no_refit": no_refit,
                "refit_samples": refit_samples,
                "minutes": minutes,
                "hold_out": hold_out,
                "hold_out_split": hold_out_split,
                "uniform": uniform,
                "floor": floor,
                "round_to": round_to,
                "model": self,
            },
            called=called, own=self,
            progress=progress, threads=threads, seed=seed,
        )

    def calibrate(
        self,
        data: Data = (),
        *,
        split: Literal["train", "val", "test"] | None = None,
        labels: File | None = None,
        allow_missing: bool = False,
        skip_bad: bool = False,
        size: Sides | None = None,
        scale: float | None = None,
        mean: Sequence[float] | float = (),
        std: Sequence[float] | float = (),
        channel_order: Literal["rgb", "bgr"] | None = None,
        fit: Literal["exact", "cover", "stretch"] | None = None,
        crop: float | None = None,
        filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
        layout: Literal["nchw", "nhwc"] | None = None,
        odd_pixels: bool = False,
        class_names: str | int | Sequence[str | int] | None = None,
        method: Literal["none", "paper", "layerwise", "affine", "background", "linear"] | None = None,
        samples: int | None = None,
        called: str | None = None,
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> Model:
        """Make the scores of an assembled model's parts comparable.

        Args:
            data: Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors;
                NAME=PATH for one part of an assembled model. Repeat for several
            split: Part of the data to use [default: train to profile, refit and calibrate, test
                to measure]
            labels: Which folder or label is which class: a table of index, WordNet identifier
                and name, in any usual form (CSV, JSON, text)
            allow_missing: Go on where there are no images of a class, or where most images are
                of none of the classes
            skip_bad: Leave images out that cannot be read
            size: Height and width: 224 or 224x160. Images of another size are resized and
                cropped
            scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
            mean: Mean to subtract: one number or one per channel
            std: Standard deviation to divide by: one number or one per channel
            channel_order: Order of colour channels [default: rgb]
            fit: What to do with images of another size: exact refuses them, cover resizes and
                crops, stretch only resizes
            crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of
                which 224 are kept
            filter: Filter to resize by, with antialiasing [default: bilinear]
            layout: Order of the input's axes, where the model does not tell: nchw or nhwc
            odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the
                data
            class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name
                holds a comma) or @FILE with one a line
            method: How to make them comparable [default: linear; affine without images, or
                where an image may be of several classes]
            samples: Images per class, chosen at random [default: all]
            called: What the model is called, as a file is by its stem [default: as the one it
                is made of]
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return made(
            "calibrate",
            CalibrateAnswer,
            {
                "data": _several(data),
                "split": split,
                "labels": labels,
                "allow_missing": allow_missing,
                "skip_bad": skip_bad,
                "size": _size(size),
                "scale": scale,
                "mean": _several(mean),
                "std": _several(std),
                "channel_order": channel_order,
                "fit": fit,
                "crop": crop,
                "filter": filter,
                "layout": layout,
                "odd_pixels": odd_pixels,
                "class_names": _names(class_names),
                "method": method,
                "samples": samples,
                "model": self,
            },
            called=called, own=self,
            progress=progress, threads=threads, seed=seed,
        )

    def refit(
        self,
        source: ModelLike,
        data: Data = (),
        *,
        split: Literal["train", "val", "test"] | None = None,
        labels: File | None = None,
        allow_missing: bool = False,
        skip_bad: bool = False,
        size: Sides | None = None,
        scale: float | None = None,
        mean: Sequence[float] | float = (),
        std: Sequence[float] | float = (),
        channel_order: Literal["rgb", "bgr"] | None = None,
        fit: Literal["exact", "cover", "stretch"] | None = None,
        crop: float | None = None,
        filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
        layout: Literal["nchw", "nhwc"] | None = None,
        odd_pixels: bool = False,
        class_names: str | int | Sequence[str | int] | None = None,
        samples: int = 5000,
        passes: int = 8,
        readout: bool = False,
        weights: File | None = None,
        head: Literal["single", "binary", "multilabel"] | None = None,
        scores: str | None = None,
        class_axis: int | None = None,
        called: str | None = None,
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> Model:
        """Bring a model's scores nearer to another's by least squares, without labels.

        For components that were joined again, or that any tool has pruned: all layers move
        together.

        Args:
            source: The model whose scores are wanted; it knows all classes, by name
            data: Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors;
                NAME=PATH for one part of an assembled model. Repeat for several
            split: Part of the data to use [default: train to profile, refit and calibrate, test
                to measure]
            labels: Which folder or label is which class: a table of index, WordNet identifier
                and name, in any usual form (CSV, JSON, text)
            allow_missing: Go on where there are no images of a class, or where most images are
                of none of the classes
            skip_bad: Leave images out that cannot be read
            size: Height and width: 224 or 224x160. Images of another size are resized and
                cropped
            scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
            mean: Mean to subtract: one number or one per channel
            std: Standard deviation to divide by: one number or one per channel
            channel_order: Order of colour channels [default: rgb]
            fit: What to do with images of another size: exact refuses them, cover resizes and
                crops, stretch only resizes
            crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of
                which 224 are kept
            filter: Filter to resize by, with antialiasing [default: bilinear]
            layout: Order of the input's axes, where the model does not tell: nchw or nhwc
            odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the
                data
            class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name
                holds a comma) or @FILE with one a line
            samples: Images per class, chosen at random from the training split
            passes: Passes over all layers, at most
            readout: Add a linear map from what all layers read to the scores in the end: nodes
                that the model did not have, which hardly cost anything
            weights: Take weights of matching names from this safetensors file
            head: What its scores mean, where the model does not tell: single is a score for
                each class, of which an image has one; binary is one score that tells two classes
                apart; multilabel is a score for each class, of which an image may have several
            scores: The output that has the class scores, by name, or any value to take for it
                [default: the only one that can be scores]
            class_axis: The axis of the output that holds the classes, counted from 0; scores
                are averaged over all others but the batch [default: the only one on which there are
                several]
            called: What the model is called, as a file is by its stem [default: as the one it
                is made of]
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return made(
            "refit",
            RefitAnswer,
            {
                "source": source,
                "data": _several(data),
                "split": split,
                "labels": labels,
                "allow_missing": allow_missing,
                "skip_bad": skip_bad,
                "size": _size(size),
                "scale": scale,
                "mean": _several(mean),
                "std": _several(std),
                "channel_order": channel_order,
                "fit": fit,
                "crop": crop,
                "filter": filter,
                "layout": layout,
                "odd_pixels": odd_pixels,
                "class_names": _names(class_names),
                "samples": samples,
                "passes": passes,
                "readout": readout,
                "weights": weights,
                "head": head,
                "scores": scores,
                "class_axis": class_axis,
                "model": self,
            },
            called=called, own=self,
            progress=progress, threads=threads, seed=seed,
        )

    def reject(
        self,
        data: Data = (),
        *,
        split: Literal["train", "val", "test"] | None = None,
        labels: File | None = None,
        allow_missing: bool = False,
        skip_bad: bool = False,
        size: Sides | None = None,
        scale: float | None = None,
        mean: Sequence[float] | float = (),
        std: Sequence[float] | float = (),
        channel_order: Literal["rgb", "bgr"] | None = None,
        fit: Literal["exact", "cover", "stretch"] | None = None,
        crop: float | None = None,
        filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
        layout: Literal["nchw", "nhwc"] | None = None,
        odd_pixels: bool = False,
        class_names: str | int | Sequence[str | int] | None = None,
        foreign: Data = (),
        rate: str | float | None = None,
        recall: str | float | None = None,
        weights: File | None = None,
        head: Literal["single", "binary", "multilabel"] | None = None,
        scores: str | None = None,
        class_axis: int | None = None,
        called: str | None = None,
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> Model:
        """Fit the score below which an image is of none of a model's classes.

        Args:
            data: Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors;
                NAME=PATH for one part of an assembled model. Repeat for several
            split: Part of the data to use [default: train to profile, refit and calibrate, test
                to measure]
            labels: Which folder or label is which class: a table of index, WordNet identifier
                and name, in any usual form (CSV, JSON, text)
            allow_missing: Go on where there are no images of a class, or where most images are
                of none of the classes
            skip_bad: Leave images out that cannot be read
            size: Height and width: 224 or 224x160. Images of another size are resized and
                cropped
            scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
            mean: Mean to subtract: one number or one per channel
            std: Standard deviation to divide by: one number or one per channel
            channel_order: Order of colour channels [default: rgb]
            fit: What to do with images of another size: exact refuses them, cover resizes and
                crops, stretch only resizes
            crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of
                which 224 are kept
            filter: Filter to resize by, with antialiasing [default: bilinear]
            layout: Order of the input's axes, where the model does not tell: nchw or nhwc
            odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the
                data
            class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name
                holds a comma) or @FILE with one a line
            foreign: Images of which none is of the model's classes, besides such images of the
                data. Repeat for several
            rate: Share of foreign images that may be accepted [default: 5%]
            recall: Share of the model's own images to accept instead; needs no foreign ones
            weights: Take weights of matching names from this safetensors file
            head: What its scores mean, where the model does not tell: single is a score for
                each class, of which an image has one; binary is one score that tells two classes
                apart; multilabel is a score for each class, of which an image may have several
            scores: The output that has the class scores, by name, or any value to take for it
                [default: the only one that can be scores]
            class_axis: The axis of the output that holds the classes, counted from 0; scores
                are averaged over all others but the batch [default: the only one on which there are
                several]
            called: What the model is called, as a file is by its stem [default: as the one it
                is made of]
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return made(
            "reject",
            RejectAnswer,
            {
                "data": _several(data),
                "split": split,
                "labels": labels,
                "allow_missing": allow_missing,
                "skip_bad": skip_bad,
                "size": _size(size),
                "scale": scale,
                "mean": _several(mean),
                "std": _several(std),
                "channel_order": channel_order,
                "fit": fit,
                "crop": crop,
                "filter": filter,
                "layout": layout,
                "odd_pixels": odd_pixels,
                "class_names": _names(class_names),
                "foreign": _several(foreign),
                "rate": rate,
                "recall": recall,
                "weights": weights,
                "head": head,
                "scores": scores,
                "class_axis": class_axis,
                "model": self,
            },
            called=called, own=self,
            progress=progress, threads=threads, seed=seed,
        )

    def evaluate(
        self,
        data: Data = (),
        *,
        weights: File | None = None,
        head: Literal["single", "binary", "multilabel"] | None = None,
        scores: str | None = None,
        class_axis: int | None = None,
        split: Literal["train", "val", "test"] | None = None,
        labels: File | None = None,
        allow_missing: bool = False,
        skip_bad: bool = False,
        size: Sides | None = None,
        scale: float | None = None,
        mean: Sequence[float] | float = (),
        std: Sequence[float] | float = (),
        channel_order: Literal["rgb", "bgr"] | None = None,
        fit: Literal["exact", "cover", "stretch"] | None = None,
        crop: float | None = None,
        filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
        layout: Literal["nchw", "nhwc"] | None = None,
        odd_pixels: bool = False,
        class_names: str | int | Sequence[str | int] | None = None,
        classes: str | int | Sequence[str | int] | None = None,
        source: ModelLike | None = None,
        foreign: Data = (),
        confusion: File | None = None,
        per_image: File | None = None,
        controls: bool = False,
        no_latency: bool = False,
        threshold: float | None = None,
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> EvalAnswer:
        """Measure accuracy, leakage, size and speed.

        Args:
            data: Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors;
                NAME=PATH for one part of an assembled model. Repeat for several
            weights: Take weights of matching names from this safetensors file
            head: What its scores mean, where the model does not tell: single is a score for
                each class, of which an image has one; binary is one score that tells two classes
                apart; multilabel is a score for each class, of which an image may have several
            scores: The output that has the class scores, by name, or any value to take for it
                [default: the only one that can be scores]
            class_axis: The axis of the output that holds the classes, counted from 0; scores
                are averaged over all others but the batch [default: the only one on which there are
                several]
            split: Part of the data to use [default: train to profile, refit and calibrate, test
                to measure]
            labels: Which folder or label is which class: a table of index, WordNet identifier
                and name, in any usual form (CSV, JSON, text)
            allow_missing: Go on where there are no images of a class, or where most images are
                of none of the classes
            skip_bad: Leave images out that cannot be read
            size: Height and width: 224 or 224x160. Images of another size are resized and
                cropped
            scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
            mean: Mean to subtract: one number or one per channel
            std: Standard deviation to divide by: one number or one per channel
            channel_order: Order of colour channels [default: rgb]
            fit: What to do with images of another size: exact refuses them, cover resizes and
                crops, stretch only resizes
            crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of
                which 224 are kept
            filter: Filter to resize by, with antialiasing [default: bilinear]
            layout: Order of the input's axes, where the model does not tell: nchw or nhwc
            odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the
                data
            class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name
                holds a comma) or @FILE with one a line
            classes: Classes to measure: names, indices, inclusive ranges [default: all of the
                model's]
            source: The model it was cut from, to compare with
            foreign: Images of which none is of the model's classes, besides such images of the
                data. Repeat for several
            confusion: Write how images of every class (rows) were answered (columns) to this
                CSV file
            per_image: Write label, answer, score and margin of every image to this CSV file
            controls: Measure other channels of the source beside the component, in the same
                numbers and without a refit: random ones, and those with the largest weights
            no_latency: Do not measure latency
            threshold: Where an image may be of several classes: the probability above which it
                is of one [default: 0.5]
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return answered(
            "eval",
            EvalAnswer,
            {
                "data": _several(data),
                "weights": weights,
                "head": head,
                "scores": scores,
                "class_axis": class_axis,
                "split": split,
                "labels": labels,
                "allow_missing": allow_missing,
                "skip_bad": skip_bad,
                "size": _size(size),
                "scale": scale,
                "mean": _several(mean),
                "std": _several(std),
                "channel_order": channel_order,
                "fit": fit,
                "crop": crop,
                "filter": filter,
                "layout": layout,
                "odd_pixels": odd_pixels,
                "class_names": _names(class_names),
                "classes": _names(classes),
                "source": source,
                "foreign": _several(foreign),
                "confusion": confusion,
                "per_image": per_image,
                "controls": controls,
                "no_latency": no_latency,
                "threshold": threshold,
                "model": self,
            },
            progress=progress, threads=threads, seed=seed,
        )

    def predict(
        self,
        images: Pictures,
        *,
        weights: File | None = None,
        head: Literal["single", "binary", "multilabel"] | None = None,
        scores: str | None = None,
        class_axis: int | None = None,
        size: Sides | None = None,
        scale: float | None = None,
        mean: Sequence[float] | float = (),
        std: Sequence[float] | float = (),
        channel_order: Literal["rgb", "bgr"] | None = None,
        fit: Literal["exact", "cover", "stretch"] | None = None,
        crop: float | None = None,
        filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
        layout: Literal["nchw", "nhwc"] | None = None,
        odd_pixels: bool = False,
        class_names: str | int | Sequence[str | int] | None = None,
        top: int = 1,
        csv: File | None = None,
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> PredictAnswer:
        """Say which class every image is of.

        Args:
            images: Images, folders of them, tables of paths, arrays; - for an image or a list
                of paths from standard input
            weights: Take weights of matching names from this safetensors file
            head: What its scores mean, where the model does not tell: single is a score for
                each class, of which an image has one; binary is one score that tells two classes
                apart; multilabel is a score for each class, of which an image may have several
            scores: The output that has the class scores, by name, or any value to take for it
                [default: the only one that can be scores]
            class_axis: The axis of the output that holds the classes, counted from 0; scores
                are averaged over all others but the batch [default: the only one on which there are
                several]
            size: Height and width: 224 or 224x160. Images of another size are resized and
                cropped
            scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
            mean: Mean to subtract: one number or one per channel
            std: Standard deviation to divide by: one number or one per channel
            channel_order: Order of colour channels [default: rgb]
            fit: What to do with images of another size: exact refuses them, cover resizes and
                crops, stretch only resizes
            crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of
                which 224 are kept
            filter: Filter to resize by, with antialiasing [default: bilinear]
            layout: Order of the input's axes, where the model does not tell: nchw or nhwc
            odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the
                data
            class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name
                holds a comma) or @FILE with one a line
            top: How many classes to name for every image, the likeliest first
            csv: Write one line for every image and class to this CSV file
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return answered(
            "predict",
            PredictAnswer,
            {
                "images": _several(images),
                "weights": weights,
                "head": head,
                "scores": scores,
                "class_axis": class_axis,
                "size": _size(size),
                "scale": scale,
                "mean": _several(mean),
                "std": _several(std),
                "channel_order": channel_order,
                "fit": fit,
                "crop": crop,
                "filter": filter,
                "layout": layout,
                "odd_pixels": odd_pixels,
                "class_names": _names(class_names),
                "top": top,
                "csv": csv,
                "model": self,
            },
            progress=progress, threads=threads, seed=seed,
        )

    def doctor(
        self,
        data: Data = (),
        *,
        weights: File | None = None,
        head: Literal["single", "binary", "multilabel"] | None = None,
        scores: str | None = None,
        class_axis: int | None = None,
        split: Literal["train", "val", "test"] | None = None,
        labels: File | None = None,
        allow_missing: bool = False,
        skip_bad: bool = False,
        size: Sides | None = None,
        scale: float | None = None,
        mean: Sequence[float] | float = (),
        std: Sequence[float] | float = (),
        channel_order: Literal["rgb", "bgr"] | None = None,
        fit: Literal["exact", "cover", "stretch"] | None = None,
        crop: float | None = None,
        filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
        layout: Literal["nchw", "nhwc"] | None = None,
        odd_pixels: bool = False,
        class_names: str | int | Sequence[str | int] | None = None,
        images: int = 256,
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> DoctorAnswer:
        """Look whether a model and data fit together: classes, pixels, scores, labels.

        Args:
            data: Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors;
                NAME=PATH for one part of an assembled model. Repeat for several
            weights: Take weights of matching names from this safetensors file
            head: What its scores mean, where the model does not tell: single is a score for
                each class, of which an image has one; binary is one score that tells two classes
                apart; multilabel is a score for each class, of which an image may have several
            scores: The output that has the class scores, by name, or any value to take for it
                [default: the only one that can be scores]
            class_axis: The axis of the output that holds the classes, counted from 0; scores
                are averaged over all others but the batch [default: the only one on which there are
                several]
            split: Part of the data to use [default: train to profile, refit and calibrate, test
                to measure]
            labels: Which folder or label is which class: a table of index, WordNet identifier
                and name, in any usual form (CSV, JSON, text)
            allow_missing: Go on where there are no images of a class, or where most images are
                of none of the classes
            skip_bad: Leave images out that cannot be read
            size: Height and width: 224 or 224x160. Images of another size are resized and
                cropped
            scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
            mean: Mean to subtract: one number or one per channel
            std: Standard deviation to divide by: one number or one per channel
            channel_order: Order of colour channels [default: rgb]
            fit: What to do with images of another size: exact refuses them, cover resizes and
                crops, stretch only resizes
            crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of
                which 224 are kept
            filter: Filter to resize by, with antialiasing [default: bilinear]
            layout: Order of the input's axes, where the model does not tell: nchw or nhwc
            odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the
                data
            class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name
                holds a comma) or @FILE with one a line
            images: How many images to look at
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return answered(
            "doctor",
            DoctorAnswer,
            {
                "data": _several(data),
                "weights": weights,
                "head": head,
                "scores": scores,
                "class_axis": class_axis,
                "split": split,
                "labels": labels,
                "allow_missing": allow_missing,
                "skip_bad": skip_bad,
                "size": _size(size),
                "scale": scale,
                "mean": _several(mean),
                "std": _several(std),
                "channel_order": channel_order,
                "fit": fit,
                "crop": crop,
                "filter": filter,
                "layout": layout,
                "odd_pixels": odd_pixels,
                "class_names": _names(class_names),
                "images": images,
                "model": self,
            },
            progress=progress, threads=threads, seed=seed,
        )

    def probe(
        self,
        data: Data = (),
        *,
        split: Literal["train", "val", "test"] | None = None,
        labels: File | None = None,
        allow_missing: bool = False,
        skip_bad: bool = False,
        size: Sides | None = None,
        scale: float | None = None,
        mean: Sequence[float] | float = (),
        std: Sequence[float] | float = (),
        channel_order: Literal["rgb", "bgr"] | None = None,
        fit: Literal["exact", "cover", "stretch"] | None = None,
        crop: float | None = None,
        filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
        layout: Literal["nchw", "nhwc"] | None = None,
        odd_pixels: bool = False,
        class_names: str | int | Sequence[str | int] | None = None,
        classes: str | int | Sequence[str | int] | None = None,
        samples: int = 500,
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> ProbeAnswer:
        """See how much of other classes a component still knows.

        A linear classifier is fitted on what the last layer reads, on training images, and measured
        on test images.

        Args:
            data: Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors;
                NAME=PATH for one part of an assembled model. Repeat for several
            split: Part of the data to use [default: train to profile, refit and calibrate, test
                to measure]
            labels: Which folder or label is which class: a table of index, WordNet identifier
                and name, in any usual form (CSV, JSON, text)
            allow_missing: Go on where there are no images of a class, or where most images are
                of none of the classes
            skip_bad: Leave images out that cannot be read
            size: Height and width: 224 or 224x160. Images of another size are resized and
                cropped
            scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
            mean: Mean to subtract: one number or one per channel
            std: Standard deviation to divide by: one number or one per channel
            channel_order: Order of colour channels [default: rgb]
            fit: What to do with images of another size: exact refuses them, cover resizes and
                crops, stretch only resizes
            crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of
                which 224 are kept
            filter: Filter to resize by, with antialiasing [default: bilinear]
            layout: Order of the input's axes, where the model does not tell: nchw or nhwc
            odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the
                data
            class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name
                holds a comma) or @FILE with one a line
            classes: Classes of the data to tell apart [default: those the first model lacks]
            samples: Training images per class
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return answered(
            "probe",
            ProbeAnswer,
            {
                "data": _several(data),
                "split": split,
                "labels": labels,
                "allow_missing": allow_missing,
                "skip_bad": skip_bad,
                "size": _size(size),
                "scale": scale,
                "mean": _several(mean),
                "std": _several(std),
                "channel_order": channel_order,
                "fit": fit,
                "crop": crop,
                "filter": filter,
                "layout": layout,
                "odd_pixels": odd_pixels,
                "class_names": _names(class_names),
                "classes": _names(classes),
                "samples": samples,
                "models": [self],
            },
            progress=progress, threads=threads, seed=seed,
        )

    def finetune(
        self,
        data: Data = (),
        *,
        weights: File | None = None,
        head: Literal["single", "binary", "multilabel"] | None = None,
        scores: str | None = None,
        class_axis: int | None = None,
        split: Literal["train", "val", "test"] | None = None,
        labels: File | None = None,
        allow_missing: bool = False,
        skip_bad: bool = False,
        size: Sides | None = None,
        scale: float | None = None,
        mean: Sequence[float] | float = (),
        std: Sequence[float] | float = (),
        channel_order: Literal["rgb", "bgr"] | None = None,
        fit: Literal["exact", "cover", "stretch"] | None = None,
        crop: float | None = None,
        filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
        layout: Literal["nchw", "nhwc"] | None = None,
        odd_pixels: bool = False,
        class_names: str | int | Sequence[str | int] | None = None,
        keep_zero_blocks: bool = False,
        epochs: int | None = None,
        batch: int = 128,
        hold_out: str | float = "10%",
        samples: int | None = None,
        augment: str | float = "none",
        optimizer: Literal["sgd", "adamw"] = "sgd",
        lr: float | None = None,
        momentum: float = 0.9,
        weight_decay: float | None = None,
        clip: float | None = None,
        decay_weights_only: bool = False,
        schedule: Literal["cosine", "one-cycle", "step", "constant"] = "cosine",
        warmup: float = 0.0,
        milestones: Sequence[int] | int = (),
        gamma: float = 0.1,
        smoothing: float = 0.0,
        only: Sequence[str] | str = (),
        checkpoint: File | None = None,
        resume: bool = False,
        log: File | None = None,
        curve: File | None = None,
        called: str | None = None,
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> Model:
        """Train a model further: cut, assembled, or any other.

        Args:
            data: Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors;
                NAME=PATH for one part of an assembled model. Repeat for several
            weights: Take weights of matching names from this safetensors file
            head: What its scores mean, where the model does not tell: single is a score for
                each class, of which an image has one; binary is one score that tells two classes
                apart; multilabel is a score for each class, of which an image may have several
            scores: The output that has the class scores, by name, or any value to take for it
                [default: the only one that can be scores]
            class_axis: The axis of the output that holds the classes, counted from 0; scores
                are averaged over all others but the batch [default: the only one on which there are
                several]
            split: Part of the data to use [default: train to profile, refit and calibrate, test
                to measure]
            labels: Which folder or label is which class: a table of index, WordNet identifier
                and name, in any usual form (CSV, JSON, text)
            allow_missing: Go on where there are no images of a class, or where most images are
                of none of the classes
            skip_bad: Leave images out that cannot be read
            size: Height and width: 224 or 224x160. Images of another size are resized and
                cropped
            scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
            mean: Mean to subtract: one number or one per channel
            std: Standard deviation to divide by: one number or one per channel
            channel_order: Order of colour channels [default: rgb]
            fit: What to do with images of another size: exact refuses them, cover resizes and
                crops, stretch only resizes
            crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of
                which 224 are kept
            filter: Filter to resize by, with antialiasing [default: bilinear]
            layout: Order of the input's axes, where the model does not tell: nchw or nhwc
            odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the
                data
            class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name
                holds a comma) or @FILE with one a line
            keep_zero_blocks: Weights that are 0 stay 0: the blocks between the parts of a
                padded assembly
            epochs: Times every image is seen [default: 30 for train and distill, 10 for
                finetune]
            batch: Images of a step
            hold_out: Images held out of the training split to choose the best epoch by: a
                percentage, a count per class, or none (then the last epoch is taken)
            samples: Use at most this many images of every class, chosen at random
            augment: Variations of the images, epoch by epoch: crop=4 shifts by up to 4 pixels,
                flip mirrors, cutout=8 cuts out a square
            optimizer: The optimiser
            lr: The largest learning rate [default: 0.1 for train and distill, 0.01 for
                finetune; a hundredth of it for adamw]
            momentum: Momentum of sgd (Nesterov's)
            weight_decay: Weight decay [default: 5e-4 for sgd, 0.01 for adamw]
            clip: Shorten gradients that are longer than this: what was refitted or has no
                normalisation may need it
            decay_weights_only: Spare biases and normalisations the weight decay
            schedule: The course of the learning rate
            warmup: Epochs over which the rate rises from 0
            milestones: For the schedule step: epochs after which the rate falls
            gamma: For the schedule step: the factor by which it falls
            smoothing: Label smoothing, from 0 to 1
            only: Learn only parameters whose names begin so; repeat for several
            checkpoint: Where to keep the run after every epoch [default: OUTPUT.checkpoint,
                removed at the end]
            resume: Go on from the checkpoint, to the same bits as if the run had never stopped
            log: Write the figures of every epoch to this file, .csv or .json
            curve: Plot loss and accuracy to this file
            called: What the model is called, as a file is by its stem [default: as the one it
                is made of]
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return made(
            "finetune",
            FinetuneAnswer,
            {
                "data": _several(data),
                "weights": weights,
                "head": head,
                "scores": scores,
                "class_axis": class_axis,
                "split": split,
                "labels": labels,
                "allow_missing": allow_missing,
                "skip_bad": skip_bad,
                "size": _size(size),
                "scale": scale,
                "mean": _several(mean),
                "std": _several(std),
                "channel_order": channel_order,
                "fit": fit,
                "crop": crop,
                "filter": filter,
                "layout": layout,
                "odd_pixels": odd_pixels,
                "class_names": _names(class_names),
                "keep_zero_blocks": keep_zero_blocks,
                "epochs": epochs,
                "batch": batch,
                "hold_out": hold_out,
                "samples": samples,
                "augment": augment,
                "optimizer": optimizer,
                "lr": lr,
                "momentum": momentum,
                "weight_decay": weight_decay,
                "clip": clip,
                "decay_weights_only": decay_weights_only,
                "schedule": schedule,
                "warmup": warmup,
                "milestones": _several(milestones),
                "gamma": gamma,
                "smoothing": smoothing,
                "only": _several(only),
                "checkpoint": checkpoint,
                "resume": resume,
                "log": log,
                "curve": curve,
                "model": self,
            },
            called=called, own=self,
            progress=progress, threads=threads, seed=seed,
        )

    def verify(
        self,
        *models: ModelLike,
        data: Data = (),
        split: Literal["train", "val", "test"] | None = None,
        labels: File | None = None,
        allow_missing: bool = False,
        skip_bad: bool = False,
        size: Sides | None = None,
        scale: float | None = None,
        mean: Sequence[float] | float = (),
        std: Sequence[float] | float = (),
        channel_order: Literal["rgb", "bgr"] | None = None,
        fit: Literal["exact", "cover", "stretch"] | None = None,
        crop: float | None = None,
        filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
        layout: Literal["nchw", "nhwc"] | None = None,
        odd_pixels: bool = False,
        class_names: str | int | Sequence[str | int] | None = None,
        images: int = 8,
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> VerifyAnswer:
        """Prove that a component or an assembled model computes what its sources compute.

        Args:
            models: The source, or all parts in order; the model to verify comes last
            data: Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors;
                NAME=PATH for one part of an assembled model. Repeat for several
            split: Part of the data to use [default: train to profile, refit and calibrate, test
                to measure]
            labels: Which folder or label is which class: a table of index, WordNet identifier
                and name, in any usual form (CSV, JSON, text)
            allow_missing: Go on where there are no images of a class, or where most images are
                of none of the classes
            skip_bad: Leave images out that cannot be read
            size: Height and width: 224 or 224x160. Images of another size are resized and
                cropped
            scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
            mean: Mean to subtract: one number or one per channel
            std: Standard deviation to divide by: one number or one per channel
            channel_order: Order of colour channels [default: rgb]
            fit: What to do with images of another size: exact refuses them, cover resizes and
                crops, stretch only resizes
            crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of
                which 224 are kept
            filter: Filter to resize by, with antialiasing [default: bilinear]
            layout: Order of the input's axes, where the model does not tell: nchw or nhwc
            odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the
                data
            class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name
                holds a comma) or @FILE with one a line
            images: Images to compare on
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return answered(
            "verify",
            VerifyAnswer,
            {
                "models": [*models, self],
                "data": _several(data),
                "split": split,
                "labels": labels,
                "allow_missing": allow_missing,
                "skip_bad": skip_bad,
                "size": _size(size),
                "scale": scale,
                "mean": _several(mean),
                "std": _several(std),
                "channel_order": channel_order,
                "fit": fit,
                "crop": crop,
                "filter": filter,
                "layout": layout,
                "odd_pixels": odd_pixels,
                "class_names": _names(class_names),
                "images": images,
            },
            progress=progress, threads=threads, seed=seed,
        )

    def masks(
        self,
        *,
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> MasksAnswer:
        """Show what a component keeps of each layer.

        Args:
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return answered(
            "masks",
            MasksAnswer,
            {
                "model": self,
            },
            progress=progress, threads=threads, seed=seed,
        )

    def diff(
        self,
        b: ModelLike,
        *,
        node_data: File | None = None,
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> Difference:
        """Show what differs between two models, layer by layer.

        Args:
            b: The second
            node_data: Write for Model Explorer what the second has left of every node: kept
                output channels to this file, parameters and multiply-accumulates to
                FILE.params.json and FILE.macs.json
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return answered(
            "diff",
            Difference,
            {
                "b": b,
                "node_data": node_data,
                "a": self,
            },
            progress=progress, threads=threads, seed=seed,
        )

    def route(
        self,
        profile: ProfileLike,
        classes: str | int | Sequence[str | int],
        *,
        weights: File | None = None,
        head: Literal["single", "binary", "multilabel"] | None = None,
        scores: str | None = None,
        class_axis: int | None = None,
        size: Sides | None = None,
        layout: Literal["nchw", "nhwc"] | None = None,
        output: File | None = None,
        layers: Sequence[str] | str = (),
        alpha_conv: float = 0.3,
        beta_conv: float = 0.2,
        alpha_linear: float = 0.4,
        beta_linear: float = 0.3,
        rule: Literal["graph", "reference"] = "graph",
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> RouteAnswer:
        """Draw through which channels classes are decided, and what classes have in common.

        Args:
            profile: The model's profile
            classes: Classes to draw, at most seven: names, indices, inclusive ranges
            weights: Take weights of matching names from this safetensors file
            head: What its scores mean, where the model does not tell: single is a score for
                each class, of which an image has one; binary is one score that tells two classes
                apart; multilabel is a score for each class, of which an image may have several
            scores: The output that has the class scores, by name, or any value to take for it
                [default: the only one that can be scores]
            class_axis: The axis of the output that holds the classes, counted from 0; scores
                are averaged over all others but the batch [default: the only one on which there are
                several]
            size: Height and width, where the model leaves them open
            layout: Order of the input's axes, where the model does not tell: nchw or nhwc
            output: Where to write the drawing (.svg), a page with the overlap of all profiled
                classes at every layer (.html), or all of it as data (.json)
            layers: Draw only these layers: names or parts of names [default: all, in at most 24
                columns]
            alpha_conv: An input counts for an output of a convolution above this relative
                contribution
            beta_conv: An input of a convolution is relevant above this relative count
            alpha_linear: As `alpha_conv=`, for linear layers
            beta_linear: As `beta_conv=`, for linear layers
            rule: How relevance is linked: along the graph, or as the published code does
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return answered(
            "route",
            RouteAnswer,
            {
                "profile": profile,
                "classes": _names(classes),
                "weights": weights,
                "head": head,
                "scores": scores,
                "class_axis": class_axis,
                "size": _size(size),
                "layout": layout,
                "output": output,
                "layers": _several(layers),
                "alpha_conv": alpha_conv,
                "beta_conv": beta_conv,
                "alpha_linear": alpha_linear,
                "beta_linear": beta_linear,
                "rule": rule,
                "model": self,
            },
            progress=progress, threads=threads, seed=seed,
        )

    def annotate(
        self,
        *,
        weights: File | None = None,
        head: Literal["single", "binary", "multilabel"] | None = None,
        scores: str | None = None,
        class_axis: int | None = None,
        size: Sides | None = None,
        scale: float | None = None,
        mean: Sequence[float] | float = (),
        std: Sequence[float] | float = (),
        channel_order: Literal["rgb", "bgr"] | None = None,
        fit: Literal["exact", "cover", "stretch"] | None = None,
        crop: float | None = None,
        filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
        layout: Literal["nchw", "nhwc"] | None = None,
        odd_pixels: bool = False,
        class_names: str | int | Sequence[str | int] | None = None,
        called: str | None = None,
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> Model:
        """Write class names and preprocessing into a model.

        Args:
            weights: Take weights of matching names from this safetensors file
            head: What its scores mean, where the model does not tell: single is a score for
                each class, of which an image has one; binary is one score that tells two classes
                apart; multilabel is a score for each class, of which an image may have several
            scores: The output that has the class scores, by name, or any value to take for it
                [default: the only one that can be scores]
            class_axis: The axis of the output that holds the classes, counted from 0; scores
                are averaged over all others but the batch [default: the only one on which there are
                several]
            size: Height and width: 224 or 224x160. Images of another size are resized and
                cropped
            scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
            mean: Mean to subtract: one number or one per channel
            std: Standard deviation to divide by: one number or one per channel
            channel_order: Order of colour channels [default: rgb]
            fit: What to do with images of another size: exact refuses them, cover resizes and
                crops, stretch only resizes
            crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of
                which 224 are kept
            filter: Filter to resize by, with antialiasing [default: bilinear]
            layout: Order of the input's axes, where the model does not tell: nchw or nhwc
            odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the
                data
            class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name
                holds a comma) or @FILE with one a line
            called: What the model is called, as a file is by its stem [default: as the one it
                is made of]
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return made(
            "annotate",
            AnnotateAnswer,
            {
                "weights": weights,
                "head": head,
                "scores": scores,
                "class_axis": class_axis,
                "size": _size(size),
                "scale": scale,
                "mean": _several(mean),
                "std": _several(std),
                "channel_order": channel_order,
                "fit": fit,
                "crop": crop,
                "filter": filter,
                "layout": layout,
                "odd_pixels": odd_pixels,
                "class_names": _names(class_names),
                "model": self,
            },
            called=called, own=self,
            progress=progress, threads=threads, seed=seed,
        )

    def bench(
        self,
        *,
        weights: File | None = None,
        head: Literal["single", "binary", "multilabel"] | None = None,
        scores: str | None = None,
        class_axis: int | None = None,
        batch: Sequence[int] | int = (1,),
        runs: int = 10,
        profile: bool = False,
        training: bool = False,
        layers: bool = False,
        progress: ProgressLike = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> BenchAnswer:
        """Measure how fast a model runs, and what profiling and training take.

        Args:
            weights: Take weights of matching names from this safetensors file
            head: What its scores mean, where the model does not tell: single is a score for
                each class, of which an image has one; binary is one score that tells two classes
                apart; multilabel is a score for each class, of which an image may have several
            scores: The output that has the class scores, by name, or any value to take for it
                [default: the only one that can be scores]
            class_axis: The axis of the output that holds the classes, counted from 0; scores
                are averaged over all others but the batch [default: the only one on which there are
                several]
            batch: Batch sizes
            runs: Runs to take the median of
            profile: Also time a profiling pass
            training: Also time a training step
            layers: Show the time of every node
            progress: Who is told how far the work is: a callable that is given the phase, what
                is done and what is to be done; False for nobody [default: a bar of tqdm, if it is
                installed]
            threads: Threads to use [default: one per core]
            seed: Seed of every random choice
        """
        return answered(
            "bench",
            BenchAnswer,
            {
                "weights": weights,
                "head": head,
                "scores": scores,
                "class_axis": class_axis,
                "batch": _several(batch),
                "runs": runs,
                "profile": profile,
                "training": training,
                "layers": layers,
                "model": self,
            },
            progress=progress, threads=threads, seed=seed,
        )


class SharedVerbs:
    """What a model can be asked, as work that several processes share."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def profile(
        self,
        data: Data = (),
        *,
        weights: File | None = None,
        head: Literal["single", "binary", "multilabel"] | None = None,
        scores: str | None = None,
        class_axis: int | None = None,
        split: Literal["train", "val", "test"] | None = None,
        labels: File | None = None,
        allow_missing: bool = False,
        skip_bad: bool = False,
        size: Sides | None = None,
        scale: float | None = None,
        mean: Sequence[float] | float = (),
        std: Sequence[float] | float = (),
        channel_order: Literal["rgb", "bgr"] | None = None,
        fit: Literal["exact", "cover", "stretch"] | None = None,
        crop: float | None = None,
        filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
        layout: Literal["nchw", "nhwc"] | None = None,
        odd_pixels: bool = False,
        class_names: str | int | Sequence[str | int] | None = None,
        samples: str | float = "50",
        classes: str | int | Sequence[str | int] | None = None,
        part: str | float | None = None,
        indices: File | None = None,
        merge: Sequence[ProfileLike] | ProfileLike = (),
        seed: int = 0,
    ) -> Work[Profile]:
        """Measure which channels contribute to which class.

        Args:
            data: Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors;
                NAME=PATH for one part of an assembled model. Repeat for several
            weights: Take weights of matching names from this safetensors file
            head: What its scores mean, where the model does not tell: single is a score for
                each class, of which an image has one; binary is one score that tells two classes
                apart; multilabel is a score for each class, of which an image may have several
            scores: The output that has the class scores, by name, or any value to take for it
                [default: the only one that can be scores]
            class_axis: The axis of the output that holds the classes, counted from 0; scores
                are averaged over all others but the batch [default: the only one on which there are
                several]
            split: Part of the data to use [default: train to profile, refit and calibrate, test
                to measure]
            labels: Which folder or label is which class: a table of index, WordNet identifier
                and name, in any usual form (CSV, JSON, text)
            allow_missing: Go on where there are no images of a class, or where most images are
                of none of the classes
            skip_bad: Leave images out that cannot be read
            size: Height and width: 224 or 224x160. Images of another size are resized and
                cropped
            scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
            mean: Mean to subtract: one number or one per channel
            std: Standard deviation to divide by: one number or one per channel
            channel_order: Order of colour channels [default: rgb]
            fit: What to do with images of another size: exact refuses them, cover resizes and
                crops, stretch only resizes
            crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of
                which 224 are kept
            filter: Filter to resize by, with antialiasing [default: bilinear]
            layout: Order of the input's axes, where the model does not tell: nchw or nhwc
            odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the
                data
            class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name
                holds a comma) or @FILE with one a line
            samples: Samples per class: a count or percentage of the most confident correct
                ones, or all
            classes: Classes to profile: names, indices, inclusive ranges [default: all]
            part: Use part K of N of the data; such profiles merge to the whole
            indices: Use exactly these samples: a JSON object from class index to places in the
                data
            merge: Merge profiles of parts of the data, or of different classes, instead; name
                their model, too, if different versions wrote them
            seed: Seed of every random choice
        """
        return shared_profile(
            "profile",
            ProfileAnswer,
            {
                "data": _several(data),
                "weights": weights,
                "head": head,
                "scores": scores,
                "class_axis": class_axis,
                "split": split,
                "labels": labels,
                "allow_missing": allow_missing,
                "skip_bad": skip_bad,
                "size": _size(size),
                "scale": scale,
                "mean": _several(mean),
                "std": _several(std),
                "channel_order": channel_order,
                "fit": fit,
                "crop": crop,
                "filter": filter,
                "layout": layout,
                "odd_pixels": odd_pixels,
                "class_names": _names(class_names),
                "samples": samples,
                "classes": _names(classes),
                "part": part,
                "indices": indices,
                "merge": _several(merge),
                "model": self._model,
            },
            seed=seed,
        )

    def evaluate(
        self,
        data: Data = (),
        *,
        weights: File | None = None,
        head: Literal["single", "binary", "multilabel"] | None = None,
        scores: str | None = None,
        class_axis: int | None = None,
        split: Literal["train", "val", "test"] | None = None,
        labels: File | None = None,
        allow_missing: bool = False,
        skip_bad: bool = False,
        size: Sides | None = None,
        scale: float | None = None,
        mean: Sequence[float] | float = (),
        std: Sequence[float] | float = (),
        channel_order: Literal["rgb", "bgr"] | None = None,
        fit: Literal["exact", "cover", "stretch"] | None = None,
        crop: float | None = None,
        filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
        layout: Literal["nchw", "nhwc"] | None = None,
        odd_pixels: bool = False,
        class_names: str | int | Sequence[str | int] | None = None,
        classes: str | int | Sequence[str | int] | None = None,
        source: ModelLike | None = None,
        foreign: Data = (),
        confusion: File | None = None,
        per_image: File | None = None,
        controls: bool = False,
        no_latency: bool = False,
        threshold: float | None = None,
        seed: int = 0,
    ) -> Work[EvalAnswer]:
        """Measure accuracy, leakage, size and speed.

        Args:
            data: Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors;
                NAME=PATH for one part of an assembled model. Repeat for several
            weights: Take weights of matching names from this safetensors file
            head: What its scores mean, where the model does not tell: single is a score for
                each class, of which an image has one; binary is one score that tells two classes
                apart; multilabel is a score for each class, of which an image may have several
            scores: The output that has the class scores, by name, or any value to take for it
                [default: the only one that can be scores]
            class_axis: The axis of the output that holds the classes, counted from 0; scores
                are averaged over all others but the batch [default: the only one on which there are
                several]
            split: Part of the data to use [default: train to profile, refit and calibrate, test
                to measure]
            labels: Which folder or label is which class: a table of index, WordNet identifier
                and name, in any usual form (CSV, JSON, text)
            allow_missing: Go on where there are no images of a class, or where most images are
                of none of the classes
            skip_bad: Leave images out that cannot be read
            size: Height and width: 224 or 224x160. Images of another size are resized and
                cropped
            scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
            mean: Mean to subtract: one number or one per channel
            std: Standard deviation to divide by: one number or one per channel
            channel_order: Order of colour channels [default: rgb]
            fit: What to do with images of another size: exact refuses them, cover resizes and
                crops, stretch only resizes
            crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of
                which 224 are kept
            filter: Filter to resize by, with antialiasing [default: bilinear]
            layout: Order of the input's axes, where the model does not tell: nchw or nhwc
            odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the
                data
            class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name
                holds a comma) or @FILE with one a line
            classes: Classes to measure: names, indices, inclusive ranges [default: all of the
                model's]
            source: The model it was cut from, to compare with
            foreign: Images of which none is of the model's classes, besides such images of the
                data. Repeat for several
            confusion: Write how images of every class (rows) were answered (columns) to this
                CSV file
            per_image: Write label, answer, score and margin of every image to this CSV file
            controls: Measure other channels of the source beside the component, in the same
                numbers and without a refit: random ones, and those with the largest weights
            no_latency: Do not measure latency
            threshold: Where an image may be of several classes: the probability above which it
                is of one [default: 0.5]
            seed: Seed of every random choice
        """
        return shared(
            "eval",
            EvalAnswer,
            {
                "data": _several(data),
                "weights": weights,
                "head": head,
                "scores": scores,
                "class_axis": class_axis,
                "split": split,
                "labels": labels,
                "allow_missing": allow_missing,
                "skip_bad": skip_bad,
                "size": _size(size),
                "scale": scale,
                "mean": _several(mean),
                "std": _several(std),
                "channel_order": channel_order,
                "fit": fit,
                "crop": crop,
                "filter": filter,
                "layout": layout,
                "odd_pixels": odd_pixels,
                "class_names": _names(class_names),
                "classes": _names(classes),
                "source": source,
                "foreign": _several(foreign),
                "confusion": confusion,
                "per_image": per_image,
                "controls": controls,
                "no_latency": no_latency,
                "threshold": threshold,
                "model": self._model,
            },
            seed=seed,
        )


def init(
    arch: Literal["lenet5", "simnet", "alexnet", "vgg11", "vgg13", "vgg16", "vgg19", "resnet20", "resnet32", "resnet56", "resnet18", "resnet34", "resnet50", "googlenet", "inception_v3", "densenet40_bc", "densenet121", "mobilenet_v2", "simplenet_v1", "vit_4x64_p7", "vit_6x96_p4"],
    *,
    classes: int | None = None,
    class_names: str | int | Sequence[str | int] | None = None,
    size: Sides | None = None,
    channels: int = 3,
    width: float = 1.0,
    stem: Literal["cifar", "imagenet"] | None = None,
    called: str | None = None,
    progress: ProgressLike = None,
    threads: int | None = None,
    seed: int = 0,
) -> Model:
    """Make a network with random weights, to be trained.

    Args:
        arch: The architecture
        classes: Number of classes
        class_names: Names of the classes instead, in order: a,b,c or @FILE with one a line
        size: Height and width of the images: 64 or 64x48 [default: the architecture's usual]
        channels: Channels of the images
        width: Factor of the numbers of hidden channels
        stem: How images are taken in [default: imagenet from 96 pixels on]
        called: What the model is called, as a file is by its stem [default: as the one it is
            made of]
        progress: Who is told how far the work is: a callable that is given the phase, what is
            done and what is to be done; False for nobody [default: a bar of tqdm, if it is
            installed]
        threads: Threads to use [default: one per core]
        seed: Seed of every random choice
    """
    return made(
        "init",
        InitAnswer,
        {
            "arch": arch,
            "classes": classes,
            "class_names": _names(class_names),
            "size": _size(size),
            "channels": channels,
            "width": width,
            "stem": stem,
        },
        called=called, own=None,
        progress=progress, threads=threads, seed=seed,
    )


def assemble(
    *parts: ModelLike,
    remove: Sequence[str] | str = (),
    replace: Mapping[str, ModelLike] | Sequence[str] = (),
    layout: Literal["branches", "padded"] = "branches",
    on_duplicate: Literal["refuse", "max", "mean", "keep-both"] = "refuse",
    called: str | None = None,
    progress: ProgressLike = None,
    threads: int | None = None,
    seed: int = 0,
) -> Model:
    """Join components into one classifier.

    Args:
        parts: The components, in order
        remove: Leave these classes out: names, separated by commas. All other scores stay as
            they are
        replace: Take a class from another component instead. Repeat for several
        layout: Parallel branches (any parts), or block-diagonal layers (parts of one
            architecture)
        on_duplicate: What to do about classes of one name: join their scores, or keep both
            apart
        called: What the model is called, as a file is by its stem [default: as the one it is
            made of]
        progress: Who is told how far the work is: a callable that is given the phase, what is
            done and what is to be done; False for nobody [default: a bar of tqdm, if it is
            installed]
        threads: Threads to use [default: one per core]
        seed: Seed of every random choice
    """
    return made(
        "assemble",
        AssembleAnswer,
        {
            "parts": _several(parts),
            "remove": _several(remove),
            "replace": _several(replace),
            "layout": layout,
            "on_duplicate": on_duplicate,
        },
        called=called, own=None,
        progress=progress, threads=threads, seed=seed,
    )


def train(
    arch: Literal["lenet5", "simnet", "alexnet", "vgg11", "vgg13", "vgg16", "vgg19", "resnet20", "resnet32", "resnet56", "resnet18", "resnet34", "resnet50", "googlenet", "inception_v3", "densenet40_bc", "densenet121", "mobilenet_v2", "simplenet_v1", "vit_4x64_p7", "vit_6x96_p4"],
    data: Data = (),
    *,
    width: float = 1.0,
    stem: Literal["cifar", "imagenet"] | None = None,
    classes: str | int | Sequence[str | int] | None = None,
    split: Literal["train", "val", "test"] | None = None,
    labels: File | None = None,
    allow_missing: bool = False,
    skip_bad: bool = False,
    size: Sides | None = None,
    scale: float | None = None,
    mean: Sequence[float] | float = (),
    std: Sequence[float] | float = (),
    channel_order: Literal["rgb", "bgr"] | None = None,
    fit: Literal["exact", "cover", "stretch"] | None = None,
    crop: float | None = None,
    filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
    layout: Literal["nchw", "nhwc"] | None = None,
    odd_pixels: bool = False,
    class_names: str | int | Sequence[str | int] | None = None,
    epochs: int | None = None,
    batch: int = 128,
    hold_out: str | float = "10%",
    samples: int | None = None,
    augment: str | float = "none",
    optimizer: Literal["sgd", "adamw"] = "sgd",
    lr: float | None = None,
    momentum: float = 0.9,
    weight_decay: float | None = None,
    clip: float | None = None,
    decay_weights_only: bool = False,
    schedule: Literal["cosine", "one-cycle", "step", "constant"] = "cosine",
    warmup: float = 0.0,
    milestones: Sequence[int] | int = (),
    gamma: float = 0.1,
    smoothing: float = 0.0,
    only: Sequence[str] | str = (),
    checkpoint: File | None = None,
    resume: bool = False,
    log: File | None = None,
    curve: File | None = None,
    called: str | None = None,
    progress: ProgressLike = None,
    threads: int | None = None,
    seed: int = 0,
) -> Model:
    """Train a network from scratch.

    Args:
        arch: The architecture
        data: Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors;
            NAME=PATH for one part of an assembled model. Repeat for several
        width: Factor of the numbers of hidden channels
        stem: How images are taken in [default: imagenet from 96 pixels on]
        classes: Learn these classes of the data alone: names, indices, inclusive ranges
        split: Part of the data to use [default: train to profile, refit and calibrate, test to
            measure]
        labels: Which folder or label is which class: a table of index, WordNet identifier and
            name, in any usual form (CSV, JSON, text)
        allow_missing: Go on where there are no images of a class, or where most images are of
            none of the classes
        skip_bad: Leave images out that cannot be read
        size: Height and width: 224 or 224x160. Images of another size are resized and cropped
        scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
        mean: Mean to subtract: one number or one per channel
        std: Standard deviation to divide by: one number or one per channel
        channel_order: Order of colour channels [default: rgb]
        fit: What to do with images of another size: exact refuses them, cover resizes and
            crops, stretch only resizes
        crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of which
            224 are kept
        filter: Filter to resize by, with antialiasing [default: bilinear]
        layout: Order of the input's axes, where the model does not tell: nchw or nhwc
        odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the data
        class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name holds
            a comma) or @FILE with one a line
        epochs: Times every image is seen [default: 30 for train and distill, 10 for finetune]
        batch: Images of a step
        hold_out: Images held out of the training split to choose the best epoch by: a
            percentage, a count per class, or none (then the last epoch is taken)
        samples: Use at most this many images of every class, chosen at random
        augment: Variations of the images, epoch by epoch: crop=4 shifts by up to 4 pixels, flip
            mirrors, cutout=8 cuts out a square
        optimizer: The optimiser
        lr: The largest learning rate [default: 0.1 for train and distill, 0.01 for finetune; a
            hundredth of it for adamw]
        momentum: Momentum of sgd (Nesterov's)
        weight_decay: Weight decay [default: 5e-4 for sgd, 0.01 for adamw]
        clip: Shorten gradients that are longer than this: what was refitted or has no
            normalisation may need it
        decay_weights_only: Spare biases and normalisations the weight decay
        schedule: The course of the learning rate
        warmup: Epochs over which the rate rises from 0
        milestones: For the schedule step: epochs after which the rate falls
        gamma: For the schedule step: the factor by which it falls
        smoothing: Label smoothing, from 0 to 1
        only: Learn only parameters whose names begin so; repeat for several
        checkpoint: Where to keep the run after every epoch [default: OUTPUT.checkpoint, removed
            at the end]
        resume: Go on from the checkpoint, to the same bits as if the run had never stopped
        log: Write the figures of every epoch to this file, .csv or .json
        curve: Plot loss and accuracy to this file
        called: What the model is called, as a file is by its stem [default: as the one it is
            made of]
        progress: Who is told how far the work is: a callable that is given the phase, what is
            done and what is to be done; False for nobody [default: a bar of tqdm, if it is
            installed]
        threads: Threads to use [default: one per core]
        seed: Seed of every random choice
    """
    return made(
        "train",
        TrainAnswer,
        {
            "arch": arch,
            "data": _several(data),
            "width": width,
            "stem": stem,
            "classes": _names(classes),
            "split": split,
            "labels": labels,
            "allow_missing": allow_missing,
            "skip_bad": skip_bad,
            "size": _size(size),
            "scale": scale,
            "mean": _several(mean),
            "std": _several(std),
            "channel_order": channel_order,
            "fit": fit,
            "crop": crop,
            "filter": filter,
            "layout": layout,
            "odd_pixels": odd_pixels,
            "class_names": _names(class_names),
            "epochs": epochs,
            "batch": batch,
            "hold_out": hold_out,
            "samples": samples,
            "augment": augment,
            "optimizer": optimizer,
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "clip": clip,
            "decay_weights_only": decay_weights_only,
            "schedule": schedule,
            "warmup": warmup,
            "milestones": _several(milestones),
            "gamma": gamma,
            "smoothing": smoothing,
            "only": _several(only),
            "checkpoint": checkpoint,
            "resume": resume,
            "log": log,
            "curve": curve,
        },
        called=called, own=None,
        progress=progress, threads=threads, seed=seed,
    )


def distill(
    teacher: Sequence[ModelLike] | ModelLike,
    student: ModelLike,
    data: Data = (),
    *,
    width: float = 1.0,
    temperature: float = 4.0,
    label_share: float = 0.1,
    feature: Mapping[str, str] | Sequence[str] = (),
    feature_weight: float = 1.0,
    split: Literal["train", "val", "test"] | None = None,
    labels: File | None = None,
    allow_missing: bool = False,
    skip_bad: bool = False,
    size: Sides | None = None,
    scale: float | None = None,
    mean: Sequence[float] | float = (),
    std: Sequence[float] | float = (),
    channel_order: Literal["rgb", "bgr"] | None = None,
    fit: Literal["exact", "cover", "stretch"] | None = None,
    crop: float | None = None,
    filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
    layout: Literal["nchw", "nhwc"] | None = None,
    odd_pixels: bool = False,
    class_names: str | int | Sequence[str | int] | None = None,
    epochs: int | None = None,
    batch: int = 128,
    hold_out: str | float = "10%",
    samples: int | None = None,
    augment: str | float = "none",
    optimizer: Literal["sgd", "adamw"] = "sgd",
    lr: float | None = None,
    momentum: float = 0.9,
    weight_decay: float | None = None,
    clip: float | None = None,
    decay_weights_only: bool = False,
    schedule: Literal["cosine", "one-cycle", "step", "constant"] = "cosine",
    warmup: float = 0.0,
    milestones: Sequence[int] | int = (),
    gamma: float = 0.1,
    smoothing: float = 0.0,
    only: Sequence[str] | str = (),
    checkpoint: File | None = None,
    resume: bool = False,
    log: File | None = None,
    curve: File | None = None,
    called: str | None = None,
    progress: ProgressLike = None,
    threads: int | None = None,
    seed: int = 0,
) -> Model:
    """Teach a student what one or several models know.

    Args:
        teacher: The teachers
        student: The student: an architecture, or a model to begin from
        data: Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors;
            NAME=PATH for one part of an assembled model. Repeat for several
        width: Factor of the numbers of hidden channels of a student that is an architecture
        temperature: Temperature that softens the scores
        label_share: Share of the labels in the loss, from 0 to 1; the rest is the teachers'
        feature: Also learn inner values: STUDENT_VALUE=TEACHER_VALUE of the first teacher;
            repeat for several
        feature_weight: Factor of the distance between inner values
        split: Part of the data to use [default: train to profile, refit and calibrate, test to
            measure]
        labels: Which folder or label is which class: a table of index, WordNet identifier and
            name, in any usual form (CSV, JSON, text)
        allow_missing: Go on where there are no images of a class, or where most images are of
            none of the classes
        skip_bad: Leave images out that cannot be read
        size: Height and width: 224 or 224x160. Images of another size are resized and cropped
        scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
        mean: Mean to subtract: one number or one per channel
        std: Standard deviation to divide by: one number or one per channel
        channel_order: Order of colour channels [default: rgb]
        fit: What to do with images of another size: exact refuses them, cover resizes and
            crops, stretch only resizes
        crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of which
            224 are kept
        filter: Filter to resize by, with antialiasing [default: bilinear]
        layout: Order of the input's axes, where the model does not tell: nchw or nhwc
        odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the data
        class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name holds
            a comma) or @FILE with one a line
        epochs: Times every image is seen [default: 30 for train and distill, 10 for finetune]
        batch: Images of a step
        hold_out: Images held out of the training split to choose the best epoch by: a
            percentage, a count per class, or none (then the last epoch is taken)
        samples: Use at most this many images of every class, chosen at random
        augment: Variations of the images, epoch by epoch: crop=4 shifts by up to 4 pixels, flip
            mirrors, cutout=8 cuts out a square
        optimizer: The optimiser
        lr: The largest learning rate [default: 0.1 for train and distill, 0.01 for finetune; a
            hundredth of it for adamw]
        momentum: Momentum of sgd (Nesterov's)
        weight_decay: Weight decay [default: 5e-4 for sgd, 0.01 for adamw]
        clip: Shorten gradients that are longer than this: what was refitted or has no
            normalisation may need it
        decay_weights_only: Spare biases and normalisations the weight decay
        schedule: The course of the learning rate
        warmup: Epochs over which the rate rises from 0
        milestones: For the schedule step: epochs after which the rate falls
        gamma: For the schedule step: the factor by which it falls
        smoothing: Label smoothing, from 0 to 1
        only: Learn only parameters whose names begin so; repeat for several
        checkpoint: Where to keep the run after every epoch [default: OUTPUT.checkpoint, removed
            at the end]
        resume: Go on from the checkpoint, to the same bits as if the run had never stopped
        log: Write the figures of every epoch to this file, .csv or .json
        curve: Plot loss and accuracy to this file
        called: What the model is called, as a file is by its stem [default: as the one it is
            made of]
        progress: Who is told how far the work is: a callable that is given the phase, what is
            done and what is to be done; False for nobody [default: a bar of tqdm, if it is
            installed]
        threads: Threads to use [default: one per core]
        seed: Seed of every random choice
    """
    return made(
        "distill",
        TrainAnswer,
        {
            "teacher": _several(teacher),
            "student": student,
            "data": _several(data),
            "width": width,
            "temperature": temperature,
            "label_share": label_share,
            "feature": _several(feature),
            "feature_weight": feature_weight,
            "split": split,
            "labels": labels,
            "allow_missing": allow_missing,
            "skip_bad": skip_bad,
            "size": _size(size),
            "scale": scale,
            "mean": _several(mean),
            "std": _several(std),
            "channel_order": channel_order,
            "fit": fit,
            "crop": crop,
            "filter": filter,
            "layout": layout,
            "odd_pixels": odd_pixels,
            "class_names": _names(class_names),
            "epochs": epochs,
            "batch": batch,
            "hold_out": hold_out,
            "samples": samples,
            "augment": augment,
            "optimizer": optimizer,
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "clip": clip,
            "decay_weights_only": decay_weights_only,
            "schedule": schedule,
            "warmup": warmup,
            "milestones": _several(milestones),
            "gamma": gamma,
            "smoothing": smoothing,
            "only": _several(only),
            "checkpoint": checkpoint,
            "resume": resume,
            "log": log,
            "curve": curve,
        },
        called=called, own=None,
        progress=progress, threads=threads, seed=seed,
    )


def probe(
    models: Sequence[ModelLike] | ModelLike,
    data: Data = (),
    *,
    split: Literal["train", "val", "test"] | None = None,
    labels: File | None = None,
    allow_missing: bool = False,
    skip_bad: bool = False,
    size: Sides | None = None,
    scale: float | None = None,
    mean: Sequence[float] | float = (),
    std: Sequence[float] | float = (),
    channel_order: Literal["rgb", "bgr"] | None = None,
    fit: Literal["exact", "cover", "stretch"] | None = None,
    crop: float | None = None,
    filter: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] | None = None,
    layout: Literal["nchw", "nhwc"] | None = None,
    odd_pixels: bool = False,
    class_names: str | int | Sequence[str | int] | None = None,
    classes: str | int | Sequence[str | int] | None = None,
    samples: int = 500,
    progress: ProgressLike = None,
    threads: int | None = None,
    seed: int = 0,
) -> ProbeAnswer:
    """See how much of other classes a component still knows.

    A linear classifier is fitted on what the last layer reads, on training images, and measured on
    test images.

    Args:
        models: The component, and models to compare it with
        data: Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors;
            NAME=PATH for one part of an assembled model. Repeat for several
        split: Part of the data to use [default: train to profile, refit and calibrate, test to
            measure]
        labels: Which folder or label is which class: a table of index, WordNet identifier and
            name, in any usual form (CSV, JSON, text)
        allow_missing: Go on where there are no images of a class, or where most images are of
            none of the classes
        skip_bad: Leave images out that cannot be read
        size: Height and width: 224 or 224x160. Images of another size are resized and cropped
        scale: Factor of every pixel [default: 1/255 for bytes, 1 for floats]
        mean: Mean to subtract: one number or one per channel
        std: Standard deviation to divide by: one number or one per channel
        channel_order: Order of colour channels [default: rgb]
        fit: What to do with images of another size: exact refuses them, cover resizes and
            crops, stretch only resizes
        crop: Crop ratio, above 0 and at most 1: with 0.875, images are resized to 256 of which
            224 are kept
        filter: Filter to resize by, with antialiasing [default: bilinear]
        layout: Order of the input's axes, where the model does not tell: nchw or nhwc
        odd_pixels: Go on where mean, std and scale cannot be meant for the pixels of the data
        class_names: Names of the model's classes, in order: a,b,c ("a, b",c where a name holds
            a comma) or @FILE with one a line
        classes: Classes of the data to tell apart [default: those the first model lacks]
        samples: Training images per class
        progress: Who is told how far the work is: a callable that is given the phase, what is
            done and what is to be done; False for nobody [default: a bar of tqdm, if it is
            installed]
        threads: Threads to use [default: one per core]
        seed: Seed of every random choice
    """
    return answered(
        "probe",
        ProbeAnswer,
        {
            "models": _several(models),
            "data": _several(data),
            "split": split,
            "labels": labels,
            "allow_missing": allow_missing,
            "skip_bad": skip_bad,
            "size": _size(size),
            "scale": scale,
            "mean": _several(mean),
            "std": _several(std),
            "channel_order": channel_order,
            "fit": fit,
            "crop": crop,
            "filter": filter,
            "layout": layout,
            "odd_pixels": odd_pixels,
            "class_names": _names(class_names),
            "classes": _names(classes),
            "samples": samples,
        },
        progress=progress, threads=threads, seed=seed,
    )
