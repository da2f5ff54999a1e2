//! `brickwork compress`

use std::fmt::Write;

use brickwork::Percent;
use brickwork::verbs::{Compress, CompressAnswer};

use crate::command::Shown;
use crate::print::{file, held_out_words, row, table, thousands};

impl Shown for Compress {
    const PLACES: &'static [&'static str] = &["model"];
    const REQUIRED: &'static [&'static str] = &["model"];
    const EXAMPLES: &'static str = "Examples:
  brickwork compress net.onnx --data cifar-10-batches-bin --macs 50% -o half.onnx
  brickwork compress net.onnx --data cifar-10-batches-bin --max-drop 1.0 -o small.onnx
  brickwork compress net.onnx --data photos/ --params 300000 --compare --keep-all variants/
  brickwork compress net.onnx --macs 50% --criterion l1 --no-refit -o bare.onnx";

    fn text(&self, answer: &CompressAnswer) -> String {
        let whole = &answer.source;
        let line = |name: &str, params: usize, macs: u64, accuracy: [Option<Percent>; 2]| {
            let share =
                |part: u64, whole: u64| format!("{:.1}", Percent::ratio(part, whole).number());
            let [before, after] = accuracy.map(|value| value.map_or("-".to_owned(), Percent::cell));
            let params = [thousands(params as u64), share(params as u64, whole.params as u64)];
            let [params, part] = params;
            vec![
                name.to_owned(),
                params,
                part,
                thousands(macs),
                share(macs, whole.macs),
                before,
                after,
            ]
        };
        let head = ["", "params", "%", "MACs", "%", "bare cut, %", "refitted, %"];
        let source = line("source", whole.params, whole.macs, [whole.accuracy, None]);
        let mut rows = vec![row(head), source];
        rows.extend(answer.models.iter().map(|model| {
            let accuracy = [model.accuracy_before_refit, model.accuracy_after_refit];
            line(model.criterion.name(), model.params, model.macs, accuracy)
        }));
        let mut text = table(&rows);
        if let Some(held) = answer.held_out {
            let _ =
                writeln!(text, "\n{}", held_out_words(answer.measure, held, answer.held_out_split));
        }
        for skipped in &answer.skipped {
            let _ = writeln!(text, "left out: {}", skipped.reason);
        }
        for path in file(answer.output.as_ref()).into_iter().chain(&answer.kept_all) {
            let _ = writeln!(text, "written {}", path.display());
        }
        text
    }
}
