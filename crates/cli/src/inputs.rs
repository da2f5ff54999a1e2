//! From what the user said to models, data and preprocessing.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use brickwork::{Card, Classifier, Numbered, Source, image_limit};
use brickwork_data::{ChannelOrder, DataError, Dataset, Fit, Preprocess, Split};
use brickwork_formats::onnx::ReadOptions;

use crate::args::{DataArgs, InputArgs, ModelArgs};
use crate::print::Out;

/// Loads the model, with class names where the user gives them.
pub(crate) fn load(args: &ModelArgs, input: Option<&InputArgs>) -> anyhow::Result<Classifier> {
    let size = input.and_then(|input| input.size);
    let mut model = Classifier::load(&args.model, &ReadOptions { size }, args.weights.as_deref())?;
    if let Some(text) = input.and_then(|input| input.class_names.as_deref()) {
        let (names, count) = (class_names(text)?, model.class_count());
        if names.len() != count {
            bail!("--class-names gives {} names, the model has {count} classes", names.len());
        }
        model = model.with_classes(names)?;
    }
    Ok(model)
}

/// Loads a model by its path alone.
pub(crate) fn load_plain(path: &Path) -> anyhow::Result<Classifier> {
    Ok(Classifier::load(path, &ReadOptions::default(), None)?)
}

/// The names that `--class-names` gives.
pub(crate) fn class_names(text: &str) -> anyhow::Result<Vec<String>> {
    let names: Vec<String> = match text.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("cannot read class names from {path}"))?
            .lines()
            .map(|line| line.trim().to_owned())
            .filter(|line| !line.is_empty())
            .collect(),
        None => text.split(',').map(|name| name.trim().to_owned()).collect(),
    };
    for (k, name) in names.iter().enumerate() {
        if name.is_empty() || names[..k].contains(name) {
            bail!("--class-names: `{name}` is empty or given twice");
        }
    }
    Ok(names)
}

/// The preprocessing: the user's words first, then what the model says.
pub(crate) fn preprocess(model: &Classifier, input: &InputArgs) -> anyhow::Result<Preprocess> {
    let [channels, height, width] = model.input();
    let known = model.card().preprocess.clone();
    if known.is_none() && (input.mean.is_empty() || input.std.is_empty()) {
        let missing: Vec<&str> = [("--mean", &input.mean), ("--std", &input.std)]
            .iter()
            .filter(|(_, list)| list.is_empty())
            .map(|(name, _)| *name)
            .collect();
        let (each, example) = match channels {
            1 => ("one number", "--mean 0.1307 --std 0.3081"),
            _ => ("one number or 3", "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225"),
        };
        bail!(
            "`{}` does not say how pixels become its input; pass {} ({each}, applied after scaling bytes by \
             1/255), for example {example}, or --mean 0 --std 1 for plain pixels; `brickwork annotate` \
             writes it into the model for good",
            model.name,
            missing.join(" and ")
        );
    }
    let mut result = known.unwrap_or_else(|| Preprocess::plain([height, width], channels));
    result.size = [height, width];
    if let Some(size) = input.size {
        if size != [height, width] {
            bail!(
                "the model takes images of {height}x{width}, --size says {}x{}; leave --size out, or \
                 say --fit cover to resize the images",
                size[0],
                size[1]
            );
        }
        result.fit = Fit::Cover;
    }
    if !input.mean.is_empty() {
        result.mean.clone_from(&input.mean);
    }
    if !input.std.is_empty() {
        result.std.clone_from(&input.std);
    }
    result.scale = input.scale.or(result.scale);
    result.order = input.channel_order.unwrap_or(result.order);
    result.fit = input.fit.unwrap_or(result.fit);
    if channels != 3 {
        result.order = ChannelOrder::Rgb;
    }
    result.validate()?;
    Ok(result)
}

/// Opens a data set; where it has no splits and the user asked for none, all of it.
fn open(path: &Path, asked: Option<Split>, usual: Split, out: &Out) -> anyhow::Result<Dataset> {
    let split = asked.unwrap_or(usual);
    match Dataset::open(path, Some(split)) {
        Err(DataError::NoSplit { found, .. }) if asked.is_none() && found.is_empty() => {
            out.note(&format!("{} has no splits; using all of it", path.display()));
            Ok(Dataset::open(path, None)?)
        }
        other => Ok(other?),
    }
}

/// NAME=PATH, or PATH.
fn named(text: &str) -> (Option<&str>, PathBuf) {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !name.contains(['/', '\\']) => {
            (Some(name), PathBuf::from(path))
        }
        _ => (None, PathBuf::from(text)),
    }
}

/// A data set that was asked for.
struct Opened {
    /// What samples are known by.
    label: String,
    /// The part of the model that the user gave it for.
    part: Option<String>,
    dataset: Dataset,
}

fn opened(data: &DataArgs, usual: Split, out: &Out) -> anyhow::Result<Vec<Opened>> {
    if data.data.is_empty() {
        bail!("no images are given; pass --data DATA (`--help` lists the kinds of data)");
    }
    let mut found: Vec<Opened> = Vec::new();
    for (k, text) in data.data.iter().enumerate() {
        if data.data[..k].contains(text) {
            bail!("--data {text} is given twice; its images would count twice");
        }
        let (part, path) = named(text);
        let part = part.map(str::to_owned);
        let dataset = open(&path, data.split, usual, out)?;
        out.detail(&dataset.describe());
        let mut label = part.clone().unwrap_or_else(|| dataset.name().to_owned());
        if found.iter().any(|other| other.label == label) {
            label.clone_from(text);
        }
        found.push(Opened { label, part, dataset });
    }
    Ok(found)
}

/// The data sets as the model sees them. Takes class names from the data where the model has none.
pub(crate) fn sources(
    model: &mut Classifier,
    data: &DataArgs,
    usual: Split,
    out: &Out,
) -> anyhow::Result<Vec<Source>> {
    let mut found: Vec<Source> = Vec::new();
    let opened = opened(data, usual, out)?;
    let apart = |one: &&Opened| one.part.is_none() || model.card().parts.is_empty();
    note_merged(opened.iter().filter(apart).map(|one| (&one.label[..], &one.dataset)), out);
    for Opened { label, part, dataset } in opened {
        if model.card().classes.is_empty() && dataset.classes().len() == model.class_count() {
            out.note(&format!(
                "taking class names from {}, in its order: {}",
                dataset.name(),
                dataset.classes().iter().take(12).cloned().collect::<Vec<_>>().join(", ")
            ));
            *model = model.with_classes(dataset.classes().to_vec())?;
        }
        found.push(source(model, label, part.as_deref(), dataset)?);
    }
    Ok(found)
}

/// Says so where classes of several data sets are taken for the same because they only have numbers.
pub(crate) fn note_merged<'a>(sets: impl Iterator<Item = (&'a str, &'a Dataset)>, out: &Out) {
    let is_number = |name: &String| name.bytes().all(|byte| byte.is_ascii_digit());
    let numbered = sets.filter(|(_, dataset)| dataset.classes().iter().all(is_number));
    let labels: Vec<&str> = numbered.map(|(label, _)| label).collect();
    if labels.len() > 1 {
        out.note(&format!(
            "the classes of {} only have numbers; those of the same number are taken for one class (a \
             classes.txt beside IDX files names them)",
            labels.join(" and ")
        ));
    }
}

fn source(
    model: &Classifier,
    label: String,
    part: Option<&str>,
    dataset: Dataset,
) -> anyhow::Result<Source> {
    let Some(part) = part.filter(|_| !model.card().parts.is_empty()) else {
        let classes = Numbered::new(model.class_names(), model.card().origin.as_ref());
        return Ok(Source::new(label, dataset, &classes)?);
    };
    let parts = &model.card().parts;
    let Some(note) = parts.iter().find(|note| note.name == part) else {
        let known: Vec<&str> = parts.iter().map(|note| note.name.as_str()).collect();
        bail!("--data {part}=...: the model has no part `{part}`, only {}", known.join(", "));
    };
    let classes = Numbered::new(note.classes.clone(), note.origin.as_ref());
    let mut source = Source::new(label, dataset, &classes)?;
    for class in &mut source.class_of {
        *class = class.map(|k| note.logits[k]);
    }
    Ok(source)
}

/// The classes the user names, or all.
pub(crate) fn classes(text: Option<&str>, names: &[String]) -> anyhow::Result<Vec<usize>> {
    match text {
        Some(text) => Ok(brickwork::parse_classes(text, names)?),
        None => Ok((0..names.len()).collect()),
    }
}

/// The model with what the user said about it in its card.
pub(crate) fn described(model: &Classifier, preprocess: &Preprocess) -> anyhow::Result<Classifier> {
    let card = Card { preprocess: Some(preprocess.clone()), ..model.card().clone() };
    Ok(model.with_card(card)?)
}

/// How many images of which classes to refit on: as many as asked for, if memory allows.
pub(crate) fn within_memory(
    model: &Classifier,
    mut asked: Vec<(usize, usize)>,
    out: &Out,
) -> Vec<(usize, usize)> {
    let (limit, all) = (image_limit(model.graph()), asked.iter().map(|(_, n)| n).sum::<usize>());
    if all > limit {
        let less = |count: usize| (count as u128 * limit as u128 / all as u128).max(1) as usize;
        asked.iter_mut().for_each(|(_, count)| *count = less(*count));
        let left: usize = asked.iter().map(|(_, count)| count).sum();
        out.note(&format!("refitting on {left} images, as many as memory allows"));
    }
    asked
}

/// Refuses before any long step if models cannot be written into the folder `path`, which need not
/// be there.
pub(crate) fn check_folder(path: &Path) -> anyhow::Result<()> {
    if path.exists() { check_writable(&path.join("model.onnx")) } else { check_writable(path) }
}

/// Refuses before any long step if `path` cannot be written.
pub(crate) fn check_writable(path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.is_dir() {
        bail!("cannot write {}: it is a folder", path.display());
    }
    // Results replace what is there, which must not happen to a device or a pipe.
    if path.exists() && !path.is_file() {
        bail!("cannot write {}: it is no regular file", path.display());
    }
    if !folder.is_dir() {
        bail!(
            "cannot write {}: there is no folder {}; make it first",
            path.display(),
            folder.display()
        );
    }
    if folder.metadata()?.permissions().readonly() {
        bail!("cannot write {}: the folder is read-only", path.display());
    }
    Ok(())
}
