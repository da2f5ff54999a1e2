//! `brickwork probe`

use anyhow::bail;
use brickwork::{Classifier, Probe, ProbeImages, Source, probe};
use brickwork_data::Split;
use serde_json::json;

use crate::args::{Global, ProbeArgs};
use crate::inputs;
use crate::print::{Out, percent, row, table};
use crate::progress::Shown;

pub(crate) fn run(args: &ProbeArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    if args.data.split.is_some() {
        bail!(
            "a probe is fitted on the training split and measured on the test split; leave --split out"
        );
    }
    let models =
        args.models.iter().map(|path| inputs::load_plain(path)).collect::<Result<Vec<_>, _>>()?;
    let preprocess = all(models.iter().map(|model| inputs::preprocess(model, &args.data.input)))?;
    let set = |split| -> anyhow::Result<Source> {
        let sets = inputs::foreign(&inputs::paths(&args.data), &args.data, split, out)?;
        Ok(Source::join(sets)?)
    };
    let (train, test) = (set(Split::Train)?, set(Split::Test)?);
    let names = train.dataset.classes().to_vec();
    let classes = match &args.classes {
        Some(text) => brickwork::parse_classes(text, &names)?,
        None => unknown_to(&models[0], &names),
    };
    let fitted = ProbeImages::of(&train, &classes, args.samples as usize, global.seed);
    let measured = ProbeImages::of(&test, &classes, usize::MAX, global.seed);
    let mut found: Vec<(&str, Probe)> = Vec::new();
    for (model, preprocess) in models.iter().zip(&preprocess) {
        let shown = Shown::new(out);
        let result = probe(model, preprocess, &fitted, &measured, classes.len(), &shown)?;
        found.push((&model.name, result));
    }
    let chosen: Vec<&String> = classes.iter().map(|&class| &names[class]).collect();
    let result = json!({
        "classes": chosen,
        "models": found.iter().map(|(name, probe)| json!({ "name": name, "probe": probe })).collect::<Vec<_>>(),
    });
    out.result(&result, || {
        let mut rows = vec![row(["", "features", "probe, %"])];
        for (name, probe) in &found {
            let accuracy = percent(probe.accuracy);
            rows.push(vec![(*name).to_owned(), probe.features.to_string(), accuracy]);
        }
        let chance = found.first().map_or(0.0, |(_, probe)| probe.chance);
        rows.push(vec!["chance".to_owned(), String::new(), percent(chance)]);
        let list = chosen.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        format!("{}\nclasses     {list}", table(&rows))
    })
}

/// All results, or all errors at once.
fn all<T>(results: impl Iterator<Item = anyhow::Result<T>>) -> anyhow::Result<Vec<T>> {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(result) => found.push(result),
            Err(error) => problems.push(error.to_string()),
        }
    }
    if problems.is_empty() { Ok(found) } else { bail!("{}", problems.join("\n  and: ")) }
}

/// The data's classes that are none of the model's.
fn unknown_to(model: &Classifier, names: &[String]) -> Vec<usize> {
    let own = model.class_names();
    (0..names.len()).filter(|&class| !own.contains(&names[class])).collect()
}
