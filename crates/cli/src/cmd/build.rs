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
        let lines: Vec<Line> = match self.dry_run {
            true => answer.planned.iter().map(Line::planned).collect(),
            false => answer.steps.iter().map(Line::built).collect(),
        };
        let cells = lines.iter().map(|line| line.cells.clone());
        let table = table(&cells.collect::<Vec<_>>());
        let told =
            table.lines().zip(&lines).map(|(cells, line)| format!("{cells}  {}\n", line.what));
        format!("{}{}", told.collect::<String>(), written(answer.graph.as_ref()))
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

/// A step in words.
struct Line {
    cells: Vec<String>,
    what: String,
}

impl Line {
    fn new(name: &str, verb: &str, bytes: Option<u64>, what: String) -> Self {
        let bytes = bytes.map_or("-".to_owned(), thousands);
        Self { cells: row([name, verb, &bytes]), what }
    }

    fn planned(step: &PlannedStep) -> Self {
        let what = match &step.why {
            Some(why) => format!("to do: {why}"),
            None => "up to date".to_owned(),
        };
        Self::new(&step.name, &step.verb, step.bytes, what)
    }

    fn built(step: &BuiltStep) -> Self {
        let why = step.why.as_deref().unwrap_or_default();
        let what = match step.outcome {
            Outcome::Fresh => "up to date".to_owned(),
            Outcome::Built => format!("made: {why}"),
            Outcome::Failed => format!("failed: {why}"),
            Outcome::LeftOut => format!("left out: {why}"),
        };
        Self::new(&step.name, &step.verb, step.bytes, what)
    }
}
