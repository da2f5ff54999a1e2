//! Doing what a recipe says, as far as it has to be done.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::Scope;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::parse::Step;
use super::place::{Placed, checkpoint};
use super::plan::{Surveyor, digest, kept_outputs, why};
use super::state::{Ingredients, Made, State};
use crate::model::error::{Error, Fault};
use crate::model::progress::Progress;
use crate::verbs::Context;

/// How a recipe is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildOptions {
    /// Where results and the state of the build go.
    pub out: PathBuf,
    /// Whether steps that do not need one that failed are done all the same.
    pub keep_going: bool,
    /// Whether files that the build did not make as they are may be overwritten.
    pub overwrite: bool,
    /// Steps that may run at the same time, from 1.
    pub jobs: usize,
}

impl Default for BuildOptions {
    /// In the working folder, one step after the other, up to the first that fails, sparing what others made.
    fn default() -> Self {
        Self { out: PathBuf::new(), keep_going: false, overwrite: false, jobs: 1 }
    }
}

/// A step of a recipe that was built.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BuiltStep {
    /// What its result is called.
    pub name: String,
    /// Its verb.
    pub verb: String,
    /// The file that is its result.
    pub result: PathBuf,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was done, or why it was not.
    pub why: Option<String>,
    /// Bytes of the result, if it is there.
    pub bytes: Option<u64>,
    /// What the verb answered, if it was asked.
    pub answer: Option<Value>,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing had to be done.
    Fresh,
    /// It was done.
    Built,
    /// It failed.
    Failed,
    /// A step that it needs was not done.
    LeftOut,
}

/// A build at work.
pub(super) struct Build<'a> {
    pub(super) placed: &'a [Placed],
    pub(super) steps: &'a [Step],
    pub(super) options: &'a BuildOptions,
    pub(super) context: Context<'a>,
    /// Where the state is kept.
    pub(super) kept: PathBuf,
    state: Mutex<State>,
    surveyor: Surveyor,
    course: Mutex<Course>,
}

/// How far a build is.
#[derive(Default)]
struct Course {
    /// Steps at work, by place.
    running: Vec<usize>,
    /// What became of steps, by place.
    ended: Vec<Option<Ended>>,
    /// The error that ends the build.
    stop: Option<Error>,
}

struct Ended {
    outcome: Outcome,
    why: Option<String>,
    answer: Option<Value>,
}

impl<'a> Build<'a> {
    pub(super) fn new(
        placed: &'a [Placed],
        steps: &'a [Step],
        options: &'a BuildOptions,
        context: Context<'a>,
        kept: PathBuf,
        state: State,
        surveyor: Surveyor,
    ) -> Self {
        let ended = placed.iter().map(|_| None).collect();
        let course = Mutex::new(Course { ended, ..Course::default() });
        let state = Mutex::new(state);
        Self { placed, steps, options, context, kept, state, surveyor, course }
    }

    /// Does every step that has to be done.
    ///
    /// # Errors
    /// What the first step that fails says, unless the others are to go on; [`Error::Stopped`] if the progress
    /// stopped it. What was done until then is there, and is not done again.
    pub(super) fn run(self) -> Result<Vec<BuiltStep>, Error> {
        rayon::scope(|scope| self.start(scope));
        let course = self.course.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = course.stop {
            return Err(error);
        }
        let told = |(placed, ended): (&Placed, Option<Ended>)| {
            let left_out = Ended { outcome: Outcome::LeftOut, why: None, answer: None };
            let Ended { outcome, why, answer } = ended.unwrap_or(left_out);
            let bytes = fs::metadata(&placed.result).ok().map(|found| found.len());
            let (name, verb) = (placed.name.clone(), placed.verb.name.to_owned());
            let result = placed.result.clone();
            BuiltStep { name, verb, result, outcome, why, bytes, answer }
        };
        Ok(self.placed.iter().zip(course.ended).map(told).collect())
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts all steps that can begin now; each starts others when it ends.
    fn start<'s>(&'s self, scope: &Scope<'s>) {
        while let Some(place) = self.next() {
            scope.spawn(move |scope| {
                self.end(place, self.step(place));
                self.start(scope);
            });
        }
    }

    /// The next step that can begin, which is at work from now on.
    fn next(&self) -> Option<usize> {
        let mut course = self.course();
        loop {
            if course.stop.is_some() || course.running.len() >= self.options.jobs.max(1) {
                return None;
            }
            let place = (0..self.placed.len()).find(|&place| self.can_begin(place, &course))?;
            let Some(needed) = self.lost(place, &course) else {
                course.running.push(place);
                return Some(place);
            };
            let why = Some(format!("`{needed}` was not made"));
            course.ended[place] = Some(Ended { outcome: Outcome::LeftOut, why, answer: None });
        }
    }

    fn can_begin(&self, place: usize, course: &Course) -> bool {
        let waits = course.ended[place].is_none() && !course.running.contains(&place);
        waits && self.needed(place).all(|needed| course.ended[needed].is_some())
    }

    /// A step that another needs and that was not done.
    fn lost(&self, place: usize, course: &Course) -> Option<&str> {
        let lost = |needed: &usize| {
            let ended = course.ended[*needed].as_ref();
            ended.is_some_and(|ended| !matches!(ended.outcome, Outcome::Fresh | Outcome::Built))
        };
        self.needed(place).find(lost).map(|needed| &self.placed[needed].name[..])
    }

    /// The places of the steps whose results a step reads.
    fn needed(&self, place: usize) -> impl Iterator<Item = usize> {
        let from = self.placed[place].inputs.iter().filter_map(|input| input.from);
        from.filter_map(|from| self.placed.iter().position(|placed| placed.step == from))
    }

    fn end(&self, place: usize, ended: Result<Ended, Error>) {
        let mut course = self.course();
        course.running.retain(|other| *other != place);
        let error = match ended {
            Ok(ended) => {
                course.ended[place] = Some(ended);
                return;
            }
            Err(error) => error,
        };
        let error = self.of_step(place, error);
        if matches!(error, Error::Stopped(_)) || !self.options.keep_going {
            course.stop.get_or_insert(error);
            return;
        }
        self.context.progress.note(&error.to_string());
        let why = Some(error.to_string());
        course.ended[place] = Some(Ended { outcome: Outcome::Failed, why, answer: None });
    }

    /// The error of a step, with its name.
    fn of_step(&self, place: usize, error: Error) -> Error {
        let step = &self.steps[self.placed[place].step];
        match error {
            Error::Stopped(_) | Error::Recipe(_) => error,
            other => Error::Recipe(vec![Fault {
                file: String::new(),
                line: Some(step.line),
                message: format!("step `{}` failed: {other}", step.name),
            }]),
        }
    }

    /// Does a step, if it has to be done.
    fn step(&self, place: usize) -> Result<Ended, Error> {
        let placed = &self.placed[place];
        let step = &self.steps[placed.step];
        let state = self.state().clone();
        let Some(why) = why(placed, step, &state, &self.surveyor, &self.context)? else {
            return Ok(Ended { outcome: Outcome::Fresh, why: None, answer: None });
        };
        let ingredients = self.surveyor.ingredients(placed, step, &self.context)?;
        self.note(&placed.name, Made { of: ingredients.clone(), ..Made::default() })?;
        let answer = self.ask(placed, resumes(placed, &ingredients, &state))?;
        self.note(&placed.name, self.made(placed, step, ingredients)?)?;
        Ok(Ended { outcome: Outcome::Built, why: Some(why), answer: Some(answer) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down how far a step is.
    fn note(&self, name: &str, made: Made) -> Result<(), Error> {
        let mut state = self.state();
        state.steps.insert(name.to_owned(), made);
        state.save(&self.kept)
    }

    /// Asks the verb of a step.
    fn ask(&self, placed: &Placed, resumes: bool) -> Result<Value, Error> {
        for folder in placed.outputs.iter().filter_map(|output| output.path.parent()) {
            make_folder(folder)?;
        }
        let mut request = placed.request.clone();
        if resumes {
            request.insert("resume".to_owned(), json!(true));
        } else if let Some(unfinished) = checkpoint(placed).filter(|path| path.is_file()) {
            // It is of this build, but of other ingredients.
            let gone = fs::remove_file(&unfinished);
            gone.map_err(|error| {
                Error::file(format!("cannot remove {}: {error}", unfinished.display()))
            })?;
        }
        let alone = self.options.jobs <= 1;
        let progress = Named { name: &placed.name, progress: self.context.progress, alone };
        let context =
            Context { progress: &progress, seed: placed.seed, threads: None, ..self.context };
        let answer = placed.verb.ask(Value::Object(request), &context)?;
        if placed.is_answer {
            let text = serde_json::to_string_pretty(&answer)
                .map_err(|error| Error::file(error.to_string()))?;
            brickwork_formats::write_atomically(&placed.result, (text + "\n").as_bytes())?;
        }
        Ok(answer)
    }

    /// What a step that was just done has made.
    ///
    /// # Errors
    /// If a file cannot be read, or is not what the recipe says.
    fn made(&self, placed: &Placed, step: &Step, of: Ingredients) -> Result<Made, Error> {
        let mut made = Made { of, done: true, ..Made::default() };
        for output in kept_outputs(placed).filter(|output| output.path.exists()) {
            made.files.insert(output.option.clone(), digest(&output.path)?);
        }
        let found = made.files.get("output");
        if let (Some(expected), Some(found)) = (&step.sha256, found)
            && expected != found
        {
            return Err(Error::file(format!(
                "{} came out other than the recipe says: its digest is {found}, expected {expected}; another version \
                 of brickwork, other data or another machine may have made it",
                placed.result.display()
            )));
        }
        Ok(made)
    }
}

/// Whether a step goes on with a run that was begun of the same and not finished.
fn resumes(placed: &Placed, ingredients: &Ingredients, state: &State) -> bool {
    let begun =
        state.steps.get(&placed.name).is_some_and(|made| !made.done && made.of == *ingredients);
    begun && checkpoint(placed).is_some_and(|path| path.is_file())
}

/// Makes a folder, and all above it, unless it is there.
pub(super) fn make_folder(folder: &Path) -> Result<(), Error> {
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(|error| {
        Error::file(format!("cannot make the folder {}: {error}", folder.display()))
    })
}

/// Tells the progress of a step under its name. Of several at once only notes are told.
struct Named<'a> {
    name: &'a str,
    progress: &'a dyn Progress,
    alone: bool,
}

impl Progress for Named<'_> {
    fn begin(&self, phase: &str, total: u64) {
        if self.alone {
            self.progress.begin(&format!("{}: {phase}", self.name), total);
        }
    }

    fn step(&self, done: u64) {
        if self.alone {
            self.progress.step(done);
        }
    }

    fn note(&self, text: &str) {
        self.progress.note(&format!("{}: {text}", self.name));
    }

    fn detail(&self, text: &str) {
        self.progress.detail(&format!("{}: {text}", self.name));
    }

    fn stopped(&self) -> bool {
        self.progress.stopped()
    }
}
