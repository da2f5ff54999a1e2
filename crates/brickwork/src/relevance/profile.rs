//! Profiles: for every class, how much each input channel of each layer contributes.
//!
//! A profile does not hold contributions but what they are made of, so that profiles of parts of
//! the data can be merged to exactly the profile of the whole: for chosen samples the sums of
//! their channels at every kernel tap, and for `all` samples order-independent totals.

use std::collections::BTreeMap;

use brickwork_data::Preprocess;
use brickwork_exec::{Fetched, Session};
use brickwork_formats::same_fingerprint;
use brickwork_graph::{Graph, ValueId};
use brickwork_tensor::kernels::contribution::{TapWeights, add_positive, add_signed};
use brickwork_tensor::kernels::exact::ExactSums;
use brickwork_tensor::{Level, Tensor};
use serde::{Deserialize, Serialize};

use crate::images::select::{
    ClassSamples, Sample, Sampling, most_confident_first, ranked, refuse_empty,
};
use crate::images::source::Source;
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Refusal};
use crate::model::layers::{LayerInfo, layers};
use crate::model::progress::Progress;
use crate::model::provenance::Provenance;

/// What a profile is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Format version.
    pub format: u32,
    /// The model's name.
    pub model: String,
    /// The model's fingerprint.
    pub fingerprint: String,
    /// All class names of the model.
    pub classes: Vec<String>,
    /// How pixels became the network's input.
    pub preprocess: Preprocess,
    /// How samples were chosen.
    pub sampling: Sampling,
    /// Names of the data sets, in order.
    pub data: Vec<String>,
    /// The profiled classes and their samples, by class.
    pub samples: Vec<ClassSamples>,
    /// Names of the profiled layers, in running order.
    pub layers: Vec<String>,
    /// How its file was made, if it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// What is known of one layer for one class.
#[derive(Clone, Debug, PartialEq)]
pub enum LayerSums {
    /// For each chosen sample, most confident first, the sums of its input channels over the output
    /// grid at every tap: `[samples, taps, inputs]`.
    Samples(Tensor),
    /// Totals over all samples: for a layer with one tap the positive and negative parts of the
    /// sums `[2, inputs]`, else positive contributions `[outputs, inputs of a group]`.
    Totals(ExactSums),
}

/// A profile.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// What it is of.
    pub header: Header,
    /// For each profiled class (as in the header), for each layer, what is known.
    pub sums: Vec<Vec<LayerSums>>,
}

/// The format version written.
pub(crate) const FORMAT: u32 = 1;

/// What the sums of a layer hold, whatever the samples.
#[derive(Clone, Copy, PartialEq)]
enum SumsShape {
    /// Taps and inputs.
    Samples([usize; 2]),
    /// Numbers.
    Totals(usize),
}

impl SumsShape {
    /// Of a layer, when totals are kept or when samples are.
    fn of(layer: &LayerInfo, totals: bool) -> Self {
        let weighted = &layer.weighted;
        match (totals, weighted.taps()) {
            (false, taps) => Self::Samples([taps, weighted.inputs]),
            (true, 1) => Self::Totals(2 * weighted.inputs),
            (true, _) => Self::Totals(weighted.outputs * weighted.inputs / weighted.groups),
        }
    }
}

/// The layers that are profiled. A depthwise layer's channels contribute to themselves alone.
fn profiled(graph: &Graph) -> impl Iterator<Item = LayerInfo> {
    layers(graph).into_iter().filter(|layer| !layer.weighted.is_depthwise())
}

impl LayerSums {
    fn shape(&self) -> SumsShape {
        match self {
            Self::Samples(sums) => SumsShape::Samples([sums.shape()[1], sums.shape()[2]]),
            Self::Totals(totals) => SumsShape::Totals(totals.len()),
        }
    }
}

/// What to profile.
#[derive(Clone, Debug)]
pub struct ProfileOptions {
    /// The model's classes to profile.
    pub classes: Vec<usize>,
    /// How many samples of each.
    pub sampling: Sampling,
    /// Use these samples of the first data set instead: for each class, places in the data.
    pub given: Option<BTreeMap<usize, Vec<usize>>>,
}

/// Profiles a classifier.
///
/// Memory grows with the number of classes asked for and the samples chosen of each, not with the
/// data.
///
/// # Errors
/// If a class has no sample to take, or the model cannot run.
pub fn profile(
    classifier: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    options: &ProfileOptions,
    progress: &dyn Progress,
) -> Result<Profile, Error> {
    measured(classifier, preprocess, sources, options, true, progress)
}

/// [`profile`] of a part of the data, which may have no sample of a class: others add theirs.
pub(crate) fn profile_part(
    classifier: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    options: &ProfileOptions,
    progress: &dyn Progress,
) -> Result<Profile, Error> {
    measured(classifier, preprocess, sources, options, false, progress)
}

/// The profile. If it is of `all` data, every class must have samples.
fn measured(
    classifier: &Classifier,
    preprocess: &Preprocess,
    sources: &[Source],
    options: &ProfileOptions,
    all: bool,
    progress: &dyn Progress,
) -> Result<Profile, Error> {
    refuse_twins(sources)?;
    let mut classes = options.classes.clone();
    classes.sort_unstable();
    classes.dedup();
    let samples = match (&options.given, options.sampling) {
        (Some(given), _) => given_samples(sources, &classes, given)?,
        (None, Sampling::All) => labelled_samples(sources, &classes),
        (None, sampling) => ranked(classifier, preprocess, sources, &classes, sampling, progress)?,
    };
    if all {
        refuse_empty(&classifier.class_names(), &samples, options.sampling)?;
    }
    let plan = ProfilingPlan::new(
        classifier,
        options.given.is_none() && options.sampling == Sampling::All,
    );
    let mut sums: Vec<Vec<LayerSums>> = samples.iter().map(|class| plan.empty(class)).collect();
    let jobs = jobs(sources, &samples, plan.totals);
    progress.begin("profiling", jobs.iter().map(|job| job.len() as u64).sum());
    let mut session = classifier.session(&plan.taps);
    for (source, job) in sources.iter().zip(&jobs) {
        let places = Places::new(source, &samples, plan.totals);
        source.for_each_batch(job, classifier.batch_size(), preprocess, |indices, images| {
            let slots: Vec<(usize, usize)> =
                indices.iter().map(|&index| places.of(source, index)).collect();
            session.run(indices.len(), &[images.data()], |tap, value| {
                plan.observe(tap, &value, &slots, &mut sums);
            })?;
            progress.advance(indices.len() as u64)?;
            Ok(())
        })?;
    }
    for (class, sums) in samples.iter().zip(&sums) {
        check_range(class, plan.layers.iter().map(|layer| &layer.info.name).zip(sums))?;
    }
    let header = Header {
        format: FORMAT,
        model: classifier.name.clone(),
        fingerprint: classifier.fingerprint(),
        classes: classifier.class_names(),
        preprocess: preprocess.clone(),
        sampling: options.sampling,
        data: sources.iter().map(|source| source.name.clone()).collect(),
        samples,
        layers: plan.layers.iter().map(|layer| layer.info.name.clone()).collect(),
        provenance: None,
    };
    Ok(Profile { header, sums })
}

/// Samples are known by data set and place, so data sets must be told apart.
fn refuse_twins(sources: &[Source]) -> Result<(), Error> {
    for (k, source) in sources.iter().enumerate() {
        if sources[..k].iter().any(|other| other.name == source.name) {
            return Err(Error::options(format!(
                "two data sets are called `{}`; name them apart (`data=NAME=PATH`)",
                source.name
            )));
        }
    }
    Ok(())
}

/// The samples the caller names, in the caller's order.
fn given_samples(
    sources: &[Source],
    classes: &[usize],
    given: &BTreeMap<usize, Vec<usize>>,
) -> Result<Vec<ClassSamples>, Error> {
    let Some(source) = sources.first() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for &class in classes {
        let indices = given.get(&class).filter(|indices| !indices.is_empty());
        let indices = indices
            .ok_or_else(|| Error::profile(format!("no samples are given for class {class}")))?;
        let mut taken = Vec::new();
        for (k, &index) in indices.iter().enumerate() {
            let refuse = |why: &str| {
                Err(Error::profile(format!("sample {index} of `{}` is given {why}", source.name)))
            };
            if source.find(index).and_then(|sample| source.class(sample)) != Some(class) {
                return refuse(&format!("for class {class} but is not labelled so"));
            }
            if indices[..k].contains(&index) {
                return refuse("twice");
            }
            taken.push(Sample { data: source.name.clone(), index, margin: 0.0 });
        }
        let count = taken.len();
        found.push(ClassSamples {
            class,
            seen: count,
            correct: count,
            taken,
            ..Default::default()
        });
    }
    Ok(found)
}

/// Every labelled sample of the classes, counted.
fn labelled_samples(sources: &[Source], classes: &[usize]) -> Vec<ClassSamples> {
    let mut found = Vec::new();
    for &class in classes {
        let all: BTreeMap<String, Vec<usize>> = sources
            .iter()
            .map(|source| {
                let mut places: Vec<usize> = source.samples_of(&[class]);
                places.iter_mut().for_each(|index| *index = source.dataset.origin(*index));
                places.sort_unstable();
                (source.name.clone(), places)
            })
            .filter(|(_, places)| !places.is_empty())
            .collect();
        let seen = all.values().map(Vec::len).sum();
        found.push(ClassSamples { class, seen, all, ..ClassSamples::default() });
    }
    found
}

/// The samples to run of each source, in order of their place.
fn jobs(sources: &[Source], samples: &[ClassSamples], totals: bool) -> Vec<Vec<usize>> {
    let classes: Vec<usize> = samples.iter().map(|class| class.class).collect();
    sources
        .iter()
        .map(|source| {
            if totals {
                // Class by class: a batch then adds to the totals of one class.
                return classes.iter().flat_map(|&class| source.samples_of(&[class])).collect();
            }
            let places = Places::new(source, samples, totals);
            let chosen = |index: &usize| places.chosen.contains_key(&source.dataset.origin(*index));
            (0..source.dataset.len()).filter(chosen).collect()
        })
        .collect()
}

/// Where a sample's sums go: (place of its class, place among the class's samples).
struct Places {
    classes: BTreeMap<usize, usize>,
    chosen: BTreeMap<usize, (usize, usize)>,
}

impl Places {
    fn new(source: &Source, samples: &[ClassSamples], totals: bool) -> Self {
        let classes = samples.iter().enumerate().map(|(slot, class)| (class.class, slot)).collect();
        let mut chosen = BTreeMap::new();
        for (slot, class) in samples.iter().enumerate().filter(|_| !totals) {
            for (place, sample) in class.taken.iter().enumerate() {
                if sample.data == source.name {
                    chosen.insert(sample.index, (slot, place));
                }
            }
        }
        Self { classes, chosen }
    }

    fn of(&self, source: &Source, index: usize) -> (usize, usize) {
        if let Some(&place) = self.chosen.get(&source.dataset.origin(index)) {
            return place;
        }
        let class = source.class(index).and_then(|class| self.classes.get(&class));
        (class.copied().unwrap_or(0), 0)
    }
}

/// What to look at while the network runs.
struct ProfilingPlan {
    totals: bool,
    taps: Vec<ValueId>,
    layers: Vec<PlannedLayer>,
}

struct PlannedLayer {
    info: LayerInfo,
    tap: usize,
    grid: [usize; 2],
    weights: Option<TapWeights>,
}

impl ProfilingPlan {
    fn new(classifier: &Classifier, totals: bool) -> Self {
        let graph = classifier.graph();
        let mut taps: Vec<ValueId> = Vec::new();
        let mut planned = Vec::new();
        for info in profiled(graph) {
            let tap = taps.iter().position(|&value| value == info.input).unwrap_or_else(|| {
                taps.push(info.input);
                taps.len() - 1
            });
            let weights = (totals && info.weighted.taps() > 1).then(|| info.tap_weights(graph));
            planned.push(PlannedLayer { grid: info.grid(graph), info, tap, weights });
        }
        Self { totals, taps, layers: planned }
    }

    fn empty(&self, class: &ClassSamples) -> Vec<LayerSums> {
        let empty = |layer: &PlannedLayer| match SumsShape::of(&layer.info, self.totals) {
            SumsShape::Samples(each) => {
                LayerSums::Samples(Tensor::filled([class.taken.len(), each[0], each[1]], 0.0))
            }
            SumsShape::Totals(len) => LayerSums::Totals(ExactSums::zeros(len)),
        };
        self.layers.iter().map(empty).collect()
    }

    fn observe(
        &self,
        tap: usize,
        value: &Fetched<'_>,
        slots: &[(usize, usize)],
        sums: &mut [Vec<LayerSums>],
    ) {
        for (place, layer) in self.layers.iter().enumerate().filter(|(_, layer)| layer.tap == tap) {
            let channel_sums = layer.info.channel_sums(layer.grid, value);
            match &layer.weights {
                _ if !self.totals => layer.keep(&channel_sums, slots, place, sums),
                weights => layer.add_up(weights.as_ref(), &channel_sums, slots, place, sums),
            }
        }
    }
}

/// That the totals of a class, by the name of their layer, stayed where they are exact.
///
/// # Errors
/// If they did not.
fn check_range<'a>(
    class: &ClassSamples,
    sums: impl Iterator<Item = (&'a String, &'a LayerSums)>,
) -> Result<(), Error> {
    for (name, sums) in sums {
        if let LayerSums::Totals(totals) = sums
            && !totals.is_exact(class.seen as u64)
        {
            let message = format!(
                "the sums of layer `{name}` leave the range in which they are exact (2^37, a million \
                 samples); profile fewer samples at a time"
            );
            let layer = Some(name.clone());
            return Err(Error::profile(Refusal { message, layer, ..Refusal::default() }));
        }
    }
    Ok(())
}

impl PlannedLayer {
    fn keep(
        &self,
        channel_sums: &[f32],
        slots: &[(usize, usize)],
        place: usize,
        sums: &mut [Vec<LayerSums>],
    ) {
        let each = self.info.weighted.taps() * self.info.weighted.inputs;
        for (sample, &(class, at)) in channel_sums.chunks(each).zip(slots) {
            if let LayerSums::Samples(kept) = &mut sums[class][place] {
                kept.data_mut()[at * each..(at + 1) * each].copy_from_slice(sample);
            }
        }
    }

    fn add_up(
        &self,
        weights: Option<&TapWeights>,
        channel_sums: &[f32],
        slots: &[(usize, usize)],
        place: usize,
        sums: &mut [Vec<LayerSums>],
    ) {
        let each = self.info.weighted.taps() * self.info.weighted.inputs;
        for (class, sums) in sums.iter_mut().enumerate() {
            let own: Vec<f32> = channel_sums
                .chunks(each)
                .zip(slots)
                .filter(|(_, slot)| slot.0 == class)
                .flat_map(|(sample, _)| sample.iter().copied())
                .collect();
            if let LayerSums::Totals(totals) = &mut sums[place] {
                add_samples(weights, &own, self.info.weighted.inputs, totals);
            }
        }
    }
}

/// Adds samples of one class to its totals.
fn add_samples(weights: Option<&TapWeights>, sums: &[f32], inputs: usize, totals: &mut ExactSums) {
    match weights {
        Some(weights) => add_positive(weights, sums, totals, Level::best()),
        None => add_signed(sums, &vec![0; sums.len() / inputs], inputs, totals, Level::best()),
    }
}

/// One profiling pass over batches of images, for measuring what it costs.
pub struct ProfilingPass {
    session: Session,
    plan: ProfilingPlan,
    slots: Vec<(usize, usize)>,
    sums: Vec<Vec<LayerSums>>,
}

/// A pass over batches whose images have the given labels.
pub fn profiling_pass(
    classifier: &Classifier,
    labels: &[usize],
    sampling: Sampling,
) -> ProfilingPass {
    let plan = ProfilingPlan::new(classifier, sampling == Sampling::All);
    let classes = labels.iter().max().map_or(0, |last| last + 1);
    let mut slots = Vec::new();
    let mut samples: Vec<ClassSamples> =
        (0..classes).map(|class| ClassSamples { class, ..ClassSamples::default() }).collect();
    for (index, &label) in labels.iter().enumerate() {
        slots.push((label, samples[label].taken.len()));
        samples[label].taken.push(Sample { data: String::new(), index, margin: 0.0 });
    }
    let sums = samples.iter().map(|class| plan.empty(class)).collect();
    let session = Session::new(classifier.graph().clone(), &plan.taps).for_batches_of(labels.len());
    ProfilingPass { session, plan, slots, sums }
}

impl ProfilingPass {
    /// Runs one batch.
    ///
    /// # Errors
    /// If the images do not fit.
    pub fn run(&mut self, images: &Tensor) -> Result<(), Error> {
        let (plan, slots, sums) = (&self.plan, &self.slots, &mut self.sums);
        self.session.run(images.shape()[0], &[images.data()], |tap, value| {
            plan.observe(tap, &value, slots, sums);
        })?;
        Ok(())
    }
}

impl Profile {
    /// The place of `class` in the profile.
    ///
    /// # Errors
    /// If the profile does not hold it.
    pub fn place(&self, class: usize) -> Result<usize, Error> {
        let samples = &self.header.samples;
        let held = || (0..samples.len()).filter(|&place| self.count(place) > 0);
        held().find(|&place| samples[place].class == class).ok_or_else(|| {
            let name = self.header.classes.get(class).map_or("?", String::as_str);
            let known: Vec<&str> =
                held().map(|place| self.header.classes[samples[place].class].as_str()).collect();
            let message = format!(
                "class `{name}` is not in the profile, which holds {}; profile it too (and `merge=`)",
                known.join(", ")
            );
            Error::profile(Refusal { message, class: Some(name.to_owned()), ..Refusal::default() })
        })
    }

    /// Number of samples behind the class at `place`; none where a part of the data has none of it.
    pub fn count(&self, place: usize) -> usize {
        let entry = &self.header.samples[place];
        let all = self.header.sampling == Sampling::All && entry.taken.is_empty();
        if all { entry.seen } else { entry.taken.len() }
    }

    /// The profile of `present` classes alone, as it is of all data.
    ///
    /// # Errors
    /// If one of them has no sample, or totals left the range in which they are exact.
    pub(crate) fn finished(mut self, present: &[usize]) -> Result<Self, Error> {
        let Self { header, sums } = &mut self;
        let samples = std::mem::take(&mut header.samples).into_iter().zip(std::mem::take(sums));
        let mut kept: Vec<_> =
            samples.filter(|(entry, _)| present.contains(&entry.class)).collect();
        // Parts of the data hold the classes that they have samples of.
        kept.sort_by_key(|(entry, _)| entry.class);
        (header.samples, *sums) = kept.into_iter().unzip();
        refuse_empty(&header.classes, &header.samples, header.sampling)?;
        for (class, sums) in header.samples.iter().zip(&*sums) {
            check_range(class, header.layers.iter().zip(sums))?;
        }
        Ok(self)
    }

    /// Mean positive contributions of the class at `place` to a layer: `[outputs, inputs of a
    /// group]`, `V[o, i]` = mean over samples of `max(s[o, i], 0)` (Model LEGO, section 3.1).
    pub fn contributions(
        &self,
        place: usize,
        layer: usize,
        info: &LayerInfo,
        weights: &TapWeights,
    ) -> Tensor {
        let scale = 1.0 / self.count(place).max(1) as f64;
        let (outputs, inputs, channels) = (weights.outputs, weights.inputs, info.weighted.inputs);
        let single = weights.taps == 1;
        let made;
        let totals = match &self.sums[place][layer] {
            LayerSums::Totals(totals) => totals,
            LayerSums::Samples(sums) => {
                let len = if single { 2 * channels } else { outputs * inputs };
                let mut totals = ExactSums::zeros(len);
                add_samples((!single).then_some(weights), sums.data(), channels, &mut totals);
                made = totals;
                &made
            }
        };
        let values: Vec<f64> = totals.values().collect();
        let data = (0..outputs * inputs).map(|k| {
            let total = if single {
                let group = k / inputs / (outputs / weights.groups);
                let (input, w) = (group * inputs + k % inputs, f64::from(weights.data[k]));
                w * values[if w > 0.0 { input } else { channels + input }]
            } else {
                values[k]
            };
            (total * scale) as f32
        });
        Tensor::new([outputs, inputs], data.collect())
    }

    /// Joins profiles of parts of the data, or of different classes, to exactly the profile that
    /// one run over all of it would give.
    ///
    /// # Errors
    /// If they are not of one model and preprocessing, were sampled differently or by percentage,
    /// share samples, or were written by different versions and not [renewed](Self::renewed).
    pub fn merge(parts: Vec<Self>) -> Result<Self, Error> {
        let mut parts = parts.into_iter();
        let mut whole =
            parts.next().ok_or_else(|| Error::profile("nothing to merge".to_owned()))?;
        for part in parts {
            whole.join(part)?;
        }
        let Self { header, sums } = whole;
        let mut classes: Vec<(ClassSamples, Vec<LayerSums>)> =
            header.samples.into_iter().zip(sums).collect();
        classes.sort_by_key(|(entry, _)| entry.class);
        let (samples, sums) = classes.into_iter().unzip();
        Ok(Self { header: Header { samples, provenance: None, ..header }, sums })
    }

    /// Whether the sums have the shapes they have for this model.
    pub(crate) fn fits(&self, classifier: &Classifier) -> bool {
        let layers: Vec<LayerInfo> = profiled(classifier.graph()).collect();
        let fits = |sums: &Vec<LayerSums>| {
            let totals = sums.iter().any(|layer| matches!(layer, LayerSums::Totals(_)));
            let expected = layers.iter().map(|layer| SumsShape::of(layer, totals));
            expected.eq(sums.iter().map(LayerSums::shape))
        };
        layers.iter().map(|layer| &layer.name).eq(&self.header.layers) && self.sums.iter().all(fits)
    }

    /// Adds a profile of another part of the data, or of other classes, which then stand at the end.
    ///
    /// # Errors
    /// As [`merge`](Self::merge).
    pub(crate) fn join(&mut self, other: Self) -> Result<(), Error> {
        let (a, b) = (&self.header, &other.header);
        let Some(same) = same_fingerprint(&a.fingerprint, &b.fingerprint) else {
            return Err(Error::profile(format!(
                "profiles of `{}` and `{}` were written by different versions; name the model that they are \
                 of (`model=`), so that it can be seen that they are of one",
                a.model, b.model
            )));
        };
        if !same || (&a.preprocess, &a.layers) != (&b.preprocess, &b.layers) {
            return Err(Error::profile(format!(
                "profiles of `{}` and `{}` are of different models or preprocessing",
                a.model, b.model
            )));
        }
        if self.header.sampling != other.header.sampling {
            return Err(Error::profile("the profiles were sampled differently".to_owned()));
        }
        let shapes = |sums: &[LayerSums]| sums.iter().map(LayerSums::shape).collect::<Vec<_>>();
        if let (Some(own), Some(others)) = (self.sums.first(), other.sums.first())
            && shapes(own) != shapes(others)
        {
            return Err(shapes_differ());
        }
        for name in other.header.data {
            if !self.header.data.contains(&name) {
                self.header.data.push(name);
            }
        }
        for (entry, sums) in other.header.samples.into_iter().zip(other.sums) {
            match self.header.samples.iter().position(|known| known.class == entry.class) {
                None => {
                    self.header.samples.push(entry);
                    self.sums.push(sums);
                }
                Some(place) => self.join_class(place, entry, sums)?,
            }
        }
        Ok(())
    }

    fn join_class(
        &mut self,
        place: usize,
        other: ClassSamples,
        sums: Vec<LayerSums>,
    ) -> Result<(), Error> {
        let (data, sampling) = (self.header.data.clone(), self.header.sampling);
        let shapes = |sums: &[LayerSums]| sums.iter().map(LayerSums::shape).collect::<Vec<_>>();
        if shapes(&self.sums[place]) != shapes(&sums) {
            return Err(shapes_differ());
        }
        let entry = &mut self.header.samples[place];
        let name = &self.header.classes[entry.class];
        let refuse = |message: String| {
            let class = Some(name.clone());
            Err(Error::profile(Refusal { message, class, ..Refusal::default() }))
        };
        if let Some((data, index)) = shared_sample(entry, &other) {
            return refuse(format!(
                "sample {index} of `{data}` (class {name}) is in both profiles; profile different \
                 parts of the data (`part=1/2`, `part=2/2`)"
            ));
        }
        if let Sampling::Percent(_) = sampling {
            return refuse(format!(
                "class {name} is in both profiles, and a percentage of two parts is not that of the \
                 whole; profile with a count or all to merge parts of a class"
            ));
        }
        // Where each sample's sums stand now: in this profile or, behind them, in the other.
        let mut order: Vec<(Sample, usize)> =
            entry.taken.drain(..).chain(other.taken).enumerate().map(|(k, s)| (s, k)).collect();
        let mut sorted: Vec<Sample> = order.iter().map(|(s, _)| s.clone()).collect();
        most_confident_first(&mut sorted, &data);
        order.sort_by_key(|(s, _)| {
            sorted.iter().position(|t| (&t.data, t.index) == (&s.data, s.index))
        });
        if let Sampling::Count(count) = sampling {
            order.truncate(count);
        }
        let rows: Vec<usize> = order.iter().map(|(_, row)| *row).collect();
        entry.taken = order.into_iter().map(|(sample, _)| sample).collect();
        entry.seen += other.seen;
        entry.correct += other.correct;
        for (data, places) in other.all {
            let own = entry.all.entry(data).or_default();
            own.extend(places);
            own.sort_unstable();
        }
        for (own, theirs) in self.sums[place].iter_mut().zip(sums) {
            match (own, theirs) {
                (LayerSums::Samples(a), LayerSums::Samples(b)) => {
                    *a = Tensor::concat(&[&*a, &b], 0).take(0, &rows);
                }
                (LayerSums::Totals(a), LayerSums::Totals(b)) => a.join(&b),
                _ => {
                    return Err(Error::profile("the profiles were sampled differently".to_owned()));
                }
            }
        }
        Ok(())
    }
}

fn shapes_differ() -> Error {
    Error::profile("the profiles' arrays differ in shape; one was changed after it was made")
}

/// A sample that two profiles of a class are both made of: its data set and place.
fn shared_sample<'a>(a: &'a ClassSamples, b: &'a ClassSamples) -> Option<(&'a str, usize)> {
    let chosen =
        a.taken.iter().find(|s| b.taken.iter().any(|t| (&t.data, t.index) == (&s.data, s.index)));
    let of_all = || {
        a.all.iter().find_map(|(data, places)| {
            let others = b.all.get(data)?;
            let twice = places.iter().find(|place| others.binary_search(place).is_ok())?;
            Some((data.as_str(), *twice))
        })
    };
    chosen.map(|sample| (sample.data.as_str(), sample.index)).or_else(of_all)
}
