//! `brickwork probe`

use brickwork::Percent;
use brickwork::verbs::{Probe, ProbeAnswer};

use crate::command::Shown;
use crate::print::{row, table};

impl Shown for Probe {
    const PLACES: &'static [&'static str] = &["models"];
    const REQUIRED: &'static [&'static str] = &["models"];
    const EXAMPLES: &'static str = "Examples:
  brickwork probe pets.onnx net.onnx --data cifar-10-batches-bin
  brickwork probe pets.onnx --data cifar-10-batches-bin --classes ship,truck";

    fn text(&self, answer: &ProbeAnswer) -> String {
        let mut rows = vec![row(["", "features", "probe, %"])];
        rows.extend(answer.models.iter().map(|model| {
            let probe = &model.probe;
            row([&model.name, &probe.features.to_string(), &probe.accuracy.cell()])
        }));
        let chance = answer.models.first().map_or(Percent::default(), |model| model.probe.chance);
        rows.push(row(["chance", "", &chance.cell()]));
        let mut text = format!("{}\nclasses     {}", table(&rows), answer.classes.join(", "));
        for (what, sets) in [("fitted on", &answer.fitted), ("measured on", &answer.measured)] {
            for set in sets {
                text.push_str(&format!("\n{what:<11} {}", set.words()));
            }
        }
        text
    }
}
