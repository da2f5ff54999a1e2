//! `brickwork distill`

use std::path::Path;

use anyhow::{Context, bail};
use brickwork::{
    Architecture, ArchitectureOptions, Card, Classifier, DistillOptions, Distillation, Teacher,
    initialise,
};
use brickwork_data::{Preprocess, Split};

use crate::args::{DistillArgs, Global};
use crate::inputs;
use crate::print::Out;
use crate::training::{self, FROM_SCRATCH, Samples};

pub(crate) fn run(args: &DistillArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    args.run.check()?;
    let models = args.teacher.iter().map(|path| inputs::load_plain(path));
    let models = models.collect::<anyhow::Result<Vec<_>>>()?;
    let (mut student, preprocess) = student(args, global, &models)?;
    let sources = inputs::sources(&mut student, &args.data, Split::Train, out)?;
    let samples = Samples::of(sources, &args.run, global)?;
    let names = student.class_names();
    let teachers = models.iter().map(|model| Teacher::new(model, &names, &preprocess));
    let teachers = teachers.collect::<Result<Vec<_>, _>>()?;
    if let Some(orphan) = (0..names.len()).find(|&class| !teachers.iter().any(|t| t.knows(class))) {
        out.note(&format!("no teacher knows `{}`; it is learned from labels alone", names[orphan]));
    }
    let goal = DistillOptions {
        temperature: args.temperature,
        share: args.label_share,
        smoothing: args.run.smoothing,
        features: args.feature.clone(),
        weight: args.feature_weight,
    };
    let mut objective = Distillation::new(teachers, goal, &models[0])?;
    let options = args.run.options(FROM_SCRATCH, global);
    let outcome =
        training::run(&student, &samples, &preprocess, &options, &mut objective, &args.run, out)?;
    let result = training::result(&outcome, &samples, &args.run);
    out.result(&result, || training::report(&outcome, &samples, &args.run))
}

/// The student with the teachers' classes, and how its images are prepared: as the first teacher's.
fn student(
    args: &DistillArgs,
    global: &Global,
    teachers: &[Classifier],
) -> anyhow::Result<(Classifier, Preprocess)> {
    if Path::new(&args.student).extension().is_some_and(|extension| extension == "onnx") {
        let student = inputs::load_plain(Path::new(&args.student))?;
        let preprocess = inputs::preprocess(&student, &args.data.input)?;
        return Ok((student, preprocess));
    }
    let Some(architecture) = Architecture::find(&args.student) else {
        bail!(
            "--student {}: neither an .onnx file nor an architecture; `brickwork init --list` lists them",
            args.student
        );
    };
    let first = teachers.first().context("no teacher is given")?;
    let preprocess = inputs::preprocess(first, &args.data.input)?;
    let mut names: Vec<String> = Vec::new();
    for name in teachers.iter().flat_map(Classifier::class_names) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let options = ArchitectureOptions {
        classes: names.len(),
        channels: preprocess.channels,
        size: preprocess.size,
        width: args.width,
        stem: None,
    };
    let empty = architecture.build(&options)?;
    let graph = initialise(&empty, global.seed).apply(&empty)?;
    let card = Card { classes: names, ..Card::default() };
    Ok((Classifier::described(architecture.name, graph, card)?, preprocess))
}
