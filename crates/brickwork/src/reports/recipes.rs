//! Recipes, as all their fields.

use super::Reported;
use crate::recipe::{Build, InitRecipe, PrintRecipe};

impl Reported for Build {}

impl Reported for PrintRecipe {}

impl Reported for InitRecipe {}
