//! `brickwork train`

use anyhow::bail;
use brickwork::{ArchitectureOptions, Card, Classifier, Labels, Numbered, Source, initialise};
use brickwork_data::{Dataset, Fit, Preprocess, Split};

use crate::args::{Global, TrainArgs};
use crate::inputs;
use crate::print::Out;
use crate::training::{self, FROM_SCRATCH, Samples};

pub(crate) fn run(args: &TrainArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    args.run.check()?;
    let sets = inputs::datasets(&args.data, Split::Train, out)?;
    inputs::note_merged(sets.iter().map(|(label, dataset)| (&label[..], dataset)), out);
    let names = class_names(args, &sets)?;
    let classes = Numbered::new(names.clone(), None);
    let named = |(label, dataset)| Source::new(label, dataset, &classes);
    let sources = sets.into_iter().map(named).collect::<Result<Vec<_>, _>>()?;
    let samples = Samples::of(sources, &args.run, global)?;
    let preprocess = preprocess(args, &samples.train, out)?;
    let options = ArchitectureOptions {
        classes: names.len(),
        channels: preprocess.channels,
        size: preprocess.size,
        width: args.width,
        stem: args.stem,
    };
    let empty = args.arch.build(&options)?;
    let graph = initialise(&empty, global.seed).apply(&empty)?;
    let card = Card { classes: names, ..Card::default() };
    let model = Classifier::described(args.arch.name, graph, card)?;
    let mut labels = Labels { smoothing: args.run.smoothing };
    let options = args.run.options(FROM_SCRATCH, global);
    let outcome =
        training::run(&model, &samples, &preprocess, &options, &mut labels, &args.run, out)?;
    let result = training::result(&outcome, &samples, &args.run);
    out.result(&result, || training::report(&outcome, &samples, &args.run))
}

/// The classes the user names, or those of the data sets, each once.
fn class_names(args: &TrainArgs, sets: &[(String, Dataset)]) -> anyhow::Result<Vec<String>> {
    if let Some(text) = &args.data.input.class_names {
        return inputs::class_names(text);
    }
    let mut names: Vec<String> = Vec::new();
    for name in sets.iter().flat_map(|(_, dataset)| dataset.classes()) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    Ok(names)
}

/// How images become the network's input: as the user says, else by size and statistics of the
/// training images.
fn preprocess(args: &TrainArgs, train: &Source, out: &Out) -> anyhow::Result<Preprocess> {
    let input = &args.data.input;
    let first = train.dataset.image(0)?;
    let size = input.size.unwrap_or([first.height(), first.width()]);
    let mut made = Preprocess::plain(size, if first.channels() == 1 { 1 } else { 3 });
    if input.size.is_some() {
        made.fit = Fit::Cover;
    }
    made.fit = input.fit.unwrap_or(made.fit);
    made.scale = input.scale;
    made.order = input.channel_order.unwrap_or(made.order);
    if input.mean.is_empty() != input.std.is_empty() {
        bail!(
            "--mean and --std go together; without both, they are measured on the training images"
        );
    }
    if input.mean.is_empty() {
        let made = made.measured(&train.dataset)?;
        out.note(&format!("normalising by mean {:?} and std {:?}", made.mean, made.std));
        return Ok(made);
    }
    (made.mean, made.std) = (input.mean.clone(), input.std.clone());
    made.validate()?;
    Ok(made)
}
