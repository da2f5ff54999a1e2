//! `brickwork eval`

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use brickwork::verbs::{Eval, EvalAnswer};
use brickwork::{Accuracy, Confusion, Leakage, PartConfusion, Percent, Report, Retrieval};

use crate::command::Shown;
use crate::print::{bar, row, table, thousands};

impl Shown for Eval {
    const PLACES: &'static [&'static str] = &["model"];
    const REQUIRED: &'static [&'static str] = &["model"];
    const EXAMPLES: &'static str = "Examples:
  brickwork eval pets.onnx --data cifar-10-batches-bin --source net.onnx
  brickwork eval net.onnx --data cifar-10-batches-bin --classes cat,dog --json
  brickwork eval both.onnx --data digits=mnist/ --data garments=fashion/";

    fn text(&self, answer: &EvalAnswer) -> String {
        let report = &answer.report;
        let mut text = match &report.multilabel {
            Some(found) => retrieval_words(found),
            None => accuracy_words(self, report),
        };
        text.push_str(&leakage_words(report.leakage.as_ref(), report.base_leakage.as_ref()));
        text.push_str(&confusion_words(&report.confusion));
        if let Some(error) = report.calibration_error {
            let _ = writeln!(
                text,
                "\nconfidence is {error} off the share of right answers (expected calibration error)"
            );
        }
        reject_words(report, &mut text);
        if let Some(parts) = &report.parts {
            parts_words(parts, &mut text);
        }
        let _ = write!(
            text,
            "\n{} images, {} parameters, {} MACs, {} bytes",
            report.images,
            thousands(answer.params as u64),
            thousands(answer.macs),
            thousands(answer.file_bytes)
        );
        if let Some(ms) = answer.latency_ms {
            let _ = write!(text, ", {ms:.2} ms per image");
        }
        if let Some(ms) = answer.source_latency_ms {
            let _ = write!(text, " (source {ms:.2} ms)");
        }
        let missing = &answer.data.without_images;
        if !missing.is_empty() {
            let all = missing.len() + report.accuracy_per_class.len();
            let _ = write!(
                text,
                "\nThese figures are of {} of {all} classes; the others have no images.",
                all - missing.len()
            );
        }
        text
    }
}

/// How every class is told from all other images.
fn retrieval_words(found: &Retrieval) -> String {
    let mut rows = vec![row([
        "class",
        "images",
        "average precision, %",
        "precision, %",
        "recall, %",
        "F1, %",
    ])];
    rows.extend(found.classes.iter().map(|(name, class)| {
        let shares = [class.precision, class.recall, class.f1].map(Percent::cell);
        let precision = class.average_precision.map_or_else(|| "-".to_owned(), Percent::cell);
        [vec![name.clone(), class.images.to_string(), precision], shares.to_vec()].concat()
    }));
    format!(
        "{}\nAn image is of the classes with a probability above {}: mean average precision {}, F1 {} \
         (mean of the classes) and {} (all decisions together); {} of the images have every class \
         right.\n",
        table(&rows),
        found.threshold,
        found.mean_average_precision,
        found.macro_f1,
        found.micro_f1,
        found.all_right
    )
}

fn accuracy_words(request: &Eval, report: &Report) -> String {
    let mut rows = vec![row(["accuracy, %", "per image", "95 % interval", "per class"])];
    let mut line = |name: &str, found: &Accuracy| {
        let [low, high] = found.interval.map(Percent::cell);
        let (image, class) = (found.per_image.cell(), found.per_class.cell());
        rows.push(vec![name.to_owned(), image, format!("{low} to {high}"), class]);
    };
    // Without a source these are about the model itself.
    let with_source = request.source.is_some();
    if let Some(base) = report.base.as_ref().filter(|_| with_source) {
        line("source, all its classes", base);
    }
    if let Some(base) = &report.base_restricted {
        if with_source {
            line("source, restricted to these classes", base);
        } else if request.classes.is_some() {
            line("this model, restricted to these classes", base);
        }
    }
    if let Some(bare) = &report.before_refit {
        line("the cut before its refit", bare);
    }
    if let Some(parts) = &report.parts {
        let bound = &parts.perfect_routing;
        line("bound: every image to its own part", bound);
    }
    line("this model", &report.own());
    report.controls.iter().for_each(|control| line(control.name(), &control.accuracy));
    table(&rows) + &class_words(&report.accuracy_per_class, "images")
}

/// Matrices of more classes than this are not printed.
const MATRIX: usize = 12;

/// How many of the most frequent mistakes are printed instead.
const MISTAKES: usize = 10;

/// Which classes images were taken for: as a matrix, or the most frequent mistakes among many classes.
fn confusion_words(confusion: &Confusion) -> String {
    let counts = confusion.iter().flat_map(|(class, answers)| {
        answers.iter().map(move |(answer, &count)| (count, class, answer))
    });
    let mut mistakes: Vec<(usize, &String, &String)> =
        counts.filter(|(_, class, answer)| class != answer).collect();
    if mistakes.is_empty() {
        return String::new();
    }
    let answers: BTreeSet<&String> =
        confusion.iter().flat_map(|(class, answers)| answers.keys().chain([class])).collect();
    if answers.len() <= MATRIX {
        return format!("\n{}", table(&matrix(confusion, &answers)));
    }
    mistakes.sort_by_key(|(count, ..)| Reverse(*count));
    let mut cells = vec![row(["images", "of", "taken for"])];
    for (count, class, answer) in mistakes.into_iter().take(MISTAKES) {
        cells.push(vec![count.to_string(), class.clone(), answer.clone()]);
    }
    format!("\nmost frequent mistakes:\n{}", table(&cells))
}

/// A row for every class, a column for every answer.
fn matrix(confusion: &Confusion, answers: &BTreeSet<&String>) -> Vec<Vec<String>> {
    let head = std::iter::once("taken for").chain(answers.iter().map(|name| &name[..]));
    let mut cells = vec![head.map(str::to_owned).collect::<Vec<_>>()];
    for (class, found) in confusion {
        let count = |answer: &&String| found.get(*answer).copied().unwrap_or(0).to_string();
        cells.push(std::iter::once(class.clone()).chain(answers.iter().map(count)).collect());
    }
    cells
}

/// Accuracy class by class; `what` is classified.
pub(super) fn class_words(accuracy: &BTreeMap<String, Percent>, what: &str) -> String {
    let mut rows = vec![row(["class", "accuracy, %"])];
    rows.extend(
        accuracy
            .iter()
            .map(|(name, x)| [name.clone(), x.cell()].into_iter().chain(bar(x.share())).collect()),
    );
    let single = match accuracy.len() {
        1 => format!("A single class is always right about its own {what}; look at the leakage.\n"),
        _ => String::new(),
    };
    format!("{single}\n{}", table(&rows))
}

/// Reaction to foreign classes, beside the source's.
pub(super) fn leakage_words(own: Option<&Leakage>, base: Option<&Leakage>) -> String {
    let Some(own) = own else { return String::new() };
    let mut rows = vec![row(["leakage on foreign classes", "this model", "source"])];
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
        own.false_accepts_at_95_recall.cell(),
        base.map(|b| b.false_accepts_at_95_recall.cell()),
    );
    line(
        "recall at 5 % foreign accepted, %",
        own.recall_at_5_false_accepts.cell(),
        base.map(|b| b.recall_at_5_false_accepts.cell()),
    );
    format!("\n{}", table(&rows))
}

/// What the model's threshold does.
fn reject_words(report: &Report, text: &mut String) {
    let Some(found) = &report.reject else { return };
    let (accepted, right) = (found.accepted, found.accepted_and_right);
    let _ =
        writeln!(text, "\nof its own images {accepted} are accepted, {right} accepted and right");
    if let Some(share) = found.false_accepts {
        let _ = writeln!(text, "of foreign images {share} are accepted");
    }
}

/// Which parts images were taken for.
fn parts_words(parts: &PartConfusion, text: &mut String) {
    let head = std::iter::once("images of").chain(parts.parts.iter().map(String::as_str));
    let mut rows = vec![head.map(str::to_owned).collect::<Vec<_>>()];
    for (name, counts) in parts.parts.iter().zip(&parts.images) {
        let counts = counts.iter().map(ToString::to_string);
        rows.push(std::iter::once(name.clone()).chain(counts).collect());
    }
    let _ = write!(text, "\nsent to part:\n{}", table(&rows));
}
