//! What a command is: a verb of the library, and how its request is typed and its answer told.

use std::process::ExitCode;

use brickwork::verbs::Context;
use clap::ArgMatches;
use schemars::{Schema, schema_for};
use serde::Serialize;

use crate::args::Global;
use crate::options;
use crate::print::Out;
use crate::progress;
pub(crate) use crate::shown::Shown;

/// One command.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) command: fn() -> clap::Command,
    pub(crate) run: fn(&ArgMatches, &Global, &Out) -> anyhow::Result<ExitCode>,
    pub(crate) schemas: fn() -> Schemas,
    /// Asserts that all that tells of its options says the same.
    #[cfg(test)]
    pub(crate) agrees: fn(),
}

/// The JSON Schemas of a verb.
#[derive(Serialize)]
pub(crate) struct Schemas {
    request: Schema,
    answer: Schema,
}

/// The command of a verb.
pub(crate) const fn entry<V: Shown>() -> Entry {
    Entry {
        name: V::NAME,
        command: options::command::<V>,
        run: run::<V>,
        schemas: schemas::<V>,
        #[cfg(test)]
        agrees: options::tests::agrees::<V>,
    }
}

fn schemas<V: Shown>() -> Schemas {
    Schemas { request: schema_for!(V), answer: options::written_schema::<V::Answer>() }
}

fn run<V: Shown>(matches: &ArgMatches, global: &Global, out: &Out) -> anyhow::Result<ExitCode> {
    let request: V = options::request(matches).unwrap_or_else(|error| error.exit());
    let shown = progress::Shown::new(out);
    // Threads are those of the whole process.
    let context = Context { progress: &shown, seed: global.seed, ..Context::default() };
    let answer = request.run(&context)?;
    drop(shown);
    match V::LINES {
        Some(list) => out.lines(&answer, list, || request.text(&answer))?,
        None => out.result(&answer, || request.text(&answer))?,
    }
    Ok(if V::succeeded(&answer) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
