//! Recipes: requests by name in a text, whose results are named where other requests need them.
//!
//! ```toml
//! [data]
//! digits = "data/digits"      # names for what is there already: "@digits"
//!
//! [low]                       # a step; its result is "@low", the file low.onnx
//! verb = "disassemble"
//! model = "digits.onnx"
//! profile = "digits.profile.safetensors"
//! classes = "0-4"
//! data = "@digits"
//! ```
//!
//! Files that steps read stand beside the recipe, files that they write in the folder that it is built in. The
//! keys of a step are the options of its verb's request; `verb` is its name and `seed`, if it is there, its seed.

mod build;
mod carried;
mod check;
mod drawing;
mod new;
mod parse;
mod place;
mod plan;
mod request;
mod schema;
mod state;
mod text;
mod work;
mod write;

pub use build::{BuildOptions, BuiltStep, Outcome};
pub use carried::{PrintRecipe, PrintRecipeAnswer};
pub use new::{InitRecipe, InitRecipeAnswer};
pub use parse::{DataName, Setting, Step};
pub use plan::PlannedStep;
pub use request::{Build, BuildAnswer};
pub use schema::schema;
pub use text::Recipe;
