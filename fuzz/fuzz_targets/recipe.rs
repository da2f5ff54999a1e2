//! Any text as a recipe: refused in words, or it says the same again, can be checked, drawn and changed.
#![no_main]

use std::path::Path;

use brickwork::recipe::Recipe;
use brickwork::verbs::Context;
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|text: &str| -> Corpus {
    let recipe = match Recipe::parse(text) {
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return Corpus::Reject;
        }
        Ok(recipe) => recipe.in_folder("/nowhere"),
    };
    let again = Recipe::parse(recipe.to_toml()).expect("what was read is read again");
    assert_eq!(again.steps().len(), recipe.steps().len());
    assert_eq!(again.to_toml(), recipe.to_toml());
    // No file is there, so that nothing is built, but all that can be said before is.
    if let Err(error) = recipe.check(Path::new("/nowhere/out"), &Context::default()) {
        assert!(!error.to_string().is_empty());
    }
    assert!(recipe.to_svg().contains("<svg") && recipe.to_dot().contains("digraph"));
    for step in recipe.steps() {
        let mut changed = Recipe::parse(text).expect("as before");
        if let Err(error) = changed.set(&format!("{}.macs=20%", step.name)) {
            assert!(!error.to_string().is_empty());
        }
    }
    Corpus::Keep
});
