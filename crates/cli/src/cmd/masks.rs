//! `brickwork masks`

use brickwork::KeptLayer;
use brickwork::verbs::{Masks, MasksAnswer};

use crate::command::Shown;
use crate::print::{row, table};

impl Shown for Masks {
    const PLACES: &'static [&'static str] = &["model"];
    const REQUIRED: &'static [&'static str] = &["model"];
    const EXAMPLES: &'static str = "Example:\n  brickwork masks pets.onnx";

    fn text(&self, answer: &MasksAnswer) -> String {
        let origin = &answer.origin;
        let mut rows = vec![row(["layer", "inputs", "outputs", "kept outputs"])];
        for layer in &answer.layers {
            let Some(kept) = origin.kept.get(layer) else { continue };
            let [inputs, outputs] = [&kept.input, &kept.output].map(|list| list.len().to_string());
            rows.push(vec![layer.clone(), inputs, outputs, picture(kept)]);
        }
        format!(
            "{}\n{} of {} classes of `{}`: {}",
            table(&rows),
            origin.classes.len(),
            origin.of,
            origin.source,
            answer.class_names.join(", ")
        )
    }
}

/// Kept outputs as runs: 0-4 7 9-12.
fn picture(kept: &KeptLayer) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &channel in &kept.output {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == channel => *last = channel,
            _ => runs.push((channel, channel)),
        }
    }
    let shown = runs.iter().take(10).map(|&(first, last)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    });
    let more = if runs.len() > 10 { " ..." } else { "" };
    format!("{}{more}", shown.collect::<Vec<_>>().join(" "))
}
