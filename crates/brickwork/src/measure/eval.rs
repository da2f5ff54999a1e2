//! Measuring a classifier honestly: against the source restricted to the same task, and on classes
//! that are none of its own.

use std::collections::BTreeMap;

use brickwork_data::Preprocess;
use schemars::JsonSchema;
use serde::Serialize;

use crate::images::select::top_class;
use crate::images::source::Source;
use crate::measure::answers::{self, Confusion, ImageRecord};
use crate::measure::examples::{Example, examples};
use crate::measure::multilabel::{ClassRetrieval, Decided, Retrieval};
use crate::measure::reject::Rejection;
use crate::measure::scored::{Scored, share, share_from, sorted};
use crate::measure::scores::{Answers, Jobs, Run, Scores};
use crate::measure::statistics::{
    ReliabilityBin, calibration_error, probability, reliability, wilson,
};
use crate::model::card::Card;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::head::HeadKind;
use crate::model::percent::Percent;
use crate::model::progress::Progress;

/// What to measure.
pub struct EvalOptions<'a> {
    /// The model's classes that count as its task; samples of others are foreign.
    pub classes: Vec<usize>,
    /// The model it was cut from.
    pub source: Option<EvalSource<'a>>,
    /// For a refitted component, the bare cut behind it.
    pub before_refit: Option<&'a Classifier>,
    /// For an assembled model, its parts.
    pub parts: Option<EvalParts>,
    /// Whether to say what was answered for every image.
    pub per_image: bool,
    /// Where an image may be of several classes, the probability above which it is of one: 0.5, if none is
    /// given.
    pub threshold: Option<f64>,
}

/// The model that a component is compared with.
pub struct EvalSource<'a> {
    /// The model.
    pub model: &'a Classifier,
    /// How it wants its images.
    pub preprocess: &'a Preprocess,
    /// Its index of every class of the component.
    pub classes: Vec<usize>,
}

/// The parts of an assembled model.
pub struct EvalParts {
    /// Their names.
    pub names: Vec<String>,
    /// The part that every class of the model belongs to.
    pub of_class: Vec<usize>,
}

impl Report {
    /// How well the model itself does.
    pub fn own(&self) -> Accuracy {
        Accuracy {
            per_image: self.accuracy_per_image,
            interval: self.accuracy_interval,
            per_class: self.mean_class_accuracy,
        }
    }
}

impl Retrieval {
    /// Of so many images those of which all classes are decided rightly, and the mean recall of the classes.
    fn accuracy(&self, images: usize) -> Accuracy {
        let seen = || self.classes.values().filter(|class| class.images > 0);
        let recall = seen().map(|class| class.recall.share()).sum::<f64>();
        let per_class = Percent::of(recall / seen().count().max(1) as f64);
        let right = (self.all_right.share() * images as f64).round() as usize;
        Accuracy { per_image: self.all_right, interval: bounds(right, images), per_class }
    }
}

/// Accuracy over images and over classes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Accuracy {
    /// Share of images classified correctly.
    pub per_image: Percent,
    /// Its 95 % interval (Wilson 1927).
    pub interval: [Percent; 2],
    /// Mean of the classes' shares.
    pub per_class: Percent,
}

/// How well as many other channels of the source do, without a refit.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ControlAccuracy {
    /// Which channels: `random` ones, or those with the largest weights (`magnitude`).
    pub choose: &'static str,
    /// How well they do.
    #[serde(flatten)]
    pub accuracy: Accuracy,
}

impl ControlAccuracy {
    /// What a table of measurements calls it.
    pub fn name(&self) -> &'static str {
        match self.choose {
            "random" => "as many random channels, no refit",
            _ => "as many of the largest weights, no refit",
        }
    }
}

/// How a model reacts to classes that are none of its own.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Leakage {
    /// Foreign images looked at.
    pub foreign_images: usize,
    /// Probability that the top logit of an own image exceeds that of a foreign one.
    pub auroc: f64,
    /// Share of foreign images whose top logit is above the threshold that accepts 95 % of own ones.
    pub false_accepts_at_95_recall: Percent,
    /// Share of own images accepted at the threshold that at most 5 % of foreign ones pass.
    pub recall_at_5_false_accepts: Percent,
    /// Share of foreign images accepted with a softmax of at least 0.5.
    pub accepts_at_half: Percent,
}

/// Where the images of each part ended up.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct PartConfusion {
    /// Part names.
    pub parts: Vec<String>,
    /// Images by true part (rows) and predicted part (columns).
    pub images: Vec<Vec<usize>>,
    /// Accuracy if every image were sent to its own part: the bound of any calibration.
    pub perfect_routing: Accuracy,
}

/// The measurements.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// Own images looked at.
    pub images: usize,
    /// Share of images classified correctly. For a single class it says nothing: see `leakage`. Where an
    /// image may be of several classes, the share of those for which all are decided rightly.
    pub accuracy_per_image: Percent,
    /// Its 95 % interval (Wilson 1927).
    pub accuracy_interval: [Percent; 2],
    /// Share of images classified correctly, by class. Where an image may be of several, its recall.
    pub accuracy_per_class: BTreeMap<String, Percent>,
    /// Their 95 % intervals.
    pub interval_per_class: BTreeMap<String, [Percent; 2]>,
    /// Mean of the classes' shares.
    pub mean_class_accuracy: Percent,
    /// The source with all its classes, on the same images.
    pub base: Option<Accuracy>,
    /// The source with its scores restricted to the task: the fair comparison.
    pub base_restricted: Option<Accuracy>,
    /// The component before its refit, on the same images.
    pub before_refit: Option<Accuracy>,
    /// Other channels in the same numbers, on the same images, if they are asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub controls: Vec<ControlAccuracy>,
    /// Reaction to foreign classes, if the data has any.
    pub leakage: Option<Leakage>,
    /// The source's leakage for the same task: top logit within the task.
    pub base_leakage: Option<Leakage>,
    /// For assembled models.
    pub parts: Option<PartConfusion>,
    /// What the model's threshold does, if it has one.
    pub reject: Option<Rejection>,
    /// How far the softmax of the answers is from the share of right ones (expected calibration error, Guo
    /// et al. 2017, 15 bins); none where an image may be of several classes.
    pub calibration_error: Option<Percent>,
    /// Images of every class by the class that was answered.
    pub confusion: Confusion,
    /// What was answered for every image, if asked for.
    #[serde(skip)]
    pub records: Vec<ImageRecord>,
    /// How often answers are right that are about equally sure; none where an image may be of several classes.
    pub reliability: Vec<ReliabilityBin>,
    /// A few images with their answers, right ones first.
    #[serde(skip)]
    pub examples: Vec<Example>,
    /// Where an image may be of several classes: average precision and F1.
    pub multilabel: Option<Retrieval>,
}

/// Measures `model` on labelled data.
///
/// # Errors
/// If the data has no sample of the task, or a network cannot run.
pub fn eval(
    model: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    options: &EvalOptions<'_>,
    progress: &dyn Progress,
) -> Result<Report, Error> {
    let jobs = Jobs::of(model.head(), sources, &options.classes);
    if jobs.own.iter().all(Vec::is_empty) {
        return Err(no_image());
    }
    let mut scores = scores(model, preprocess, sources, &jobs, options, progress)?;
    let mut found = report(&mut scores, model, options)?;
    if let Answers::Exclusive(scored) = &scores.model {
        if options.per_image {
            found.records = ImageRecord::all(model, sources, [&jobs.own, &jobs.foreign], scored);
        }
        found.examples = examples(model, sources, &jobs.own, scored)?;
    }
    Ok(found)
}

/// What all models that are asked for give for the images of `jobs`.
///
/// # Errors
/// If an image cannot be read, or a network cannot run.
pub(crate) fn scores(
    model: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    jobs: &Jobs,
    options: &EvalOptions<'_>,
    progress: &dyn Progress,
) -> Result<Scores, Error> {
    let run = |model| Run { model, preprocess };
    let compared = options.source.as_ref();
    let source = compared.map(|other| Run { model: other.model, preprocess: other.preprocess });
    Scores::of(run(model), options.before_refit.map(run), source, sources, jobs, progress)
}

/// What scores come to, but for what is told image by image. Those of the source are taken.
///
/// # Errors
/// If there is no image of the task, or they are not those of these models.
pub(crate) fn report(
    scores: &mut Scores,
    model: &Classifier,
    options: &EvalOptions<'_>,
) -> Result<Report, Error> {
    let several = model.head() == HeadKind::Multilabel;
    scores.model.check(model.class_count(), several)?;
    scores.before_refit.iter().try_for_each(|run| run.check(model.class_count(), several))?;
    let compared = scores.source.take().zip(options.source.as_ref());
    if let Some((run, source)) = &compared {
        run.check(source.model.class_count(), several)?;
    }
    let classes = &options.classes;
    let scored = match &scores.model {
        Answers::Several(decided) => {
            return Ok(of_several(decided, scores.before_refit.as_ref(), compared, model, options));
        }
        Answers::Exclusive(scored) => scored,
    };
    if scored.own.is_empty() {
        return Err(no_image());
    }
    let everything: Vec<usize> = (0..model.class_count()).collect();
    let mut report = Report::of(scored, classes, &model.class_names(), model.card());
    report.parts = options.parts.as_ref().map(|parts| confusion(&scored.own, classes, parts));
    if let Some(Answers::Exclusive(bare)) = &scores.before_refit {
        report.before_refit = Some(Tally::of(&bare.own, &everything, classes).accuracy());
    }
    if let Some((Answers::Exclusive(base), other)) = compared {
        report.compare(base, classes, &other.classes, other.model.class_count());
    }
    Ok(report)
}

fn no_image() -> Error {
    Error::options(
        "the data has no sample of the classes asked for; give data of these classes or ask for others \
         (`classes=`)",
    )
}

/// What a model decided of which an image may be of several classes.
fn of_several(
    decided: &Decided,
    before_refit: Option<&Answers>,
    compared: Option<(Answers, &EvalSource<'_>)>,
    model: &Classifier,
    options: &EvalOptions<'_>,
) -> Report {
    let (classes, names, count) = (&options.classes, model.class_names(), decided.len());
    let threshold = options.threshold.unwrap_or(0.5);
    let mut report =
        Report::of_several(count, decided.retrieval(classes, &names, threshold, |k| k));
    if let Some(Answers::Several(bare)) = before_refit {
        report.before_refit =
            Some(bare.retrieval(classes, &names, threshold, |k| k).accuracy(count));
    }
    if let Some((Answers::Several(base), other)) = compared {
        let found =
            base.retrieval(classes, &names, threshold, |k| other.classes[k]).accuracy(count);
        (report.base, report.base_restricted) = (Some(found.clone()), Some(found));
    }
    report
}

impl Report {
    /// What decisions about every class of so many images come to.
    fn of_several(images: usize, found: Retrieval) -> Self {
        let Accuracy { per_image, interval, per_class } = found.accuracy(images);
        let seen = || found.classes.iter().filter(|(_, class)| class.images > 0);
        let interval_of = |class: &ClassRetrieval| {
            bounds((class.recall.share() * class.images as f64).round() as usize, class.images)
        };
        Self {
            controls: Vec::new(),
            images,
            accuracy_per_image: per_image,
            accuracy_interval: interval,
            accuracy_per_class: seen().map(|(name, class)| (name.clone(), class.recall)).collect(),
            interval_per_class: seen().map(|(name, c)| (name.clone(), interval_of(c))).collect(),
            mean_class_accuracy: per_class,
            base: None,
            base_restricted: None,
            before_refit: None,
            leakage: None,
            base_leakage: None,
            parts: None,
            reject: None,
            calibration_error: None,
            confusion: Confusion::new(),
            records: Vec::new(),
            reliability: Vec::new(),
            examples: Vec::new(),
            multilabel: Some(found),
        }
    }

    /// What a model's scores come to on the task `classes`, a list of its own.
    pub(crate) fn of(scored: &Scored, classes: &[usize], names: &[String], card: &Card) -> Self {
        let everything: Vec<usize> = (0..names.len()).collect();
        let component = Tally::of(&scored.own, &everything, classes);
        let whole = card.origin.is_none() && card.parts.is_empty();
        let restricted = || Tally::of(&scored.own, classes, classes).accuracy();
        let confidences = confidences(&scored.own);
        Self {
            controls: Vec::new(),
            images: scored.own.len(),
            accuracy_per_image: component.per_image(),
            accuracy_interval: component.interval(),
            accuracy_per_class: component
                .by_class(names, |part, all| Percent::of(share(part, all))),
            interval_per_class: component.by_class(names, bounds),
            mean_class_accuracy: component.per_class(),
            // A model that was cut from nothing is its own base.
            base: whole.then(|| component.accuracy()),
            base_restricted: whole.then(restricted),
            before_refit: None,
            leakage: leakage(scored, classes),
            base_leakage: None,
            parts: None,
            reject: card.reject.map(|reject| Rejection::of(scored, reject.threshold)),
            calibration_error: Some(Percent::of(calibration_error(&confidences))),
            reliability: reliability(&confidences),
            examples: Vec::new(),
            confusion: answers::confusion(&scored.own, classes, names),
            records: Vec::new(),
            multilabel: None,
        }
    }

    /// Adds what the source's scores come to, with its `count` classes; `indices` says which of them
    /// every class of the model is.
    pub(crate) fn compare(
        &mut self,
        base: Scored,
        classes: &[usize],
        indices: &[usize],
        count: usize,
    ) {
        let base = base.relabelled(indices);
        let task: Vec<usize> = classes.iter().map(|&class| indices[class]).collect();
        let everything: Vec<usize> = (0..count).collect();
        self.base = Some(Tally::of(&base.own, &everything, &task).accuracy());
        self.base_restricted = Some(Tally::of(&base.own, &task, &task).accuracy());
        self.base_leakage = leakage(&base, &task);
    }
}

/// The [interval](wilson) of a share.
fn bounds(part: usize, whole: usize) -> [Percent; 2] {
    wilson(part, whole).map(Percent::of)
}

/// Correct answers by class.
struct Tally {
    classes: Vec<usize>,
    seen: Vec<usize>,
    correct: Vec<usize>,
}

impl Tally {
    /// Judges by the highest logit among `scores`; counts samples of `classes`.
    fn of(own: &[(usize, Vec<f32>)], scores: &[usize], classes: &[usize]) -> Self {
        let mut tally = Self {
            classes: classes.to_vec(),
            seen: vec![0; classes.len()],
            correct: vec![0; classes.len()],
        };
        for (class, logits) in own {
            let Some(place) = classes.iter().position(|c| c == class) else { continue };
            let picked: Vec<f32> = scores.iter().map(|&score| logits[score]).collect();
            tally.seen[place] += 1;
            tally.correct[place] += usize::from(scores[top_class(&picked)] == *class);
        }
        tally
    }

    fn per_image(&self) -> Percent {
        Percent::of(share(self.correct.iter().sum(), self.seen.iter().sum()))
    }

    fn per_class(&self) -> Percent {
        let shares: Vec<f64> = (0..self.classes.len())
            .filter(|&k| self.seen[k] > 0)
            .map(|k| share(self.correct[k], self.seen[k]))
            .collect();
        Percent::of(shares.iter().sum::<f64>() / shares.len().max(1) as f64)
    }

    fn interval(&self) -> [Percent; 2] {
        bounds(self.correct.iter().sum(), self.seen.iter().sum())
    }

    fn accuracy(&self) -> Accuracy {
        Accuracy {
            per_image: self.per_image(),
            interval: self.interval(),
            per_class: self.per_class(),
        }
    }

    /// What `of` makes of the correct and of all images of every class.
    fn by_class<T>(&self, names: &[String], of: fn(usize, usize) -> T) -> BTreeMap<String, T> {
        (0..self.classes.len())
            .filter(|&k| self.seen[k] > 0)
            .map(|k| (names[self.classes[k]].clone(), of(self.correct[k], self.seen[k])))
            .collect()
    }
}

/// The softmax of every answer, and whether it is right.
fn confidences(own: &[(usize, Vec<f32>)]) -> Vec<(f64, bool)> {
    let answer = |(class, logits): &(usize, Vec<f32>)| {
        let top = top_class(logits);
        (probability(logits, top), top == *class)
    };
    own.iter().map(answer).collect()
}

fn leakage(scored: &Scored, classes: &[usize]) -> Option<Leakage> {
    if scored.foreign.is_empty() {
        return None;
    }
    let top =
        |logits: &Vec<f32>| classes.iter().map(|&c| logits[c]).fold(f32::NEG_INFINITY, f32::max);
    let own: Vec<f32> = sorted(scored.own.iter().map(|(_, logits)| top(logits)));
    let foreign: Vec<f32> = sorted(scored.foreign.iter().map(top));
    let half = |logits: &Vec<f32>| {
        let top = top(logits);
        classes.iter().map(|&c| (logits[c] - top).exp()).sum::<f32>() <= 2.0
    };
    let at_recall = own[own.len() / 20];
    let at_accepts = foreign[foreign.len() - 1 - foreign.len() / 20];
    let at_half = scored.foreign.iter().filter(|logits| half(logits)).count();
    Some(Leakage {
        foreign_images: foreign.len(),
        auroc: auroc(&own, &foreign),
        false_accepts_at_95_recall: Percent::of(share_from(&foreign, |x| x >= at_recall)),
        recall_at_5_false_accepts: Percent::of(share_from(&own, |x| x > at_accepts)),
        accepts_at_half: Percent::of(share(at_half, foreign.len())),
    })
}

/// Area under the ROC curve of two sorted lists: the probability that a member of `high` exceeds
/// one of `low`, ties counting half.
fn auroc(high: &[f32], low: &[f32]) -> f64 {
    let (mut below, mut equal, mut wins) = (0, 0, 0.0);
    for x in high {
        while below < low.len() && low[below] < *x {
            below += 1;
        }
        equal = equal.max(below);
        while equal < low.len() && low[equal] <= *x {
            equal += 1;
        }
        wins += below as f64 + (equal - below) as f64 / 2.0;
    }
    wins / (high.len() as f64 * low.len() as f64)
}

fn confusion(own: &[(usize, Vec<f32>)], classes: &[usize], parts: &EvalParts) -> PartConfusion {
    let EvalParts { names, of_class: part_of } = parts;
    let mut images = vec![vec![0; names.len()]; names.len()];
    for (class, logits) in own {
        let picked: Vec<f32> = classes.iter().map(|&score| logits[score]).collect();
        images[part_of[*class]][part_of[classes[top_class(&picked)]]] += 1;
    }
    let mut routed = Tally { classes: Vec::new(), seen: Vec::new(), correct: Vec::new() };
    for part in 0..names.len() {
        let members: Vec<usize> = classes.iter().copied().filter(|&c| part_of[c] == part).collect();
        let tally = Tally::of(own, &members, &members);
        routed.classes.extend(tally.classes);
        routed.seen.extend(tally.seen);
        routed.correct.extend(tally.correct);
    }
    PartConfusion { parts: names.clone(), images, perfect_routing: routed.accuracy() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auroc_counts_ties_half() {
        assert_eq!(auroc(&[2.0, 3.0], &[0.0, 1.0]), 1.0);
        assert_eq!(auroc(&[0.0, 1.0], &[2.0, 3.0]), 0.0);
        assert_eq!(auroc(&[1.0, 1.0], &[1.0]), 0.5);
        assert_eq!(auroc(&[1.0, 3.0], &[0.0, 2.0]), 0.75);
    }

    #[test]
    fn restricting_scores_changes_the_judgement() {
        let own =
            vec![(0, vec![1.0, 0.0, 2.0]), (1, vec![0.0, 3.0, 1.0]), (0, vec![0.0, 1.0, 0.0])];
        assert_eq!(Tally::of(&own, &[0, 1, 2], &[0, 1]).correct, [0, 1]);
        let restricted = Tally::of(&own, &[0, 1], &[0, 1]);
        assert_eq!(restricted.correct, [1, 1]);
        assert_eq!(restricted.per_image().share(), 2.0 / 3.0);
        assert_eq!(restricted.per_class().share(), 0.75);
    }

    #[test]
    fn confusion_and_routing() {
        // Two parts of two classes; the third image goes to the wrong part.
        let own = vec![
            (0, vec![2.0, 0.0, 1.0, 0.0]),
            (2, vec![0.0, 0.0, 5.0, 0.0]),
            (3, vec![4.0, 0.0, 0.0, 1.0]),
        ];
        let names = vec!["a".to_owned(), "b".to_owned()];
        let parts = EvalParts { names, of_class: vec![0, 0, 1, 1] };
        let found = confusion(&own, &[0, 1, 2, 3], &parts);
        assert_eq!(found.images, [[1, 0], [1, 1]]);
        assert_eq!(found.perfect_routing.per_image.share(), 1.0);
    }

    #[test]
    fn leakage_measures_both_ways() {
        let scored = Scored {
            own: (0..100).map(|k| (0, vec![k as f32 + 50.0])).collect(),
            foreign: (0..100).map(|k| vec![k as f32]).collect(),
        };
        let found = leakage(&scored, &[0]).unwrap();
        assert_eq!(found.accepts_at_half.share(), 1.0);
        assert!((found.false_accepts_at_95_recall.share() - 0.45).abs() < 1e-9);
        // Five foreign ones are above 94, as are 95 to 149 of the own.
        assert!((found.recall_at_5_false_accepts.share() - 0.55).abs() < 1e-9);
        assert!((found.auroc - 0.87625).abs() < 2e-3);
    }
}
