//! A recipe to begin with.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::error::{Error, Problem};
use crate::verbs::{Context, Verb};

/// Write a recipe to begin with
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct InitRecipe {
    /// Where to write it
    pub file: PathBuf,
}

impl Default for InitRecipe {
    fn default() -> Self {
        Self { file: "recipe.toml".into() }
    }
}

/// The recipe that was written.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct InitRecipeAnswer {
    /// Its file.
    pub file: PathBuf,
    /// Its text.
    pub recipe: String,
}

const TEXT: &str = include_str!("new.toml");

impl Verb for InitRecipe {
    type Answer = InitRecipeAnswer;

    const NAME: &'static str = "init-recipe";

    fn problems(&self) -> Vec<Problem> {
        let place = self.file.display();
        let there = self.file.exists();
        let there = there
            .then(|| Problem::new("file", format!("{place} is there already; name another file")));
        there.into_iter().collect()
    }

    fn work(&self, context: &Context<'_>) -> Result<InitRecipeAnswer, Error> {
        context.write(TEXT.as_bytes(), &self.file)?;
        Ok(InitRecipeAnswer { file: self.file.clone(), recipe: TEXT.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::TEXT;
    use crate::recipe::text::Recipe;

    #[test]
    fn it_can_be_understood() {
        let recipe = Recipe::parse(TEXT).unwrap();
        assert_eq!(recipe.steps().len(), 6);
    }
}
