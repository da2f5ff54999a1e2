//! `brickwork inspect`

use std::fmt::Write;

use brickwork::verbs::{Inspect, InspectAnswer};
use brickwork::{GroupRow, HeadKind, InputLayout, Inspection};

use crate::command::Shown;
use crate::print::{row, table, thousands};

impl Shown for Inspect {
    const PLACES: &'static [&'static str] = &["model"];
    const REQUIRED: &'static [&'static str] = &["model"];
    const EXAMPLES: &'static str = "Examples:
  brickwork inspect net.onnx
  brickwork inspect net.onnx --why /layer1/layer1.0/conv2/Conv
  brickwork inspect net.onnx --json | jq '.groups[] | select(.frozen)'";

    fn text(&self, answer: &InspectAnswer) -> String {
        match answer {
            InspectAnswer::Model(found) => model_words(found, self.all),
            InspectAnswer::Channels { why, .. } => why.join("\n"),
        }
    }
}

fn model_words(found: &Inspection, all: bool) -> String {
    let mut rows = vec![row(["layer", "op", "input", "output", "params", "MACs"])];
    for layer in found.layers.iter().filter(|layer| all || layer.params > 0 || layer.macs > 0) {
        rows.push(vec![
            layer.name.clone(),
            layer.op.clone(),
            layer.input.clone(),
            layer.output.clone(),
            thousands(layer.params as u64),
            thousands(layer.macs),
        ]);
    }
    let mut text = table(&rows);
    let _ = writeln!(
        text,
        "\n{}: input {}, {} classes{}, {} parameters, {} MACs",
        found.name,
        input_words(found),
        found.classes.len(),
        head_words(found.head),
        thousands(found.params as u64),
        thousands(found.macs)
    );
    let free: usize = found.groups.iter().filter(|g| g.frozen.is_none()).map(|g| g.channels).sum();
    let _ = writeln!(text, "\n{free} channels can be cut one by one, in these groups:");
    found.groups.iter().for_each(|group| text.push_str(&group_words(group)));
    text
}

/// What is odd about the scores.
fn head_words(head: HeadKind) -> &'static str {
    match head {
        HeadKind::Single => "",
        HeadKind::Binary => " (told apart by one score)",
        HeadKind::Multilabel => " (an image may be of several)",
    }
}

/// The shape of the input, and what is odd about it.
fn input_words(found: &Inspection) -> String {
    match found.layout {
        InputLayout::Nchw => found.input.clone(),
        InputLayout::Nhwc => {
            format!("{} (channels last; layers have them first)", found.input)
        }
    }
}

/// A line about channels that can only be cut together.
fn group_words(group: &GroupRow) -> String {
    let places: Vec<&str> = group.members.iter().map(|m| m.node.as_str()).collect();
    let shown = places.iter().take(4).copied().collect::<Vec<_>>().join(", ");
    let more = match places.len().saturating_sub(4) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let frozen = group.frozen.as_ref().map_or(String::new(), |why| format!("  [frozen: {why}]"));
    format!("  {:5}  {shown}{more}{frozen}\n", group.channels)
}
