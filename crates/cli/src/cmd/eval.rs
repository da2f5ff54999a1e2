//! `brickwork eval`

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::bail;
use brickwork::{Classifier, EvalOptions, Report, eval, recut, uniform};
use brickwork_data::Split;
use serde_json::{Value, json};

use crate::args::EvalArgs;
use crate::inputs;
use crate::print::{Out, percent, row, table, thousands};
use crate::progress::Shown;

pub(crate) fn run(args: &EvalArgs, out: &Out) -> anyhow::Result<()> {
    let mut model = inputs::load(&args.model, Some(&args.data.input))?;
    let preprocess = inputs::preprocess(&model, &args.data.input)?;
    let source = args.source.as_deref().map(inputs::load_plain).transpose()?;
    let mut sources = inputs::sources(&mut model, &args.data, Split::Test, out)?;
    sources.extend(inputs::foreign(&args.foreign, &args.data, Split::Test, out)?);
    let classes = inputs::classes(args.classes.as_deref(), &model.class_names())?;
    let indices = source.as_ref().map(|source| source_indices(&model, source)).transpose()?;
    let bare = match &source {
        Some(source) if model.card().origin.as_ref().is_some_and(|o| o.refit.is_some()) => {
            Some(recut(source, &model)?)
        }
        _ => None,
    };
    let options = EvalOptions {
        classes,
        source: source
            .as_ref()
            .zip(indices)
            .map(|(source, indices)| (source, &preprocess, indices)),
        before_refit: bare.as_ref(),
        parts: parts_of(&model),
    };
    let report = eval(&model, &preprocess, &sources, &options, &Shown::new(out))?;
    let latency = (!args.no_latency).then(|| latency_ms(&model)).transpose()?;
    let mut result = serde_json::to_value(&report)?;
    let extra = json!({
        "params": model.graph().parameters(),
        "macs": model.graph().macs(),
        "file_bytes": file_bytes(&args.model.model),
        "latency_ms": latency,
    });
    if let (Value::Object(result), Value::Object(extra)) = (&mut result, extra) {
        result.extend(extra);
    }
    out.result(&result, || words(args, &model, &report, &result))
}

/// The source's index of every class of the model.
fn source_indices(model: &Classifier, source: &Classifier) -> anyhow::Result<Vec<usize>> {
    if let Some(origin) = &model.card().origin
        && origin.fingerprint == source.fingerprint()
    {
        return Ok(origin.classes.clone());
    }
    let names = source.class_names();
    let found: Option<Vec<usize>> =
        model.class_names().iter().map(|name| names.iter().position(|n| n == name)).collect();
    match found {
        Some(found) => Ok(found),
        None => bail!(
            "`{}` was not cut from `{}`, and their class names do not match",
            model.name,
            source.name
        ),
    }
}

/// The part of every class, and part names, of an assembled model.
fn parts_of(model: &Classifier) -> Option<(Vec<usize>, Vec<String>)> {
    let parts = &model.card().parts;
    if parts.len() < 2 {
        return None;
    }
    let part_of =
        |class: usize| parts.iter().position(|part| part.logits.contains(&class)).unwrap_or(0);
    let names = parts.iter().map(|part| part.name.clone()).collect();
    Some(((0..model.class_count()).map(part_of).collect(), names))
}

fn file_bytes(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |data| data.len())
}

/// Median time of one image, in milliseconds.
pub(crate) fn latency_ms(model: &Classifier) -> anyhow::Result<f64> {
    let [c, h, w] = model.input();
    let image = uniform([1, c, h, w], -1.0, 1.0, 0);
    let mut scorer = model.single_scorer();
    let mut times = Vec::new();
    for run in 0..25 {
        let start = Instant::now();
        scorer.logits(&image)?;
        // The first runs plan and warm up.
        if run >= 5 {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

fn words(args: &EvalArgs, model: &Classifier, report: &Report, result: &Value) -> String {
    let mut text = String::new();
    let mut rows = vec![row(["accuracy, %", "per image", "per class"])];
    let mut line = |name: &str, image: f64, class: f64| {
        rows.push(vec![name.to_owned(), percent(image), percent(class)]);
    };
    // Without a source these are about the model itself.
    let with_source = args.source.is_some();
    if let Some(base) = report.base.as_ref().filter(|_| with_source) {
        line("source, all its classes", base.per_image, base.per_class);
    }
    if let Some(base) = &report.base_restricted {
        if with_source {
            line("source, restricted to these classes", base.per_image, base.per_class);
        } else if args.classes.is_some() {
            line("this model, restricted to these classes", base.per_image, base.per_class);
        }
    }
    if let Some(bare) = &report.before_refit {
        line("the cut before its refit", bare.per_image, bare.per_class);
    }
    if let Some(parts) = &report.parts {
        let bound = &parts.perfect_routing;
        line("bound: every image to its own part", bound.per_image, bound.per_class);
    }
    line("this model", report.accuracy_per_image, report.mean_class_accuracy);
    text.push_str(&table(&rows));
    if model.class_count() == 1 {
        text.push_str(
            "A single class is always right about its own images; look at the leakage.\n",
        );
    }
    text.push('\n');
    let mut rows = vec![row(["class", "accuracy, %"])];
    rows.extend(report.accuracy_per_class.iter().map(|(name, x)| vec![name.clone(), percent(*x)]));
    text.push_str(&table(&rows));
    leakage_words(report, &mut text);
    reject_words(report, &mut text);
    if let Some(parts) = &report.parts {
        let mut rows = vec![
            std::iter::once("images of")
                .chain(parts.parts.iter().map(String::as_str))
                .map(str::to_owned)
                .collect(),
        ];
        for (name, counts) in parts.parts.iter().zip(&parts.images) {
            rows.push(
                std::iter::once(name.clone())
                    .chain(counts.iter().map(ToString::to_string))
                    .collect::<Vec<_>>(),
            );
        }
        let _ = write!(text, "\nsent to part:\n{}", table(&rows));
    }
    let number = |key: &str| result[key].as_u64().unwrap_or(0);
    let _ = write!(
        text,
        "\n{} images, {} parameters, {} MACs, {} bytes",
        report.images,
        thousands(number("params")),
        thousands(number("macs")),
        thousands(number("file_bytes"))
    );
    if let Some(ms) = result["latency_ms"].as_f64() {
        let _ = write!(text, ", {ms:.2} ms per image");
    }
    text
}

pub(crate) fn leakage_words(report: &Report, text: &mut String) {
    let Some(own) = &report.leakage else { return };
    let mut rows = vec![row(["leakage on foreign classes", "this model", "source"])];
    let base = report.base_leakage.as_ref();
    let mut line = |name: &str, own: String, base: Option<String>| {
        rows.push(vec![name.to_owned(), own, base.unwrap_or_else(|| "-".to_owned())]);
    };
    line(
        "AUROC, own against foreign",
        format!("{:.4}", own.auroc),
        base.map(|b| format!("{:.4}", b.auroc)),
    );
    line(
        "foreign accepted at 95 % recall, %",
        percent(own.false_accepts_at_95_recall),
        base.map(|b| percent(b.false_accepts_at_95_recall)),
    );
    line(
        "recall at 5 % foreign accepted, %",
        percent(own.recall_at_5_false_accepts),
        base.map(|b| percent(b.recall_at_5_false_accepts)),
    );
    let _ = write!(text, "\n{}", table(&rows));
}

/// What the model's threshold does.
fn reject_words(report: &Report, text: &mut String) {
    let Some(found) = &report.reject else { return };
    let (accepted, right) = (percent(found.accepted), percent(found.accepted_and_right));
    let _ = writeln!(
        text,
        "\nof its own images {accepted} % are accepted, {right} % accepted and right"
    );
    if let Some(share) = found.false_accepts {
        let _ = writeln!(text, "of foreign images {} % are accepted", percent(share));
    }
}
