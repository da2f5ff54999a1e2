//! `brickwork build`, `brickwork recipe` and `brickwork init-recipe`

use brickwork::recipe::{
    Build, BuildAnswer, BuiltStep, InitRecipe, InitRecipeAnswer, Outcome, PlannedStep, PrintRecipe,
    PrintRecipeAnswer,
};

use crate::command::Shown;
use crate::print::{row, table, thousands, written};

impl Shown for Build {
    const PLACES: &'static [&'static str] = &["recipe"];
    const REQUIRED: &'static [&'static str] = &["recipe"];
    const EXAMPLES: &'static str = "Examples:
  brickwork build recipe.toml
  brickwork build recipe.toml --out results --dry-run
  brickwork build recipe.toml --set low.macs=20% --graph recipe.svg";

    fn text(&self, answer: &BuildAnswer) -> String {
        let rows = match self.dry_run {
            true => answer.planned.iter().map(planned).collect::<Vec<_>>(),
            false => answer.steps.iter().map(built).collect(),
        };
        let head = row(["step", "verb", "", "bytes"]);
        let table = table(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
        format!("{table}{}", written(answer.graph.as_ref()))
    }

    fn succeeded(answer: &BuildAnswer) -> bool {
        answer.succeeded()
    }
}

impl Shown for PrintRecipe {
    const PLACES: &'static [&'static str] = &["model"];
    const REQUIRED: &'static [&'static str] = &["model"];
    const EXAMPLES: &'static str = "Examples:
  brickwork recipe ready.onnx
  brickwork recipe ready.onnx -o again.toml";

    fn text(&self, answer: &PrintRecipeAnswer) -> String {
        answer.recipe.clone()
    }
}

impl Shown for InitRecipe {
    const PLACES: &'static [&'static str] = &["file"];
    const EXAMPLES: &'static str = "Example:
  brickwork init-recipe";

    fn text(&self, answer: &InitRecipeAnswer) -> String {
        format!("written {}", answer.file.display())
    }
}

fn bytes(bytes: Option<u64>) -> String {
    bytes.map_or("-".to_owned(), thousands)
}

fn planned(step: &PlannedStep) -> Vec<String> {
    let what = match &step.why {
        Some(why) => format!("to do: {why}"),
        None => "up to date".to_owned(),
    };
    vec![step.name.clone(), step.verb.clone(), what, bytes(step.bytes)]
}

fn built(step: &BuiltStep) -> Vec<String> {
    let why = step.why.as_deref().unwrap_or_default();
    let what = match step.outcome {
        Outcome::Fresh => "up to date".to_owned(),
        Outcome::Built => format!("made: {why}"),
        Outcome::Failed => "failed".to_owned(),
        Outcome::LeftOut => format!("left out: {why}"),
    };
    vec![step.name.clone(), step.verb.clone(), what, bytes(step.bytes)]
}
