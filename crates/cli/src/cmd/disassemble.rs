//! `brickwork disassemble`

use std::fmt::Write;

use brickwork::verbs::{Disassemble, DisassembleAnswer, WalkAnswer};
use brickwork::{Percent, Point, Speed};

use crate::command::Shown;
use crate::print::{bar, counted, file, held_out_words, row, shrunk, table, thousands};

impl Shown for Disassemble {
    const PLACES: &'static [&'static str] = &["model"];
    const REQUIRED: &'static [&'static str] = &["model", "classes"];
    const EXAMPLES: &'static str = "Examples:
  brickwork disassemble net.onnx --profile net.profile.safetensors \\
      --classes cat,dog --data cifar-10-batches-bin -o pets.onnx
  brickwork disassemble net.onnx --classes cat,dog --data cifar-10-batches-bin \\
      --max-drop 1.0 --frontier pets.html -o pets.onnx
  brickwork disassemble net.onnx --profile net.profile.safetensors \\
      --classes 0-4 --refit none -o half.onnx
  brickwork disassemble net.onnx --keep kept.json --classes 0-9 --refit none \\
      -o pruned.onnx";

    fn text(&self, answer: &DisassembleAnswer) -> String {
        let mut text = answer.walk.as_ref().map(way).unwrap_or_default();
        let _ = writeln!(text, "classes     {}", answer.classes.join(", "));
        for (name, size) in [("parameters", answer.params), ("MACs", answer.macs)] {
            let _ = writeln!(text, "{name:<11} {}", shrunk(size.before, size.after));
        }
        answer.speed.iter().for_each(|speed| text.push_str(&time(speed)));
        if answer.walk.is_none() {
            text.push_str(&how(answer));
        }
        text.push_str(&trust(answer));
        for path in
            file(answer.output.as_ref()).into_iter().chain(&self.frontier).chain(&self.node_data)
        {
            let _ = writeln!(text, "written     {}", path.display());
        }
        text
    }
}

/// How much faster it is.
fn time(speed: &Speed) -> String {
    let Speed { batch, threads, before_ms, after_ms } = speed;
    let share = Percent::of(after_ms / before_ms);
    let (images, on) = (counted(*batch, "image"), counted(*threads, "thread"));
    format!("time        {before_ms:.2} -> {after_ms:.2} ms ({share:.1}) for {images} on {on}\n")
}

/// How far a refit can be trusted.
fn trust(answer: &DisassembleAnswer) -> String {
    let found = answer.refit.as_ref().and_then(|refit| refit.agreement);
    found.map_or(String::new(), |found| {
        format!(
            "agreement   with its source on {} of images that it was refitted on, on {} of {} others\n",
            found.fitted, found.held_out, found.held_out_images
        )
    })
}

/// What was done to the channels and the weights.
fn how(answer: &DisassembleAnswer) -> String {
    let checked = answer.cut_equals_mask;
    let mut text =
        format!("check       cut equals masked source, largest difference {checked:.1e}\n");
    let _ = match &answer.refit {
        Some(refit) => {
            writeln!(text, "refit       least squares on {} images", refit.note.images)
        }
        None if answer.dry_run => writeln!(text, "refit       not in a dry run"),
        None => writeln!(text, "refit       none: this is the bare cut"),
    };
    if !answer.added.is_empty() {
        let count: usize = answer.added.values().map(|k| k.input.len() + k.output.len()).sum();
        let layers: Vec<&str> = answer.added.keys().take(8).map(String::as_str).collect();
        let layers = layers.join(", ");
        let _ = writeln!(text, "added       {count} channels that belong to others, at {layers}");
    }
    text
}

/// The steps of the way down.
fn way(walk: &WalkAnswer) -> String {
    let mut rows = vec![row(["", "MACs", "%", "params", "accuracy, %"])];
    let whole = walk.frontier.first().map_or(1, |point| point.macs);
    for (k, Point { macs, params, accuracy, .. }) in walk.frontier.iter().enumerate() {
        let share = Percent::ratio(*macs, whole);
        let cells = [
            if k == walk.chosen { "kept".to_owned() } else { String::new() },
            thousands(*macs),
            format!("{:.1}", share.number()),
            thousands(*params),
            accuracy.map_or("-".to_owned(), Percent::cell),
        ];
        rows.push(cells.into_iter().chain(bar(share.share())).collect());
    }
    let mut text = table(&rows);
    if let Some(time) = &walk.by_table {
        let (images, on) = (counted(time.batch, "image"), counted(time.threads, "thread"));
        let _ = writeln!(
            text,
            "\nestimated   {:.2} -> {:.2} ms for {images} on {on} in {}",
            time.before_ms, time.after_ms, time.runtime
        );
    }
    if let Some(held) = walk.held_out {
        let _ = writeln!(text, "\n{}", held_out_words(walk.measure, held, walk.held_out_split));
    }
    text
}
