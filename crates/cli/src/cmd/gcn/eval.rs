//! `brickwork gcn eval`

use std::fmt::Write;

use brickwork::Percent;
use brickwork::verbs::{GcnEval, GcnEvalAnswer};

use crate::cmd::eval::{class_words, leakage_words};
use crate::command::Shown;
use crate::print::{row, table, thousands};

impl Shown for GcnEval {
    const PLACES: &'static [&'static str] = &["model"];
    const REQUIRED: &'static [&'static str] = &["model", "data"];
    const EXAMPLES: &'static str = "Examples:
  brickwork gcn eval gcn.onnx --data cora.npz --classes 1-2
  brickwork gcn eval component.onnx --data cora.npz --source gcn.onnx --json";

    fn text(&self, answer: &GcnEvalAnswer) -> String {
        let whose = if self.source.is_some() { "source" } else { "this model" };
        let mut rows = vec![row(["accuracy, %", "per node", "per class"])];
        let mut line = |name: String, node: Percent, class: Percent| {
            rows.push(vec![name, node.cell(), class.cell()]);
        };
        if let Some(base) = &answer.base {
            line(format!("{whose}, all its classes"), base.per_image, base.per_class);
        }
        let part = self.source.is_some() || self.classes.is_some();
        if let Some(base) = answer.base_restricted.as_ref().filter(|_| part) {
            let name = format!("{whose}, restricted to these classes");
            line(name, base.per_image, base.per_class);
        }
        if self.source.is_some() {
            line("this model".to_owned(), answer.accuracy, answer.mean_class_accuracy);
        }
        let mut text = table(&rows);
        text.push_str(&class_words(&answer.accuracy_per_class, "nodes"));
        text.push_str(&leakage_words(answer.leakage.as_ref(), answer.base_leakage.as_ref()));
        let [nodes, params] = [answer.nodes, answer.params].map(|count| thousands(count as u64));
        let macs = thousands(answer.macs);
        let _ = write!(text, "\n{nodes} nodes, {params} parameters, {macs} MACs");
        text
    }
}
