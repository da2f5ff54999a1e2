//! `brickwork profile`

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use brickwork::{Classifier, Profile, ProfileOptions, Source, load_profile, profile, save_profile};
use brickwork_data::Split;
use serde_json::json;

use crate::args::{ModelArgs, ProfileArgs};
use crate::inputs;
use crate::print::{Out, row, table};
use crate::progress::Shown;

pub(crate) fn run(args: &ProfileArgs, out: &Out) -> anyhow::Result<()> {
    inputs::check_writable(&args.output)?;
    let made = match &args.model {
        Some(model) => measure(args, model, out)?,
        None => merge(args)?,
    };
    save_profile(&made, &args.output)?;
    report(&made, &args.output, out)
}

fn measure(args: &ProfileArgs, model: &Path, out: &Out) -> anyhow::Result<Profile> {
    let model = ModelArgs { model: model.to_owned(), weights: args.weights.clone() };
    let mut model = inputs::load(&model, Some(&args.data.input))?;
    let preprocess = inputs::preprocess(&model, &args.data.input)?;
    let mut sources = inputs::sources(&mut model, &args.data, Split::Train, out)?;
    if let Some((part, parts)) = args.part {
        for source in &mut sources {
            source.keep_part(part - 1, parts)?;
        }
    }
    let options = ProfileOptions {
        classes: chosen_classes(args, &model, &sources)?,
        sampling: args.samples,
        given: args.indices.as_deref().map(read_indices).transpose()?,
    };
    Ok(profile(&model, &preprocess, &sources, &options, &Shown::new(out))?)
}

/// The classes asked for, or every class that the data has.
fn chosen_classes(
    args: &ProfileArgs,
    model: &Classifier,
    sources: &[Source],
) -> anyhow::Result<Vec<usize>> {
    if args.classes.is_some() {
        return inputs::classes(args.classes.as_deref(), &model.class_names());
    }
    let held = |class: usize| sources.iter().any(|source| source.class_of.contains(&Some(class)));
    Ok((0..model.class_count()).filter(|&class| held(class)).collect())
}

fn read_indices(path: &Path) -> anyhow::Result<BTreeMap<usize, Vec<usize>>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| {
        format!("{}: expected an object from class index to a list of places", path.display())
    })
}

fn merge(args: &ProfileArgs) -> anyhow::Result<Profile> {
    if args.merge.len() < 2 {
        bail!("--merge needs at least two profiles");
    }
    let parts = args.merge.iter().map(|path| load_profile(path)).collect::<Result<Vec<_>, _>>()?;
    Ok(Profile::merge(parts)?)
}

fn report(made: &Profile, path: &Path, out: &Out) -> anyhow::Result<()> {
    let header = &made.header;
    let result = json!({
        "output": path,
        "model": header.model,
        "fingerprint": header.fingerprint,
        "sampling": header.sampling,
        "layers": header.layers.len(),
        "classes": header.samples.iter().enumerate().map(|(place, entry)| json!({
            "class": entry.class,
            "name": header.classes[entry.class],
            "seen": entry.seen,
            "correct": entry.correct,
            "used": made.count(place),
            "lowest_margin": entry.taken.last().map(|sample| sample.margin),
        })).collect::<Vec<_>>(),
    });
    out.result(&result, || {
        let mut rows = vec![row(["class", "samples", "correct", "used", "lowest margin"])];
        for (place, entry) in header.samples.iter().enumerate() {
            let margin = entry.taken.last().map_or("-".to_owned(), |s| format!("{:.2}", s.margin));
            let correct =
                if entry.taken.is_empty() { "-".to_owned() } else { entry.correct.to_string() };
            rows.push(vec![
                header.classes[entry.class].clone(),
                entry.seen.to_string(),
                correct,
                made.count(place).to_string(),
                margin,
            ]);
        }
        format!(
            "{}\n{}: {} layers of `{}`",
            table(&rows),
            path.display(),
            header.layers.len(),
            header.model
        )
    })
}
