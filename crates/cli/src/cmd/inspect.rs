//! `brickwork inspect`

use std::fmt::Write;

use brickwork::{Inspection, explain, inspect};
use serde_json::json;

use crate::args::{InputArgs, InspectArgs};
use crate::inputs;
use crate::print::{Out, row, table, thousands};

pub(crate) fn run(args: &InspectArgs, out: &Out) -> anyhow::Result<()> {
    let input = InputArgs { size: args.size, ..InputArgs::default() };
    let model = inputs::load(&args.model, Some(&input))?;
    if let Some(name) = &args.why {
        let lines = explain(&model, name)?;
        return out.result(&json!({ "value": name, "why": lines }), || lines.join("\n"));
    }
    let found = inspect(&model);
    out.result(&found, || describe(&found, args.all))
}

fn describe(found: &Inspection, all: bool) -> String {
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
        "\n{}: input {}, {} classes, {} parameters, {} MACs",
        found.name,
        found.input,
        found.classes.len(),
        thousands(found.params as u64),
        thousands(found.macs)
    );
    let free: usize = found.groups.iter().filter(|g| g.frozen.is_none()).map(|g| g.channels).sum();
    let _ = writeln!(text, "\n{free} channels can be cut one by one, in these groups:");
    for group in &found.groups {
        let places: Vec<&str> = group.members.iter().map(|m| m.node.as_str()).collect();
        let shown = places.iter().take(4).copied().collect::<Vec<_>>().join(", ");
        let more = places.len().saturating_sub(4);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = match &group.frozen {
            None => writeln!(text, "  {:5}  {shown}{more}", group.channels),
            Some(why) => writeln!(text, "  {:5}  {shown}{more}  [frozen: {why}]", group.channels),
        };
    }
    text
}
