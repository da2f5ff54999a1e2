//! `brickwork gcn disassemble`

use std::fmt::Write;

use brickwork::verbs::{GcnDisassemble, GcnDisassembleAnswer};

use crate::command::Shown;
use crate::print::shrunk;

impl Shown for GcnDisassemble {
    const PLACES: &'static [&'static str] = &["model"];
    const REQUIRED: &'static [&'static str] = &["model", "data", "classes", "output"];
    const EXAMPLES: &'static str = "Example:
  brickwork gcn disassemble gcn.onnx --data cora.npz --classes 1-2 -o component.onnx

The component takes the same features as the model and reads those it keeps.";

    fn text(&self, answer: &GcnDisassembleAnswer) -> String {
        let mut text = format!("classes     {}\n", answer.classes.join(", "));
        let sizes =
            [("features", answer.features), ("parameters", answer.params), ("MACs", answer.macs)];
        for (name, size) in sizes {
            let _ = writeln!(text, "{name:<11} {}", shrunk(size.before, size.after));
        }
        let checked = answer.cut_equals_mask;
        let _ = writeln!(
            text,
            "check       cut equals masked source, largest difference {checked:.1e}"
        );
        if let Some(path) = &answer.output {
            let _ = writeln!(text, "written     {}", path.display());
        }
        text
    }
}
