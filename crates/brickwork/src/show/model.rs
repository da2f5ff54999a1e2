//! A model, component or assembly: what its card and its graph say.

use maud::{Markup, html};

use super::brick::{Brick, baseplate, bricks, class_words};
use super::measured::measured;
use super::network::layers;
use super::page::Page;
use super::table::{Bar, Fact, Tone, bars, facts, table};
use super::values::values;
use super::words::{counted, difference_words, thousands};
use crate::measure::eval::Report;
use crate::measure::inspect::Inspection;
use crate::measure::statistics::HeldOutGain;
use crate::model::card::{CalibrationNote, Card, Origin};
use crate::model::classifier::Classifier;
use crate::model::percent::Percent;

/// All that there is to say about a model: its graph, its card, and what it was measured to be, if it was: `with_source`, beside what it was cut
/// from.
pub fn about(
    model: &Classifier,
    found: &Inspection,
    report: Option<&Report>,
    with_source: bool,
) -> Markup {
    let card = model.card();
    html! {
        (as_bricks(found, card, report))
        h2 { "At a glance" }
        (essentials(found, &model.fingerprint()))
        @if let Some(report) = report { (measured(report, with_source)) }
        (history(card))
        (architecture(found))
        @if let Some(preprocess) = &card.preprocess {
            h2 { "Pixels" }
            (values("How pixels become its input", &serde_json::to_value(preprocess).unwrap_or_default()))
        }
    }
}

/// The page of all that.
pub fn model_page(
    model: &Classifier,
    found: &Inspection,
    report: Option<&Report>,
    with_source: bool,
) -> Page {
    let kind = kind(model.card());
    let mut page = Page::new(&found.name);
    page.kicker(kind);
    page.lead(&match report {
        Some(report) => format!(
            "It tells {} classes apart, and {} of {} rightly.",
            found.classes.len(),
            report.accuracy_per_image,
            counted(report.images, "image")
        ),
        None => format!("It tells {} classes apart.", found.classes.len()),
    });
    page.add(about(model, found, report, with_source));
    page.foot(html! { "Made by Brickwork " (env!("CARGO_PKG_VERSION")) ". This page is one file and loads nothing." });
    page
}

/// What a model is, in a word.
pub fn kind(card: &Card) -> &'static str {
    match (&card.origin, card.parts.is_empty()) {
        (_, false) => "assembly",
        (Some(_), true) => "component",
        (None, true) => "model",
    }
}

/// The model as a brick, or as its parts on a plate.
pub fn as_bricks(found: &Inspection, card: &Card, measured: Option<&Report>) -> Markup {
    if card.parts.is_empty() {
        let mut own = Brick::new(&found.name, &found.classes, 0);
        if let Some(report) = measured {
            own = own.fact("accuracy", report.accuracy_per_image.to_string());
        }
        if let Some(origin) = &card.origin {
            own = own.fact("cut from", &*origin.source);
        }
        own = own
            .fact("parameters", thousands(found.params as u64))
            .fact("MACs", thousands(found.macs));
        return bricks(&[own]);
    }
    let part = |(hue, part): (usize, &crate::model::card::Part)| {
        let brick = Brick::new(&part.name, &part.classes, hue);
        match &part.origin {
            Some(origin) => brick.fact("cut from", &*origin.source),
            None => brick,
        }
    };
    baseplate(&card.parts.iter().enumerate().map(part).collect::<Vec<_>>())
}

/// What it takes, what it tells, and how large it is.
pub fn essentials(found: &Inspection, fingerprint: &str) -> Markup {
    facts(
        "What it takes and tells",
        &[
            Fact::new(
                "classes",
                format!("{}: {}", found.classes.len(), class_words(&found.classes)),
            ),
            Fact::new("input", found.input.clone()),
            Fact::new("scores", found.head.name()),
            Fact::new("parameters", thousands(found.params as u64)),
            Fact::new("multiply-accumulates of an image", thousands(found.macs)),
            Fact::new("fingerprint", fingerprint),
        ],
    )
}

/// Where it comes from, what it is made of and how it was made, as far as its card says.
pub fn history(card: &Card) -> Markup {
    html! {
        @if let Some(origin) = &card.origin { h2 { "Where it comes from" } (origin_facts(origin)) (kept_channels(origin)) }
        @if !card.parts.is_empty() { h2 { "Its parts" } (part_rows(card)) }
        @if let Some(note) = &card.calibration { h2 { "Calibration" } (calibration(note, card)) }
    }
}

/// Its layers.
pub fn architecture(found: &Inspection) -> Markup {
    html! { h2 { "Layers" } (layers(found)) }
}

fn origin_facts(origin: &Origin) -> Markup {
    let mut all = vec![
        Fact::new("cut from", origin.source.clone()),
        Fact::new("classes of the source", format!("{} of {}", origin.classes.len(), origin.of)),
        Fact::new("fingerprint of the source", origin.fingerprint.clone()),
        Fact::new(
            "cut against masked source",
            format!("largest difference {}", difference_words(origin.checked)),
        ),
    ];
    if let Some(criterion) = origin.criterion {
        all.push(Fact::new("channels chosen by", criterion.name()));
    }
    if let Some(t) = &origin.thresholds {
        let (conv, linear) = ((t.alpha_conv, t.beta_conv), (t.alpha_linear, t.beta_linear));
        let words =
            format!("α {} β {}, linear layers α {} β {}", conv.0, conv.1, linear.0, linear.1);
        all.push(Fact::new("thresholds", words));
    }
    all.push(Fact::new(
        "refit",
        match &origin.refit {
            Some(note) => {
                format!("least squares on {}, seed {}", counted(note.images, "image"), note.seed)
            }
            None => "none: the bare cut".to_owned(),
        },
    ));
    if origin.trained {
        all.push(Fact::new("trained since", "yes"));
    }
    facts("How it was cut", &all)
}

fn kept_channels(origin: &Origin) -> Markup {
    let row = |(name, kept): (&String, &crate::model::card::KeptLayer)| {
        vec![name.clone(), kept.input.len().to_string(), kept.output.len().to_string()]
    };
    let rows: Vec<Vec<String>> = origin.kept.iter().map(row).collect();
    html! { details {
        summary { "Channels that were kept, by layer" }
        (table("Channels kept of the source", &["layer", "inputs", "outputs"], &rows))
    } }
}

fn part_rows(card: &Card) -> Markup {
    let row = |part: &crate::model::card::Part| {
        let source = part.origin.as_ref().map_or("–", |origin| &*origin.source);
        vec![
            part.name.clone(),
            class_words(&part.classes),
            source.to_owned(),
            part.fingerprint.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = card.parts.iter().map(row).collect();
    table("What was joined", &["part", "classes", "cut from", "fingerprint"], &rows)
}

/// How often answers are right before and after a calibration.
fn held_out(gain: &HeldOutGain) -> Markup {
    let bar = |name: &str, share: Percent, interval: [Percent; 2], tone| {
        let [low, high] = interval.map(Percent::cell);
        let words = format!("{share} ({low} to {high})");
        let interval = Some(interval.map(Percent::share));
        Bar { name: name.to_owned(), share: share.share(), words, interval, tone }
    };
    let caption = format!(
        "Of {}, held out in turns, the share that is classified correctly, and its 95 % interval",
        counted(gain.images, "calibration image")
    );
    let before = bar("as the parts give them", gain.before, gain.before_interval, Tone::Quiet);
    let after = bar("calibrated", gain.after, gain.after_interval, Tone::Own);
    bars(&caption, &[before, after])
}

/// What was done to every score.
pub fn calibration(note: &CalibrationNote, card: &Card) -> Markup {
    let logits =
        card.parts.iter().flat_map(|part| part.classes.iter().map(move |class| (part, class)));
    let numbers = note.scale.iter().zip(&note.shift);
    let rows: Vec<Vec<String>> = logits
        .zip(numbers)
        .map(|((part, class), (scale, shift))| {
            vec![class.clone(), part.name.clone(), format!("{scale:.4}"), format!("{shift:.4}")]
        })
        .collect();
    html! {
        @if let Some(counts) = note.held_out { (held_out(&counts.into())) }
        p { "By the method " (note.method) ", on " (counted(note.images, "image")) ". A score is its part’s, times the factor, plus the shift." }
        (table("Every score", &["class", "part", "factor", "shift"], &rows))
        @for note in &note.notes { p.muted { (note) } }
    }
}
