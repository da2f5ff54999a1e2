//! What speaks against a recipe before any of it is built.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::place::{Input, Placed, checkpoint, fault, place};
use super::state::State;
use super::text::Recipe;
use crate::model::digest::is_there;
use crate::model::error::{Error, Fault};
use crate::verbs::Context;

/// All steps of a recipe with their requests, each behind those whose results it reads.
///
/// # Errors
/// Everything that keeps the recipe from being built, with its line: unknown verbs, options and names, circles,
/// missing files, files that two steps write, and what requests themselves refuse.
pub(super) fn checked(
    recipe: &Recipe,
    out: &Path,
    state: &State,
    context: &Context<'_>,
) -> Result<Vec<Placed>, Error> {
    let (placed, mut faults) = place(recipe, out);
    faults.extend(overwritten(recipe, &placed));
    for step in &placed {
        faults.extend(missing(recipe, step, context));
        // Of what is not understood, more would be said than is true.
        if step.is_whole {
            faults.extend(refused(recipe, step, state));
        }
    }
    let ordered = ordered(recipe, placed, &mut faults);
    faults.sort_by_key(|fault| fault.line);
    if faults.is_empty() { Ok(ordered) } else { Err(recipe.faults(faults)) }
}

/// Files that two steps write, or that a step writes and another finds there before.
fn overwritten(recipe: &Recipe, placed: &[Placed]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let written = |step: &Placed| {
        step.outputs.iter().map(|output| output.path.clone()).collect::<Vec<PathBuf>>()
    };
    for (k, step) in placed.iter().enumerate() {
        let line = recipe.steps()[step.step].line;
        for path in written(step) {
            let place = path.display();
            if let Some(other) = placed[..k].iter().find(|other| written(other).contains(&path)) {
                let message =
                    format!("steps `{}` and `{}` both write {place}", other.name, step.name);
                faults.push(fault(line, message));
            }
            let reads = |other: &&Placed| {
                other.inputs.iter().any(|input| input.from.is_none() && input.path == path)
            };
            if let Some(other) = placed.iter().find(reads) {
                let message = format!(
                    "step `{}` would overwrite {place}, which step `{}` reads; build in another folder, or call the \
                     result otherwise (if it is the result that is meant, write `@{}`)",
                    step.name, other.name, step.name
                );
                faults.push(fault(line, message));
            }
        }
    }
    faults
}

/// Files of a step that are not there.
fn missing(recipe: &Recipe, placed: &Placed, context: &Context<'_>) -> Vec<Fault> {
    let step = &recipe.steps()[placed.step];
    let gone = |input: &Input| match context.held(&input.path) {
        Ok(None) if input.from.is_some() || input.path == Path::new("-") => None,
        Ok(None) if is_there(&input.path) => None,
        Ok(None) => Some(format!("there is no {}", input.path.display())),
        Ok(Some(_)) => None,
        Err(error) => Some(error.to_string()),
    };
    let told = |input: &Input| {
        let (option, why) = (&input.option, gone(input)?);
        Some(fault(step.line_of(option), format!("step `{}`: `{option}`: {why}", step.name)))
    };
    placed.inputs.iter().filter_map(told).collect()
}

/// What a step's request refuses.
fn refused(recipe: &Recipe, placed: &Placed, state: &State) -> Vec<Fault> {
    let step = &recipe.steps()[placed.step];
    let told = |option: &str, message: &str| {
        fault(step.line_of(option), format!("step `{}`: {message}", step.name))
    };
    let request = Value::Object(checkable(placed, state));
    match placed.verb.problems(request) {
        Ok(problems) => {
            problems.iter().map(|problem| told(problem.field, &problem.message)).collect()
        }
        Err(wrong) => wrong.iter().map(|wrong| told(&wrong.option, &wrong.message)).collect(),
    }
}

/// A step's request with what it writes in the nearest folder that is there: those below are made when it is built.
/// A run that a build began is not blamed for being unfinished.
fn checkable(placed: &Placed, state: &State) -> Map<String, Value> {
    let there = |folder: &&Path| folder.is_dir() || folder.as_os_str().is_empty();
    let nearest = |path: &Path| {
        let folder = path.ancestors().skip(1).find(there).unwrap_or(Path::new("")).to_path_buf();
        folder.join(path.file_name().unwrap_or(path.as_os_str()))
    };
    let mut request = placed.request.clone();
    for output in &placed.outputs {
        if let Some(file) = request.get_mut(&output.option) {
            *file = json!(nearest(&output.path));
        }
    }
    let begun = state.steps.get(&placed.name).is_some_and(|made| !made.done);
    if begun && checkpoint(placed).is_some_and(|path| path.is_file()) {
        request.insert("resume".to_owned(), json!(true));
    }
    request
}

/// The steps, each behind those that it reads from, otherwise as they stand in the text.
fn ordered(recipe: &Recipe, placed: Vec<Placed>, faults: &mut Vec<Fault>) -> Vec<Placed> {
    let (mut waiting, mut ordered): (Vec<Placed>, Vec<Placed>) = (placed, Vec::new());
    loop {
        let open: Vec<usize> = waiting.iter().map(|step| step.step).collect();
        let ready = |step: &Placed| {
            step.inputs.iter().filter_map(|input| input.from).all(|from| !open.contains(&from))
        };
        let Some(next) = waiting.iter().position(ready) else { break };
        ordered.push(waiting.remove(next));
    }
    if !waiting.is_empty() {
        let names: Vec<&str> = waiting.iter().map(|step| &step.name[..]).collect();
        let line = recipe.steps()[waiting[0].step].line;
        let names = names.join(", ");
        faults.push(fault(line, format!("these steps wait for each other's results: {names}")));
    }
    ordered
}
