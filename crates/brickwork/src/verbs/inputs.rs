//! From what a request names to models, data and preprocessing.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use brickwork_data::{DataError, Dataset, Preprocess, Split};
use brickwork_formats::onnx::ReadOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Context;
use super::forms::Portion;
use super::memory::{self, InMemory, Memory};
use super::pixels::PixelInput;
use crate::images::account::{DataAccount, LeftOut, SetAccount, TakenSet};
use crate::images::labels::LabelTable;
use crate::images::matching::{Matching, Numbered};
use crate::images::seen::Seen;
use crate::images::source::Source;
use crate::model::card::{Card, Part, Rule, Thresholds};
use crate::model::classes;
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::model::head::{HeadKind, HeadOptions};
use crate::model::names::{are_whole, first_few, number, numbered_out_of_order};

/// Which model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ModelInput {
    /// The model, an ONNX file
    pub model: PathBuf,
    /// Take weights of matching names from this safetensors file
    pub weights: Option<PathBuf>,
    /// What its scores mean, where the model does not tell: single is a score for each class, of which an
    /// image has one; binary is one score that tells two classes apart; multilabel is a score for each
    /// class, of which an image may have several
    pub head: Option<HeadKind>,
    /// The output that has the class scores, by name, or any value to take for it [default: the only one
    /// that can be scores]
    pub scores: Option<String>,
    /// The axis of the output that holds the classes, counted from 0; scores are averaged over all others but
    /// the batch [default: the only one on which there are several]
    pub class_axis: Option<usize>,
}

impl ModelInput {
    /// The model in this file, as it is.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { model: path.into(), ..Self::default() }
    }

    /// Loads it, with the class names that `pixels` gives.
    ///
    /// # Errors
    /// If a file cannot be read, the model is no image classifier, or the names are not as many as its
    /// classes.
    pub fn load(&self, pixels: &PixelInput, context: &Context<'_>) -> Result<Classifier, Error> {
        let names = pixels.class_names()?;
        let head = HeadOptions {
            kind: self.head,
            class_axis: self.class_axis,
            names: names.as_ref().map_or(0, Vec::len),
        };
        let reading = ReadOptions { output: self.scores.clone(), ..pixels.reading() };
        let model = read(&self.model, &reading, self.weights.as_deref(), &head, context)?;
        let Some(names) = names else { return Ok(model) };
        if names.len() != model.class_count() {
            return Err(Error::options(format!(
                "`class_names=` gives {} names, the model has {} classes",
                names.len(),
                model.class_count()
            )));
        }
        model.with_classes(names)
    }
}

/// Loads a model by its path alone.
///
/// # Errors
/// If the file cannot be read or the model is no image classifier.
pub(super) fn load(path: &Path, context: &Context<'_>) -> Result<Classifier, Error> {
    read(path, &ReadOptions::default(), None, &HeadOptions::default(), context)
}

/// The model of this name, of which more may be said than stands in its file.
fn read(
    name: &Path,
    options: &ReadOptions,
    swap: Option<&Path>,
    head: &HeadOptions,
    context: &Context<'_>,
) -> Result<Classifier, Error> {
    let called = memory::stem_of(name);
    match context.held(name)? {
        None => Classifier::load_as(name, options, swap, head),
        Some(InMemory::File(bytes)) => Classifier::decode_as(called, &bytes, options, swap, head),
        Some(InMemory::Model(model)) => {
            let plain = *options == ReadOptions::default() && *head == HeadOptions::default();
            if plain && swap.is_none() {
                return Ok(*model);
            }
            Classifier::decode_as(called, &model.encode()?, options, swap, head)
        }
        Some(_) => Err(Error::options(format!("`{}` is no model", name.display()))),
    }
}

/// How contributions become relevant channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LinkInput {
    /// An input counts for an output of a convolution above this relative contribution
    pub alpha_conv: f32,
    /// An input of a convolution is relevant above this relative count
    pub beta_conv: f32,
    /// As `alpha_conv=`, for linear layers
    pub alpha_linear: f32,
    /// As `beta_conv=`, for linear layers
    pub beta_linear: f32,
    /// How relevance is linked: along the graph, or as the published code does
    pub rule: Rule,
}

impl Default for LinkInput {
    fn default() -> Self {
        let Thresholds { alpha_conv, beta_conv, alpha_linear, beta_linear } = Thresholds::default();
        Self { alpha_conv, beta_conv, alpha_linear, beta_linear, rule: Rule::default() }
    }
}

impl LinkInput {
    /// Where a relative contribution starts to count.
    pub fn thresholds(&self) -> Thresholds {
        Thresholds {
            alpha_conv: self.alpha_conv,
            beta_conv: self.beta_conv,
            alpha_linear: self.alpha_linear,
            beta_linear: self.beta_linear,
        }
    }

    /// Thresholds that are no shares.
    pub(super) fn problems(&self) -> impl Iterator<Item = Problem> {
        let thresholds = [
            ("alpha_conv", self.alpha_conv),
            ("beta_conv", self.beta_conv),
            ("alpha_linear", self.alpha_linear),
            ("beta_linear", self.beta_linear),
        ];
        let wrong = |(_, value): &(&str, f32)| !(0.0..=1.0).contains(value);
        let told = |(name, value): (&'static str, f32)| {
            Problem::new(name, format!("`{name}={value}` is no number from 0 to 1"))
        };
        thresholds.into_iter().filter(wrong).map(told)
    }
}

/// Which images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DataInput {
    /// Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors; NAME=PATH for
    /// one part of an assembled model. Repeat for several
    pub data: Vec<String>,
    /// Part of the data to use [default: train to profile, refit and calibrate, test to measure]
    pub split: Option<Split>,
    /// Which folder or label is which class: a table of index, WordNet identifier and name, in any usual
    /// form (CSV, JSON, text)
    pub labels: Option<PathBuf>,
    /// Go on where there are no images of a class, or where most images are of none of the classes
    pub allow_missing: bool,
    /// Leave images out that cannot be read
    pub skip_bad: bool,
    /// How they become the model's input.
    #[serde(flatten)]
    pub pixels: PixelInput,
    /// The portion of every data set that is looked at, where others look at the rest.
    #[serde(skip)]
    pub portion: Option<Portion>,
}

/// A data set that was asked for.
pub(super) struct Opened {
    /// What samples are known by.
    pub(super) label: String,
    /// The part of the model that it was given for.
    part: Option<String>,
    pub(super) dataset: Dataset,
    /// Files that cannot be read.
    left_out: Vec<LeftOut>,
}

impl Opened {
    /// A data set that is for the whole model.
    pub(super) fn of(label: String, dataset: Dataset, left_out: Vec<LeftOut>) -> Self {
        Self { label, part: None, dataset, left_out }
    }
}

impl DataInput {
    /// Whether no images are given.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// A problem where no images are given and `why` needs them.
    pub(super) fn needed(&self, why: &str) -> Option<Problem> {
        self.is_empty().then(|| Problem::new("data", format!("{why}: pass `data=`")))
    }

    /// Opens all data sets, in the split `usual` unless another one is asked for.
    ///
    /// # Errors
    /// If one cannot be read, or its images are of several classes at once.
    pub(super) fn open(&self, usual: Split, context: &Context<'_>) -> Result<Vec<Opened>, Error> {
        let opened = self.open_any(usual, context)?;
        opened.iter().try_for_each(|one| {
            let several = one.dataset.has_several();
            if several { Err(several_classes(&one.label)) } else { Ok(()) }
        })?;
        Ok(opened)
    }

    /// [`open`](Self::open) of data whose images may be of several classes at once.
    pub(super) fn open_any(
        &self,
        usual: Split,
        context: &Context<'_>,
    ) -> Result<Vec<Opened>, Error> {
        if self.data.is_empty() {
            return Err(Error::options("no images are given; pass `data=`"));
        }
        let mut found: Vec<Opened> = Vec::new();
        for (k, text) in self.data.iter().enumerate() {
            if self.data[..k].contains(text) {
                return Err(Error::options(format!(
                    "`data={text}` is given twice; its images would count twice"
                )));
            }
            let (part, path) = named(text);
            let part = part.map(str::to_owned);
            let (dataset, left_out) = self.open_one(&path, usual, context)?;
            let mut label = part.clone().unwrap_or_else(|| dataset.name().to_owned());
            if found.iter().any(|other| other.label == label) {
                label.clone_from(text);
            }
            found.push(Opened { label, part, dataset, left_out });
        }
        Ok(found)
    }

    /// Opens a data set; where it has no splits and none is asked for, all of it. Gives what cannot be read
    /// and was left out, with the reasons.
    fn open_one(
        &self,
        path: &Path,
        usual: Split,
        context: &Context<'_>,
    ) -> Result<(Dataset, Vec<LeftOut>), Error> {
        if let Some(dataset) = self.held(path, context)? {
            return Ok((self.own_portion(dataset), Vec::new()));
        }
        let split = self.split.unwrap_or(usual);
        let dataset = match Dataset::open(path, Some(split)) {
            Err(DataError::NoSplit { found, .. }) if self.split.is_none() && found.is_empty() => {
                let place = path.display();
                context.progress.note(&format!("{place} has no splits; using all of it"));
                Dataset::open(path, None)?
            }
            other => other?,
        };
        if let Some(read) = dataset.split().filter(|read| *read != split) {
            let place = path.display();
            context.progress.note(&format!("{place} has no {split} part; using {read}"));
        }
        context.progress.detail(&dataset.describe());
        self.readable(self.own_portion(dataset))
    }

    /// The portion of a set that is looked at.
    fn own_portion(&self, dataset: Dataset) -> Dataset {
        self.portion.map_or(dataset.clone(), |portion| portion.of_set(&dataset))
    }

    /// The images of a set that can be read, and what cannot be read and was left out.
    pub(super) fn readable(&self, dataset: Dataset) -> Result<(Dataset, Vec<LeftOut>), Error> {
        if !self.skip_bad {
            let problems = dataset.unread();
            return match problems.is_empty() {
                true => Ok((dataset, Vec::new())),
                false => Err(DataError::SeveralUnreadable { problems }.into()),
            };
        }
        let (dataset, problems) = dataset.readable()?;
        if dataset.is_empty() && self.portion.is_none() {
            return Err(DataError::Empty { place: dataset.name().to_owned() }.into());
        }
        let left_out = |(place, problem): (usize, DataError)| LeftOut {
            place: Some(place),
            why: problem.to_string(),
        };
        Ok((dataset, problems.into_iter().map(left_out).collect()))
    }

    /// The images that are in memory under this name; nothing if it names a file.
    fn held(&self, name: &Path, context: &Context<'_>) -> Result<Option<Dataset>, Error> {
        let Some(dataset) = images(name, context)? else { return Ok(None) };
        if let Some(asked) = self.split {
            return Err(DataError::NoSplit { path: name.into(), asked, found: Vec::new() }.into());
        }
        Ok(Some(dataset))
    }

    /// The data sets as the model sees them, with the `classes` that are asked for, or all. Gives the
    /// model class names from a table of labels or from the data, where it has none. An image of several
    /// classes stands there once for each.
    ///
    /// # Errors
    /// If data cannot be opened, its classes cannot be told, or some are missing and that is not allowed.
    pub(super) fn labelled(
        &self,
        model: &mut Classifier,
        classes: Option<&str>,
        usual: Split,
        context: &Context<'_>,
    ) -> Result<Labelled, Error> {
        let whole = Self { portion: None, ..self.clone() };
        let several = model.head() == HeadKind::Multilabel;
        let mut opened = if several { &whole } else { self }.opened_for(model, usual, context)?;
        for one in opened.iter_mut().filter(|_| several) {
            if one.dataset.has_several() {
                one.left_out.iter_mut().for_each(|file| file.place = None);
            }
            one.dataset = self.own_portion(one.dataset.clone().by_label()?);
        }
        self.matched(opened, model, classes, context)
    }

    /// [`labelled`](Self::labelled) with every image once.
    pub(super) fn labelled_whole(
        &self,
        model: &mut Classifier,
        classes: Option<&str>,
        usual: Split,
        context: &Context<'_>,
    ) -> Result<Labelled, Error> {
        let opened = self.opened_for(model, usual, context)?;
        self.matched(opened, model, classes, context)
    }

    /// Opens all data sets for a model, and says what was taken for granted of it.
    fn opened_for(
        &self,
        model: &Classifier,
        usual: Split,
        context: &Context<'_>,
    ) -> Result<Vec<Opened>, Error> {
        model.notes().iter().for_each(|note| context.progress.note(note));
        match model.head() {
            HeadKind::Multilabel => self.open_any(usual, context),
            HeadKind::Single | HeadKind::Binary => self.open(usual, context),
        }
    }

    fn matched(
        &self,
        opened: Vec<Opened>,
        model: &mut Classifier,
        classes: Option<&str>,
        context: &Context<'_>,
    ) -> Result<Labelled, Error> {
        let labels = self.label_table(model, context)?;
        let apart = |one: &&Opened| one.part.is_none() || model.card().parts.is_empty();
        note_merged(opened.iter().filter(apart), context);
        let mut found = Labelled::default();
        for one in opened {
            name_by(model, &one.dataset, context)?;
            found.add_for(model, one, labels.as_ref(), context)?;
        }
        found.choose(chosen(classes, &model.class_names(), context)?, &model.class_names());
        if !self.is_shared(&found.sources) {
            self.check(is_whole(model), &found.account, &found.classes, context)?;
        }
        Ok(found)
    }

    /// Whether others look at more of the data.
    pub(super) fn is_shared(&self, sources: &[Source]) -> bool {
        self.portion.is_some() || sources.iter().any(|source| source.dataset.is_part())
    }

    /// That every class asked for has images, and that of data for a `whole` model most images are of its
    /// classes; says so instead where that is allowed to be missing.
    ///
    /// # Errors
    /// If it is missing and that is not allowed.
    pub(super) fn check(
        &self,
        whole: bool,
        account: &DataAccount,
        asked: &[usize],
        context: &Context<'_>,
    ) -> Result<(), Error> {
        let odd = |set: &&SetAccount| whole && 2 * set.matched < set.images;
        let odd = account.sets.iter().filter(odd).map(|set| {
            let SetAccount { name, images, matched, .. } = set;
            format!("only {matched} of the {images} images of {name} are of the model's classes")
        });
        let missing = account.missing(asked.len());
        let problems: Vec<String> = missing.into_iter().chain(odd).collect();
        if problems.is_empty() {
            return Ok(());
        }
        if self.allow_missing && account.without_images.len() < asked.len() {
            problems.iter().for_each(|problem| context.progress.note(problem));
            return Ok(());
        }
        Err(Error::classes(format!(
            "{}; give images of every class, choose classes that have some (`classes=`), say how the data \
             calls them (`labels=`), or go on without (`allow_missing=true`)",
            problems.join("; ")
        )))
    }

    /// The table of labels, if one is given. Gives the model its names if it has none.
    fn label_table(
        &self,
        model: &mut Classifier,
        context: &Context<'_>,
    ) -> Result<Option<LabelTable>, Error> {
        let Some(path) = &self.labels else { return Ok(None) };
        let count = model.card().origin.as_ref().map_or(model.class_count(), |origin| origin.of);
        let table = LabelTable::read(path, count)?;
        if model.card().classes.is_empty()
            && let Some(names) = table.in_order(model.class_count())
        {
            context.progress.note(&format!("taking class names from {}", path.display()));
            *model = model.with_classes(names)?;
        }
        Ok(Some(table))
    }

    /// Data sets of which every image is foreign to the model.
    pub(super) fn foreign(
        &self,
        paths: &[PathBuf],
        usual: Split,
        context: &Context<'_>,
    ) -> Result<Vec<Source>, Error> {
        let open = |path: &PathBuf| -> Result<Source, Error> {
            let (dataset, _) = self.open_one(path, usual, context)?;
            Ok(Source::all_foreign(dataset.name().to_owned(), dataset))
        };
        paths.iter().map(open).collect()
    }
}

/// Whether a model was not made of others.
pub(super) fn is_whole(model: &Classifier) -> bool {
    model.card().origin.is_none() && model.card().parts.is_empty()
}

/// The images that are in memory under this name; nothing if it names a file.
///
/// # Errors
/// If there is nothing of this name, or something else.
pub(super) fn images(name: &Path, context: &Context<'_>) -> Result<Option<Dataset>, Error> {
    match context.held(name)? {
        None => Ok(None),
        Some(InMemory::Images(dataset)) => Ok(Some(dataset)),
        Some(_) => Err(Error::options(format!("`{}` are no images", name.display()))),
    }
}

/// The error that images of the data `called` so are of several classes at once.
fn several_classes(called: &str) -> Error {
    Error::classes(format!(
        "images of {called} are of several classes at once, or of none, but only one class of each is \
         expected; if the model has a score for each of several classes that an image may have, say \
         `head=multilabel`"
    ))
}

/// That the classes of a model exclude each other, which `what` is for.
///
/// # Errors
/// If they do not.
pub(super) fn exclusive(model: &Classifier, what: &str) -> Result<(), Error> {
    if model.head() != HeadKind::Multilabel {
        return Ok(());
    }
    Err(Error::model(format!(
        "an image may be of several classes of `{}` at once, and {what} is for classes that exclude each \
         other; if these do, write it into the model (annotate, `head=single`)",
        model.name
    )))
}

/// NAME=PATH, or PATH.
pub(super) fn named(text: &str) -> (Option<&str>, PathBuf) {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !name.contains(['/', '\\']) => {
            (Some(name), PathBuf::from(path))
        }
        _ => (None, PathBuf::from(text)),
    }
}

/// Says so where classes of several data sets are taken for the same because they only have numbers.
pub(super) fn note_merged<'a>(sets: impl Iterator<Item = &'a Opened>, context: &Context<'_>) {
    let is_number = |name: &String| name.bytes().all(|byte| byte.is_ascii_digit());
    let numbered = sets.filter(|one| one.dataset.classes().iter().all(is_number));
    let labels: Vec<&str> = numbered.map(|one| &one.label[..]).collect();
    if labels.len() > 1 {
        context.progress.note(&format!(
            "the classes of {} only have numbers; those of the same number are taken for one class (a \
             classes.txt beside IDX files names them)",
            labels.join(" and ")
        ));
    }
}

/// What was taken of several data sets, of which all samples count on in their order. Says what was left out.
pub(super) fn taken_of(sets: &[Opened], samples: &[usize], context: &Context<'_>) -> Vec<TakenSet> {
    let mut start = 0;
    let mut found = Vec::new();
    for one in sets {
        let own = start..start + one.dataset.len();
        let taken = samples.iter().filter(|sample| own.contains(sample));
        let taken: Vec<usize> = taken.map(|sample| sample - start).collect();
        start = own.end;
        let set = TakenSet::new(one.label.clone(), &one.dataset, &taken, &one.left_out);
        set.remark().iter().for_each(|remark| context.progress.note(remark));
        found.push(set);
    }
    found
}

/// Gives a model without class names those of the data, if there are as many and they are no numbers.
///
/// # Errors
/// If they are words with numbers whose order is not that of the words.
fn name_by(model: &mut Classifier, dataset: &Dataset, context: &Context<'_>) -> Result<(), Error> {
    let names = dataset.classes();
    let unnamed = model.card().classes.is_empty();
    if unnamed && names.len() == model.class_count() && !are_whole(names) {
        if numbered_out_of_order(names) {
            return Err(Error::classes(format!(
                "`{}` has no class names, and those of {} are in the order of text, not of their numbers: {}; \
                 name the model's classes in the order of its scores (`class_names=`)",
                model.name,
                dataset.name(),
                first_few(names)
            )));
        }
        context.progress.note(&format!(
            "taking class names from {}, in its order: {}",
            dataset.name(),
            first_few(names)
        ));
        *model = model.with_classes(names.to_vec())?;
    }
    Ok(())
}

fn part_called<'a>(model: &'a Classifier, name: &str) -> Result<&'a Part, Error> {
    let parts = &model.card().parts;
    parts.iter().find(|part| part.name == name).ok_or_else(|| {
        let known: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        Error::options(format!(
            "`data={name}=...`: the model has no part `{name}`, only {}",
            known.join(", ")
        ))
    })
}

/// Images with their classes, as a model sees them.
#[derive(Default)]
pub(super) struct Labelled {
    /// Every data set.
    pub(super) sources: Vec<Source>,
    /// The model's classes that are asked for, rising.
    pub(super) classes: Vec<usize>,
    /// Those of them that have images.
    pub(super) present: Vec<usize>,
    /// What was found.
    pub(super) account: DataAccount,
    /// What was seen of every data set.
    pub(super) seen: Seen,
    /// Files of every data set that were left out.
    left_out: Vec<Vec<LeftOut>>,
}

impl Labelled {
    /// Adds a data set as the model, or the part of it that it was given for, sees it.
    fn add_for(
        &mut self,
        model: &Classifier,
        opened: Opened,
        labels: Option<&LabelTable>,
        context: &Context<'_>,
    ) -> Result<(), Error> {
        let part = opened.part.as_deref().filter(|_| !model.card().parts.is_empty());
        let Some(part) = part.map(|part| part_called(model, part)).transpose()? else {
            let classes = Numbered::new(model.class_names(), model.card().origin.as_ref());
            return self.add(opened, &classes, labels, context).map(|_| ());
        };
        let classes = Numbered::new(part.classes.clone(), part.origin.as_ref());
        for class in &mut self.add(opened, &classes, labels, context)?.class_of {
            *class = class.map(|k| part.logits[k]);
        }
        Ok(())
    }

    /// Adds a data set, and says what of it does not match.
    pub(super) fn add(
        &mut self,
        opened: Opened,
        classes: &Numbered,
        labels: Option<&LabelTable>,
        context: &Context<'_>,
    ) -> Result<&mut Source, Error> {
        let Opened { label, dataset, left_out, .. } = opened;
        let matching = Matching::new(dataset.classes(), classes, labels)?;
        let names = &classes.names;
        let account = SetAccount::new(label.clone(), &dataset, &matching, names, &left_out);
        account.remarks().iter().for_each(|remark| context.progress.note(remark));
        self.account.sets.push(account);
        self.left_out.push(left_out);
        let place = self.sources.len();
        self.sources.push(Source::matched(label, dataset, matching, names)?);
        Ok(&mut self.sources[place])
    }

    /// Looks which of the classes asked for, of those called `names`, have images.
    pub(super) fn choose(&mut self, classes: Vec<usize>, names: &[String]) {
        self.seen = Seen::of(&self.sources, &self.account.sets, &self.left_out);
        self.present = self.seen.present(&classes);
        self.account = self.seen.account(&classes, names);
        self.classes = classes;
    }

    /// Adds data sets of which every image is foreign.
    pub(super) fn add_foreign(&mut self, sources: Vec<Source>) {
        self.sources.extend(sources);
        self.seen = Seen::of(&self.sources, &self.account.sets, &self.left_out);
    }
}

/// The classes that `text` selects, or all. Says so where numbers are taken for names.
///
/// # Errors
/// If it selects something that is none of `names`.
pub(super) fn chosen(
    text: Option<&str>,
    names: &[String],
    context: &Context<'_>,
) -> Result<Vec<usize>, Error> {
    let Some(text) = text else { return Ok((0..names.len()).collect()) };
    let chosen = classes::parse(text, names)?;
    let differs = |class: &usize| number(&names[*class]).is_some_and(|number| number != *class);
    if chosen.iter().any(differs) {
        let chosen: Vec<String> = chosen.iter().map(|&class| names[class].clone()).collect();
        context.progress.note(&format!(
            "the classes are called by numbers; taking these for names: {}",
            first_few(&chosen)
        ));
    }
    Ok(chosen)
}

/// The model with its preprocessing in its card.
///
/// # Errors
/// If the preprocessing contradicts the model.
pub(super) fn described(model: &Classifier, preprocess: &Preprocess) -> Result<Classifier, Error> {
    let card = Card { preprocess: Some(preprocess.clone()), ..model.card().clone() };
    model.with_card(card)
}

/// The problem of a number that is not in `range`.
pub(super) fn outside(
    field: &'static str,
    number: usize,
    range: RangeInclusive<usize>,
) -> Option<Problem> {
    let (least, most) = (range.start(), range.end());
    (!range.contains(&number)).then(|| {
        Problem::new(field, format!("`{field}={number}` is no number from {least} to {most}"))
    })
}

/// Problems of files that are to be written, by the option that names them.
pub(super) fn unwritable<'a>(
    files: impl IntoIterator<Item = (&'static str, &'a PathBuf)>,
) -> impl Iterator<Item = Problem> {
    let files = files.into_iter();
    let files = files.filter(|(field, path)| *field != "output" || !Memory::is_name(path));
    files.filter_map(|(field, path)| check_writable(path).map(|why| Problem::new(field, why)))
}

/// The problem of a count that is 0, of what there must be some of.
pub(super) fn no_count(field: &'static str, count: Option<usize>) -> Option<Problem> {
    let none = count.filter(|&count| count == 0);
    none.map(|_| Problem::new(field, format!("`{field}=` must be 1 or more")))
}

/// The problem of a folder that models are to be written into, which need not be there.
pub(super) fn unwritable_folder(field: &'static str, path: Option<&PathBuf>) -> Option<Problem> {
    let path = path?;
    let file = if path.exists() { path.join("model.onnx") } else { path.clone() };
    check_writable(&file).map(|why| Problem::new(field, why))
}

/// Makes a folder, and all above it, unless it is there.
///
/// # Errors
/// If it cannot be made.
pub(super) fn make_folder(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(|error| {
        Error::options(format!("cannot make the folder {}: {error}", folder.display()))
    })
}

/// Why a file cannot be written, if it cannot.
pub fn check_writable(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let why = if path.as_os_str().is_empty() {
        return Some("no file to write is named".to_owned());
    } else if path.is_dir() {
        "it is a folder".to_owned()
    } else if path.exists() && !path.is_file() {
        // Results replace what is there, which must not happen to a device or a pipe.
        "it is no regular file".to_owned()
    } else if !folder.is_dir() {
        format!("there is no folder {}; make it first", folder.display())
    } else if folder.metadata().is_ok_and(|found| found.permissions().readonly()) {
        "the folder is read-only".to_owned()
    } else {
        return None;
    };
    Some(format!("cannot write {}: {why}", path.display()))
}
