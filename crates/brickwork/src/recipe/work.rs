//! What can be done with a recipe.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use super::build::{Build, BuildOptions, BuiltStep, make_folder};
use super::check::checked;
use super::drawing;
use super::plan::{self, PlannedStep, Surveyor};
use super::state::{State, place};
use super::text::Recipe;
use crate::model::error::Error;
use crate::verbs::Context;

impl Recipe {
    /// Looks for everything that keeps it from being built in the folder `out`, without doing any of it.
    ///
    /// # Errors
    /// All of it at once, with lines: unknown verbs, options and names, results that wait for each other, files that
    /// are missing or that two steps write, and what the requests themselves refuse.
    pub fn check(&self, out: &Path, context: &Context<'_>) -> Result<(), Error> {
        let state = State::load(&place(self.name(), out))?;
        checked(self, out, &state, context).map(|_| ())
    }

    /// The steps in the order in which they are done in the folder `out`, and why each has to be done.
    ///
    /// # Errors
    /// As [`check`](Self::check), or if something that is there cannot be read.
    pub fn plan(&self, out: &Path, context: &Context<'_>) -> Result<Vec<PlannedStep>, Error> {
        let state = State::load(&place(self.name(), out))?;
        let placed = checked(self, out, &state, context)?;
        plan::plan(&placed, self.steps(), &state, context).map_err(|error| self.named(error))
    }

    /// Does every step that has to be done: that is new, whose options, seed or inputs changed, or whose results are
    /// gone. What was done is written down after each step, so that a build that is stopped, in whatever way, goes
    /// on where it was.
    ///
    /// # Errors
    /// As [`plan`](Self::plan), before any work; files that the build did not make as they are, unless they may be
    /// overwritten; what the first step that fails says, unless others are to go on.
    pub fn build(
        &self,
        options: &BuildOptions,
        context: &Context<'_>,
    ) -> Result<Vec<BuiltStep>, Error> {
        let kept = place(self.name(), &options.out);
        let placed = checked(self, &options.out, &State::load(&kept)?, context)?;
        let surveyor = Surveyor::new();
        surveyor.check(&placed, self.steps(), context).map_err(|error| self.named(error))?;
        make_folder(&options.out)?;
        // Held until the end, however that comes: the system gives it back.
        let _lock = lock(&kept)?;
        let state = State::load(&kept)?;
        let foreign = plan::foreign(&placed, &state)?;
        if !foreign.is_empty() && !options.overwrite {
            let files: Vec<String> =
                foreign.iter().map(|path| path.display().to_string()).collect();
            return Err(Error::options(format!(
                "not as a build left it: {}; move it away, build in another folder (`out=`), or say `overwrite=true`",
                files.join(", ")
            )));
        }
        let inner = Context { threads: None, ..*context };
        let build = Build::new(&placed, self.steps(), options, inner, kept, state, surveyor);
        context.install(|| build.run()).map_err(|error| self.named(error))
    }

    /// A drawing of what is made of what.
    pub fn to_dot(&self) -> String {
        drawing::dot(self)
    }

    /// [`to_dot`](Self::to_dot) as a picture in SVG.
    pub fn to_svg(&self) -> String {
        drawing::svg(self)
    }
}

/// Keeps other builds of the recipe out of the folder in which the state is `kept`.
///
/// # Errors
/// If one is at work there.
fn lock(kept: &Path) -> Result<File, Error> {
    let path = kept.with_extension("lock");
    let place = path.display();
    let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = opened.map_err(|error| Error::file(format!("cannot write {place}: {error}")))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::options(format!(
            "another build of this recipe is at work ({place} is locked); wait for it, or build in another folder \
             (`out=`)"
        ))),
        Err(TryLockError::Error(error)) => {
            Err(Error::file(format!("cannot lock {place}: {error}")))
        }
    }
}
