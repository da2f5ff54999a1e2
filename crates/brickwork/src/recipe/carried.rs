//! The recipe that a file carries.

use std::path::{Path, PathBuf};

use brickwork_formats::onnx;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::Recipe;
use super::write;
use crate::files::sealed;
use crate::model::error::{Error, Problem};
use crate::model::provenance::{MadeStep, Provenance, RECIPE_KEY, SourceFile};
use crate::relevance::profile_file::profile_header;
use crate::verbs::{Context, Verb};

impl Recipe {
    /// The recipe of a file that was made so, which is called `name`. Names for data stand for files of the same
    /// names beside the recipe, with the digests that they must have.
    ///
    /// # Errors
    /// If a request cannot be written as TOML.
    pub fn of(provenance: &Provenance, name: &str) -> Result<Self, Error> {
        let mut text = String::new();
        if !provenance.sources.is_empty() {
            text.push_str("[data]\n");
        }
        for SourceFile { name, file, sha256 } in &provenance.sources {
            let path = write::quoted(file);
            text.push_str(&match sha256 {
                Some(digest) => {
                    let digest = write::quoted(digest);
                    format!("{} = {{ path = {path}, sha256 = {digest} }}\n", write::key(name))
                }
                None => format!("{} = {path}\n", write::key(name)),
            });
        }
        let last = provenance.steps.len().saturating_sub(1);
        for (k, step) in provenance.steps.iter().enumerate() {
            let step = if k == last { called(step, name, provenance) } else { step.clone() };
            let seed = Some(step.seed).filter(|seed| *seed > 0);
            let mut told = write::step(&step.name, &step.verb, seed, step.request.iter())?;
            if step.stem != step.name {
                // In a folder of its own, so that the file can be called as it was.
                let ending = if step.verb == "profile" { "safetensors" } else { "onnx" };
                let output = format!("{}/{}.{ending}", step.name, step.stem);
                told.push_str(&format!("output = {}\n", write::quoted(&output)));
            }
            if let Some(digest) = &step.sha256 {
                told.push_str(&format!("sha256 = {}\n", write::quoted(digest)));
            }
            text = write::joined(&text, &told);
        }
        Self::parse(&text)
    }

    /// The recipe that a file carries: a model or a profile.
    ///
    /// # Errors
    /// If the file cannot be read or carries none.
    pub fn of_file(path: &Path) -> Result<Self, Error> {
        let bytes = sealed::read(path)?;
        let text = onnx::metadata(&bytes).and_then(|mut entries| entries.remove(RECIPE_KEY));
        let provenance = match text {
            Some(text) => Some(Provenance::read(&text)?),
            None => profile_header(&bytes).and_then(|header| header.provenance),
        };
        let none = || {
            Error::file(format!(
                "{} carries no recipe: only models and profiles do that brickwork wrote",
                path.display()
            ))
        };
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::of(&provenance.ok_or_else(none)?, &stem)
    }
}

/// The last step with a name: that of its file, as far as nothing else has it.
fn called(step: &MadeStep, stem: &str, provenance: &Provenance) -> MadeStep {
    let letter = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let wanted: String = stem.chars().map(letter).collect();
    let taken = |name: &str| {
        name.is_empty()
            || ["data", "seed"].contains(&name)
            || provenance.sources.iter().any(|source| source.name == name)
            || provenance.steps.iter().any(|step| step.name == name)
    };
    let numbered = (2..).map(|number| format!("{wanted}-{number}"));
    let name = std::iter::once(wanted.clone()).chain(numbered).find(|name| !taken(name));
    MadeStep { name: name.unwrap_or(wanted), stem: stem.to_owned(), ..step.clone() }
}

/// Print the recipe that a file carries
///
/// Building it makes the same file, byte for byte, from the same data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PrintRecipe {
    /// The model or profile
    pub model: PathBuf,
    /// Where to write the recipe as well
    pub output: Option<PathBuf>,
}

/// A recipe.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PrintRecipeAnswer {
    /// Where it was written.
    pub output: Option<PathBuf>,
    /// Its text.
    pub recipe: String,
}

impl Verb for PrintRecipe {
    type Answer = PrintRecipeAnswer;

    const NAME: &'static str = "recipe";

    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    fn work(&self, context: &Context<'_>) -> Result<PrintRecipeAnswer, Error> {
        let recipe = Recipe::of_file(&self.model)?.to_toml().to_owned();
        if let Some(path) = &self.output {
            context.write(recipe.as_bytes(), path)?;
        }
        Ok(PrintRecipeAnswer { output: self.output.clone(), recipe })
    }
}
