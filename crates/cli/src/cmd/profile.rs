//! `brickwork profile`

use brickwork::verbs::{Profile, ProfileAnswer};

use crate::command::Shown;
use crate::print::{file, row, table};

impl Shown for Profile {
    const PLACES: &'static [&'static str] = &["model"];
    const REQUIRED: &'static [&'static str] = &["output"];
    const SEVERAL: &'static [&'static str] = &["merge"];
    const EXAMPLES: &'static str = "Examples:
  brickwork profile net.onnx --data cifar-10-batches-bin -o net.profile.safetensors
  brickwork profile net.onnx --data photos/ --samples all --classes cat,dog \\
      --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 -o pets.safetensors
  brickwork profile --merge first.safetensors second.safetensors -o both.safetensors";

    fn text(&self, answer: &ProfileAnswer) -> String {
        let mut rows = vec![row(["class", "samples", "correct", "used", "lowest margin"])];
        for class in &answer.classes {
            let [correct, margin] = match class.lowest_margin {
                Some(margin) => [class.correct.to_string(), format!("{margin:.2}")],
                None => ["-", "-"].map(str::to_owned),
            };
            let [seen, used] = [class.seen, class.used].map(|count| count.to_string());
            rows.push(vec![class.name.clone(), seen, correct, used, margin]);
        }
        let place = file(answer.output.as_ref())
            .map_or(String::new(), |path| format!("{}: ", path.display()));
        format!("{}\n{place}{} layers of `{}`", table(&rows), answer.layers, answer.model)
    }
}
