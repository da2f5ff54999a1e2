//! `brickwork assemble`

use brickwork::verbs::{Assemble, AssembleAnswer};

use crate::command::Shown;
use crate::print::{row, table, thousands, written};

impl Shown for Assemble {
    const PLACES: &'static [&'static str] = &["parts"];
    const REQUIRED: &'static [&'static str] = &["parts", "output"];
    const LISTS: &'static [&'static str] = &["remove"];
    const EXAMPLES: &'static str = "Examples:
  brickwork assemble digits.onnx garments.onnx -o both.onnx
  brickwork assemble a.onnx b.onnx c.onnx --layout padded --on-duplicate max -o joined.onnx
  brickwork assemble a.onnx b.onnx --replace cat=better.onnx --remove dog -o patched.onnx";

    fn text(&self, answer: &AssembleAnswer) -> String {
        let line = |name: &str, classes: usize, params: usize, macs: u64| {
            let (params, macs) = (thousands(params as u64), thousands(macs));
            vec![name.to_owned(), classes.to_string(), params, macs]
        };
        let mut rows = vec![row(["part", "classes", "parameters", "MACs"])];
        rows.extend(answer.parts.iter().map(|p| line(&p.name, p.classes.len(), p.params, p.macs)));
        rows.push(line("assembled", answer.classes.len(), answer.params, answer.macs));
        let once = match answer.shared_layers.len() {
            0 => String::new(),
            count => format!("\n{count} layers are the same in several parts: stored and run once"),
        };
        format!(
            "{}{once}\nscores equal the parts' (largest difference {:.1e}){}",
            table(&rows),
            answer.difference_from_parts,
            written(answer.output.as_ref())
        )
    }
}
