//! What a command is: a verb of the library, and how its request is typed and its answer told.

use std::process::ExitCode;

use anyhow::bail;
use brickwork::Error;
use brickwork::reports::{Making, glance, report};
use brickwork::verbs::{Context, NamedVerb, Shelf, check_writable, plain, refused, understood};
use brickwork_formats::write_atomically;
use clap::ArgMatches;
use serde_json::{Value, json};

use crate::args::Global;
use crate::boxes::UserBox;
use crate::caching;
use crate::options;
use crate::print::Out;
use crate::progress;
pub(crate) use crate::shown::Shown;

/// One command.
pub(crate) struct Entry {
    pub(crate) verb: NamedVerb,
    pub(crate) command: fn() -> clap::Command,
    pub(crate) run: fn(&ArgMatches, &Global, &Out) -> anyhow::Result<ExitCode>,
    /// Options without which the command line makes no sense.
    pub(crate) required: &'static [&'static str],
    /// What the values of its options are called in help, by option.
    pub(crate) values: fn() -> Vec<(String, String)>,
    /// Answers a request that is JSON.
    pub(crate) ask: fn(Value, &Context<'_>) -> Result<Answered, Error>,
    /// Asserts that all that tells of its options says the same.
    #[cfg(test)]
    pub(crate) agrees: fn(),
}

impl Entry {
    /// What it is called.
    pub(crate) fn name(&self) -> &'static str {
        self.verb.name
    }

    /// The JSON Schemas of its request and its answer.
    pub(crate) fn schemas(&self) -> Value {
        json!({ "request": self.verb.request_schema(), "answer": self.verb.answer_schema() })
    }
}

/// An answer, for programs and for people.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The answer, as `--json` prints it.
    pub json: Value,
    /// The answer in words.
    pub text: String,
    /// The answer as it stands on a page: HTML, which `brickwork::show::within` puts into somebody else's.
    pub html: String,
    /// Whether it is good news.
    pub succeeded: bool,
}

/// The command of a verb.
pub(crate) const fn entry<V: Shown>() -> Entry {
    Entry {
        verb: NamedVerb::of::<V>(),
        command: options::command::<V>,
        run: run::<V>,
        required: V::REQUIRED,
        values: options::value_names::<V>,
        ask: ask::<V>,
        #[cfg(test)]
        agrees: options::tests::agrees::<V>,
    }
}

fn ask<V: Shown>(request: Value, context: &Context<'_>) -> Result<Answered, Error> {
    let request: V = understood(request).map_err(refused)?;
    let answer = request.run(context)?;
    told(&request, &answer)
}

/// An answer to a request, for programs and for people.
pub(crate) fn told<V: Shown>(request: &V, answer: &V::Answer) -> Result<Answered, Error> {
    Ok(Answered {
        json: plain(answer)?,
        text: request.text(answer),
        html: glance(request, answer).body().into_string(),
        succeeded: V::succeeded(answer),
    })
}

/// What was typed, but for where the program lies.
fn typed_command() -> String {
    let words = std::env::args_os().skip(1).map(|word| {
        let word = word.to_string_lossy().into_owned();
        if word.contains(char::is_whitespace) { format!("'{word}'") } else { word }
    });
    std::iter::once("brickwork".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

fn run<V: Shown>(matches: &ArgMatches, global: &Global, out: &Out) -> anyhow::Result<ExitCode> {
    let request: V = options::request(matches).unwrap_or_else(|error| error.exit());
    let shown = progress::Shown::new(out);
    // Threads are those of the whole process.
    let shelf = UserBox { folder: global.store.clone() };
    let cache = caching::cache(global);
    let (cache, shelf) = (cache.as_ref(), Some(&shelf as &dyn Shelf));
    let context =
        Context { progress: &shown, seed: global.seed, shelf, cache, ..Context::default() };
    if let Some(why) = global.report.as_deref().and_then(check_writable) {
        bail!("--report: {why}");
    }
    let answer = request.run(&context)?;
    drop(shown);
    if let Some(path) = &global.report {
        let making = Making { command: Some(&typed_command()), seed: global.seed };
        write_atomically(path, report(&request, &answer, &making).to_html().as_bytes())?;
        out.note(&format!("written {}", path.display()));
    }
    match V::LINES {
        Some(list) => out.lines(&answer, list, || request.text(&answer))?,
        None => out.result(&answer, || request.text(&answer))?,
    }
    Ok(if V::succeeded(&answer) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
