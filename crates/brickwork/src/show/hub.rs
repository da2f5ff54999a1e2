//! A model card as the Hugging Face hub reads it: a head in YAML, then Markdown.

use std::fmt::Write;

use super::brick::class_words;
use super::model::kind;
use super::words::{counted, thousands};
use crate::images::account::DataAccount;
use crate::measure::eval::Report;
use crate::measure::inspect::Inspection;
use crate::model::card::Card;
use crate::model::percent::Percent;

/// What a model's file does not know of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct HubFacts<'a> {
    /// Its licence, as the hub calls it.
    pub(crate) licence: Option<&'a str>,
    /// The model it was made of, as the hub calls it.
    pub(crate) base_model: Option<&'a str>,
    /// The data sets it knows, as the hub calls them.
    pub(crate) datasets: &'a [String],
}

/// Figures, and what they are of.
#[derive(Clone, Copy)]
pub(crate) struct Figures<'a> {
    pub(crate) report: &'a Report,
    pub(crate) data: &'a DataAccount,
    /// Whether the model it was cut from was measured, too.
    pub(crate) with_source: bool,
}

/// The whole card.
pub(crate) fn model_card(
    found: &Inspection,
    card: &Card,
    facts: &HubFacts<'_>,
    figures: Option<Figures<'_>>,
) -> String {
    let mut text = head(found, card, facts, figures);
    let _ = write!(text, "\n# {}\n\n{}\n", found.name, what(found, card));
    let _ = write!(text, "\nClasses: {}.\n", class_words(&found.classes));
    text.push_str(&measured(figures));
    text.push_str(&sizes(found));
    text.push_str(&making(card));
    text.push_str(&usage(found));
    text
}

/// The head. Text stands in double quotes, as in JSON, which YAML reads alike.
fn head(
    found: &Inspection,
    card: &Card,
    facts: &HubFacts<'_>,
    figures: Option<Figures<'_>>,
) -> String {
    let mut text = "---\nlibrary_name: brickwork\npipeline_tag: image-classification\n".to_owned();
    if let Some(licence) = facts.licence {
        let _ = writeln!(text, "license: {}", quoted(licence));
    }
    if let Some(model) = facts.base_model {
        let _ = writeln!(text, "base_model: {}", quoted(model));
    }
    if !facts.datasets.is_empty() {
        let names: String =
            facts.datasets.iter().map(|name| format!("- {}\n", quoted(name))).collect();
        let _ = write!(text, "datasets:\n{names}");
    }
    if figures.is_some() {
        text.push_str("metrics:\n- accuracy\n");
    }
    let _ = write!(text, "tags:\n- onnx\n- image-classification\n- brickwork\n- {}\n", kind(card));
    // The hub wants to know the one data set of a figure; only the user can say what it is called there.
    if let (Some(Figures { report, data, .. }), [name]) = (figures, facts.datasets)
        && let [set] = &data.sets[..]
    {
        let part = set.split.map_or_else(String::new, |split| format!("      split: {split}\n"));
        let _ = write!(
            text,
            "model-index:\n- name: {}\n  results:\n  - task:\n      type: image-classification\n    dataset:\n      \
             type: {name}\n      name: {name}\n{part}    metrics:\n    - type: accuracy\n      value: {}\n",
            quoted(&found.name),
            report.accuracy_per_image.share(),
            name = quoted(name),
        );
    }
    text + "---\n"
}

fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

/// What it is, in a sentence.
fn what(found: &Inspection, card: &Card) -> String {
    let classes = found.classes.len();
    match (&card.origin, &card.parts[..]) {
        (_, [_, ..]) => format!(
            "A classifier of {classes} classes that was joined of {}, without training, by Brickwork.",
            counted(card.parts.len(), "component")
        ),
        (Some(origin), _) => format!(
            "A component for {classes} of the {} classes of `{}`, cut out of it without training by Brickwork.",
            origin.of, origin.source
        ),
        (None, _) => format!("A classifier of {classes} classes, described by Brickwork."),
    }
}

fn measured(figures: Option<Figures<'_>>) -> String {
    let Some(Figures { report, data, with_source }) = figures else {
        return "\n## Figures\n\nNothing was measured for this card.\n".to_owned();
    };
    let sets: Vec<String> = data
        .sets
        .iter()
        .map(|set| {
            let part = set.split.map_or_else(String::new, |split| format!(", {split} part"));
            format!("`{}`{part} ({} of {} images)", set.name, set.matched, set.images)
        })
        .collect();
    let own = report.own();
    let bound = report.parts.as_ref().map(|parts| &parts.perfect_routing);
    let rows = [
        ("this model", Some(&own)),
        ("its source, all classes", report.base.as_ref().filter(|_| with_source)),
        (
            "its source, restricted to these classes",
            report.base_restricted.as_ref().filter(|_| with_source),
        ),
        ("the bare cut, before its refit", report.before_refit.as_ref()),
        ("bound: every image to its own part", bound),
    ];
    let mut text = format!(
        "\n## Figures\n\nMeasured on {} of {}.\n\n| accuracy, % | per image | 95 % interval | per class |\n|---|---|---|---|\n",
        counted(report.images, "image"),
        sets.join(", ")
    );
    for (name, found) in rows.into_iter().filter_map(|(name, found)| Some((name, found?))) {
        let [low, high] = found.interval.map(Percent::cell);
        let (image, class) = (found.per_image.cell(), found.per_class.cell());
        let _ = writeln!(text, "| {name} | {image} | {low} to {high} | {class} |");
    }
    if let Some(leakage) = &report.leakage {
        let _ = write!(
            text,
            "\nOf {} of other classes, {} are accepted where 95 % of its own are (AUROC {:.4}).\n",
            counted(leakage.foreign_images, "image"),
            leakage.false_accepts_at_95_recall,
            leakage.auroc
        );
    }
    if let Some(error) = report.calibration_error {
        let _ = write!(text, "\nConfidence is {error} off the share of right answers.\n");
    }
    if !data.without_images.is_empty() {
        let _ = write!(text, "\nThere were no images of {}.\n", class_words(&data.without_images));
    }
    text
}

fn sizes(found: &Inspection) -> String {
    format!(
        "\n## Size\n\n{} parameters, {} multiply-accumulates for an image. Input {}.\n",
        thousands(found.params as u64),
        thousands(found.macs),
        found.input
    )
}

fn making(card: &Card) -> String {
    let mut text = "\n## How it was made\n\n".to_owned();
    if let Some(origin) = &card.origin {
        let _ =
            writeln!(text, "- cut from `{}`, fingerprint `{}`", origin.source, origin.fingerprint);
        let refit = origin.refit.as_ref().map(|note| {
            format!(
                "refitted by least squares on {}, seed {}",
                counted(note.images, "image"),
                note.seed
            )
        });
        let _ = writeln!(
            text,
            "- {}",
            refit.unwrap_or_else(|| "not refitted: the bare cut".to_owned())
        );
    }
    for part in &card.parts {
        let from = part
            .origin
            .as_ref()
            .map_or(String::new(), |origin| format!(", cut from `{}`", origin.source));
        let _ = writeln!(text, "- part `{}`{from}: {}", part.name, class_words(&part.classes));
    }
    if let Some(note) = &card.calibration {
        let _ = writeln!(
            text,
            "- calibrated by `{}` on {}",
            note.method,
            counted(note.images, "image")
        );
    }
    if card.origin.is_none() && card.parts.is_empty() {
        text.push_str("- its file does not say\n");
    }
    let _ = writeln!(text, "- this card by Brickwork {}", env!("CARGO_PKG_VERSION"));
    text
}

fn usage(found: &Inspection) -> String {
    format!(
        "\n## How to use it\n\n```sh\nbrickwork predict {0}.onnx photograph.jpg\n```\n\nThe file runs in onnxruntime and whatever \
         else reads ONNX; `brickwork inspect {0}.onnx` says what it takes.\n",
        found.name
    )
}
