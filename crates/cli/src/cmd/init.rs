//! `brickwork init`

use brickwork::Stem;
use brickwork::verbs::{Init, InitAnswer, KnownArchitecture, MadeNetwork};

use crate::command::Shown;
use crate::print::{row, table, thousands, written};

impl Shown for Init {
    const REQUIRED: &'static [&'static str] = &["arch", "output"];
    const INSTEAD: Option<&'static str> = Some("list");
    const EXAMPLES: &'static str = "Examples:
  brickwork init --list
  brickwork init --arch resnet20 --classes 10 -o net.onnx
  brickwork init --arch vgg16 --class-names cat,dog --size 64 --width 0.25 --seed 1 -o pets.onnx";

    fn text(&self, answer: &InitAnswer) -> String {
        match answer {
            InitAnswer::Made(made) => made_words(made),
            InitAnswer::List(known) => list_words(known),
        }
    }
}

fn made_words(made: &MadeNetwork) -> String {
    let [channels, height, width] = made.input;
    let stem = match made.stem {
        Some(Stem::Cifar) => ", cifar stem",
        Some(Stem::Imagenet) => ", imagenet stem",
        None => "",
    };
    format!(
        "{}{stem}: input {channels}x{height}x{width}, {} classes, {} parameters, {} MACs{}",
        made.architecture,
        made.classes.len(),
        thousands(made.params as u64),
        thousands(made.macs),
        written(made.output.as_ref())
    )
}

fn list_words(known: &[KnownArchitecture]) -> String {
    let mut rows = vec![row(["architecture", "input", "parameters", "MACs"])];
    for KnownArchitecture { name, input: [channels, height, width], params, macs } in known {
        rows.push(vec![
            name.clone(),
            format!("{channels}x{height}x{width}"),
            thousands(*params as u64),
            thousands(*macs),
        ]);
    }
    table(&rows)
}
