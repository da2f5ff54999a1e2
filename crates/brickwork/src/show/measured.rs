//! What a model was measured to be: accuracy, mistakes, confidence, leakage, pictures.

use maud::{Markup, html};

use super::chart::{Axis, Chart, Form, Series, Spot, chart};
use super::matrix::{Matrix, MatrixCell, MatrixRow, confusion, matrix};
use super::pictures::{Picture, pictures, png};
use super::table::{Bar, Tone, bars, table};
use super::words::{counted, thousands};
use crate::measure::eval::{Accuracy, Leakage, PartConfusion, Report};
use crate::measure::examples::Example;
use crate::measure::multilabel::Retrieval;
use crate::measure::statistics::ReliabilityBin;
use crate::model::percent::Percent;

/// Bars of more classes than this lie behind a line that opens them.
const MOST_CLASSES: usize = 30;

/// What the model itself is called.
const OWN: &str = "this model";

/// All that a report holds; `with_source`, if another model was measured beside this one.
pub fn measured(report: &Report, with_source: bool) -> Markup {
    html! {
        h2 { "Accuracy" }
        @match &report.multilabel {
            Some(found) => { (retrieval(found)) }
            None => { (accuracy(report, with_source)) }
        }
        @if !report.accuracy_per_class.is_empty() { (classes(report)) }
        @if !report.confusion.is_empty() { h2 { "Mistakes" } (confusion(&report.confusion)) }
        @if let Some(found) = &report.parts { h2 { "Parts" } (parts(found)) }
        @if !report.reliability.is_empty() { h2 { "Confidence" } (confidence(report)) }
        @if let Some(found) = &report.leakage { h2 { "Images of other classes" } (leakage(found, report)) }
        (examples(&report.examples))
    }
}

/// Accuracy of the model and of all that it is held against: what it was cut from, if that was measured, too.
pub fn accuracy(report: &Report, with_source: bool) -> Markup {
    let bound = report.parts.as_ref().map(|parts| &parts.perfect_routing);
    let base = |found: &'_ Option<Accuracy>| found.clone().filter(|_| with_source);
    let all = [
        ("source, all its classes", base(&report.base)),
        ("source, restricted to these classes", base(&report.base_restricted)),
        ("bare cut, before its refit", report.before_refit.clone()),
        ("bound: every image to its own part", bound.cloned()),
        (OWN, Some(report.own())),
    ];
    let controls = report.controls.iter().map(|one| (one.name(), Some(one.accuracy.clone())));
    let found = all.into_iter().chain(controls).filter_map(|(name, found)| Some((name, found?)));
    let found: Vec<(&str, Accuracy)> = found.collect();
    let bar = |(name, found): &(&str, Accuracy)| Bar {
        name: (*name).to_owned(),
        share: found.per_image.share(),
        words: found.per_image.to_string(),
        interval: Some(found.interval.map(Percent::share)),
        tone: if *name == OWN { Tone::Own } else { Tone::Quiet },
    };
    let row = |(name, found): &(&str, Accuracy)| {
        let [low, high] = found.interval.map(Percent::cell);
        vec![
            (*name).to_owned(),
            found.per_image.cell(),
            format!("{low} to {high}"),
            found.per_class.cell(),
        ]
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    let caption =
        format!("Of {}, the share that is classified correctly", counted(report.images, "image"));
    html! {
        (bars(&caption, &found.iter().map(bar).collect::<Vec<_>>()))
        (table("Accuracy in percent", &["", "per image", "95 % interval", "per class"], &rows))
    }
}

/// How every class is told from all other images.
fn retrieval(found: &Retrieval) -> Markup {
    let row = |(name, class): (&String, &crate::measure::multilabel::ClassRetrieval)| {
        let shares = [class.precision, class.recall, class.f1].map(Percent::cell);
        let precision = class.average_precision.map_or_else(|| "–".to_owned(), Percent::cell);
        [vec![name.clone(), class.images.to_string(), precision], shares.to_vec()].concat()
    };
    let rows: Vec<Vec<String>> = found.classes.iter().map(row).collect();
    let head = ["class", "images", "average precision, %", "precision, %", "recall, %", "F1, %"];
    html! {
        p {
            "An image is of the classes with a probability above " (found.threshold) ": mean average precision "
            (found.mean_average_precision) ", F1 " (found.macro_f1) " (mean of the classes) and " (found.micro_f1)
            " (all decisions together); " (found.all_right) " of the images have every class right."
        }
        (table("Every class against all other images", &head, &rows))
    }
}

/// Accuracy of every class.
fn classes(report: &Report) -> Markup {
    let bar = |(name, share): (&String, &Percent)| Bar {
        name: name.clone(),
        share: share.share(),
        words: share.to_string(),
        interval: report.interval_per_class.get(name).map(|ends| ends.map(Percent::share)),
        tone: Tone::Own,
    };
    let all: Vec<Bar> = report.accuracy_per_class.iter().map(bar).collect();
    let words = "Accuracy of every class; the thin line is its 95 % interval";
    html! {
        @if all.len() > MOST_CLASSES {
            details { summary { (counted(all.len(), "class")) ", one by one" } (bars(words, &all)) }
        } @else {
            (bars(words, &all))
        }
    }
}

/// The part that images of every part were sent to.
fn parts(found: &PartConfusion) -> Markup {
    let row = |(part, counts): (&String, &Vec<usize>)| {
        let all: usize = counts.iter().sum();
        let cell = |(other, &count): (&String, &usize)| MatrixCell {
            text: thousands(count as u64),
            share: Some(count as f64 / all.max(1) as f64),
            words: format!("{count} of {all} images of {part} were sent to {other}"),
            miss: part != other,
        };
        MatrixRow { name: part.clone(), cells: found.parts.iter().zip(counts).map(cell).collect() }
    };
    matrix(&Matrix {
        caption: "Images of each part (rows), by the part that answered (columns)".to_owned(),
        of: "part".to_owned(),
        columns: found.parts.clone(),
        rows: found.parts.iter().zip(&found.images).map(row).collect(),
    })
}

fn confidence(report: &Report) -> Markup {
    let words = report.calibration_error.map(|error| {
        format!(
            "Confidence is {error} off the share of right answers (expected calibration error). "
        )
    });
    html! {
        p { (words.unwrap_or_default()) "A point below the dashed line is more sure than it is right." }
        (chart(&reliability(&report.reliability)))
    }
}

/// How often answers are right that are about equally sure.
pub fn reliability(bins: &[ReliabilityBin]) -> Chart {
    let spot = |bin: &ReliabilityBin| {
        let words = format!(
            "{}: confidence {}, right {}",
            counted(bin.images, "image"),
            bin.confidence,
            bin.right
        );
        Spot::new(bin.confidence.number(), bin.right.number()).says(words)
    };
    let guide = vec![Spot::new(0.0, 0.0), Spot::new(100.0, 100.0)];
    let series = |name: &str, form, points| Series { name: name.to_owned(), form, points };
    Chart {
        title: "Reliability".to_owned(),
        description: "Share of right answers against their confidence.".to_owned(),
        across: Axis::new("confidence, %").between(0.0, 100.0),
        up: Axis::new("right, %").between(0.0, 100.0),
        series: vec![
            series("as sure as right", Form::Guide, guide),
            series("answers", Form::Dots, bins.iter().map(spot).collect()),
        ],
    }
}

fn leakage(own: &Leakage, report: &Report) -> Markup {
    let base = report.base_leakage.as_ref();
    let row = |name: &str, of: fn(&Leakage) -> String| {
        let source = base.map(of);
        std::iter::once(name.to_owned()).chain([of(own)]).chain(source).collect::<Vec<_>>()
    };
    let rows = [
        row("AUROC, own against foreign", |found| format!("{:.4}", found.auroc)),
        row("foreign accepted at 95 % recall, %", |found| found.false_accepts_at_95_recall.cell()),
        row("recall at 5 % foreign accepted, %", |found| found.recall_at_5_false_accepts.cell()),
    ];
    let head: &[&str] =
        if base.is_some() { &["", "this model", "source"] } else { &["", "this model"] };
    let caption = format!("Against {}", counted(own.foreign_images, "foreign image"));
    html! {
        (table(&caption, head, &rows))
        @if let Some(found) = &report.reject {
            p {
                "Its threshold accepts " (found.accepted) " of its own images, " (found.accepted_and_right)
                " accepted and right"
                @if let Some(share) = found.false_accepts { ", and " (share) " of foreign ones" } "."
            }
        }
    }
}

/// Images with their answers: the right ones, then the wrong ones.
pub fn examples(all: &[Example]) -> Markup {
    let picture = |example: &Example| {
        let record = &example.record;
        // A number and its sign stay together.
        let score = format!("{:.1}", record.score).replace(' ', "\u{a0}");
        let note = if example.right { score } else { format!("is {}, {score}", record.label) };
        Picture {
            png: png(&example.image),
            caption: record.answer.clone(),
            note,
            right: Some(example.right),
        }
    };
    let some =
        |right: bool| all.iter().filter(|one| one.right == right).map(picture).collect::<Vec<_>>();
    html! {
        @for (right, heading) in [(true, "Some that it gets right"), (false, "The mistakes it is surest of")] {
            @let found = some(right);
            @if !found.is_empty() { h2 { (heading) } (pictures(&found)) }
        }
    }
}
