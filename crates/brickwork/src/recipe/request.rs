//! Building a recipe, as a request.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::build::{BuildOptions, BuiltStep, Outcome};
use super::plan::PlannedStep;
use super::text::Recipe;
use crate::model::error::{Error, Problem};
use crate::verbs::{Context, Verb};

/// Make what a recipe says
///
/// Only what changed is done: steps that are new, whose options, seed or inputs changed, or whose results are gone.
/// What was done is written down after each step beside the results, so that a build that was stopped goes on
/// where it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Build {
    /// The recipe
    pub recipe: PathBuf,
    /// The folder that results go to [default: that of the recipe]
    pub out: Option<PathBuf>,
    /// Show what would be done and stop
    pub dry_run: bool,
    /// Give an option of a step another value: STEP.OPTION=VALUE, data.NAME=PATH or seed=N. Repeat for several
    pub set: Vec<String>,
    /// Draw what is made of what: .svg or .dot
    pub graph: Option<PathBuf>,
    /// Where a step fails, go on with those that do not need it
    pub keep_going: bool,
    /// Overwrite files that the build did not make as they are
    pub overwrite: bool,
    /// Steps that may run at the same time; each of them already uses all threads where it can
    pub jobs: usize,
}

impl Default for Build {
    fn default() -> Self {
        Self {
            recipe: PathBuf::new(),
            out: None,
            dry_run: false,
            set: Vec::new(),
            graph: None,
            keep_going: false,
            overwrite: false,
            jobs: 1,
        }
    }
}

/// What was built, or would be.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BuildAnswer {
    /// The recipe.
    pub recipe: PathBuf,
    /// The folder of the results.
    pub out: PathBuf,
    /// The drawing, if one was asked for.
    pub graph: Option<PathBuf>,
    /// What would be done, in order; empty unless no more than that was asked.
    pub planned: Vec<PlannedStep>,
    /// What became of the steps, in order.
    pub steps: Vec<BuiltStep>,
}

impl BuildAnswer {
    /// Whether no step failed.
    pub fn succeeded(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.outcome, Outcome::Fresh | Outcome::Built))
    }
}

impl Verb for Build {
    type Answer = BuildAnswer;

    const NAME: &'static str = "build";

    fn problems(&self) -> Vec<Problem> {
        let named = !self.recipe.as_os_str().is_empty();
        let known = |path: &PathBuf| {
            path.extension().is_some_and(|ending| ending == "svg" || ending == "dot")
        };
        [
            Problem::unless(
                named,
                "recipe",
                "no recipe is named; `init-recipe` writes one to begin with",
            ),
            Problem::unless(
                self.graph.as_ref().is_none_or(known),
                "graph",
                "`graph=` must end in .svg or .dot",
            ),
            Problem::unless(
                (1..=64).contains(&self.jobs),
                "jobs",
                "`jobs=` must be a number from 1 to 64",
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<BuildAnswer, Error> {
        let mut recipe = Recipe::read(&self.recipe)?;
        self.set.iter().try_for_each(|assignment| recipe.set(assignment))?;
        if context.seed != 0 {
            recipe.set(&format!("seed={}", context.seed))?;
        }
        let out = self.out.clone().unwrap_or_else(|| recipe.folder().to_path_buf());
        if let Some(path) = &self.graph {
            context.write(drawing(&recipe, path).as_bytes(), path)?;
        }
        let (mut planned, mut steps) = (Vec::new(), Vec::new());
        if self.dry_run {
            planned = recipe.plan(&out, context)?;
        } else {
            let (keep_going, overwrite, jobs) = (self.keep_going, self.overwrite, self.jobs);
            let options = BuildOptions { out: out.clone(), keep_going, overwrite, jobs };
            steps = recipe.build(&options, context)?;
        }
        let (recipe, graph) = (self.recipe.clone(), self.graph.clone());
        Ok(BuildAnswer { recipe, out, graph, planned, steps })
    }
}

fn drawing(recipe: &Recipe, path: &Path) -> String {
    if path.extension().is_some_and(|ending| ending == "svg") {
        recipe.to_svg()
    } else {
        recipe.to_dot()
    }
}
