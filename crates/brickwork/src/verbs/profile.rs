//! Which channels contribute to which class.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use brickwork_data::{Preprocess, Split};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms::{Portion, Samples};
use super::inputs::{self, Labelled};
use super::partial::{Divisible, Found, Partial, Work};
use super::{Context, DataInput, ModelInput, Verb};
use crate::images::account::DataAccount;
use crate::images::seen::Seen;
use crate::images::select::{ClassSamples, Sampling};
use crate::images::source::Source;
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::relevance::profile::{self as measured, ProfileOptions, profile, profile_part};

/// Measure which channels contribute to which class
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Profile {
    /// Which model.
    #[serde(flatten)]
    pub model: ModelInput,
    /// Which images.
    #[serde(flatten)]
    pub data: DataInput,
    /// Where to write the profile
    pub output: Option<PathBuf>,
    /// Samples per class: a count or percentage of the most confident correct ones, or all
    pub samples: Samples,
    /// Classes to profile: names, indices, inclusive ranges [default: all]
    pub classes: Option<String>,
    /// Use part K of N of the data; such profiles merge to the whole
    pub part: Option<Portion>,
    /// Use exactly these samples: a JSON object from class index to places in the data
    pub indices: Option<PathBuf>,
    /// Merge profiles of parts of the data, or of different classes, instead; name their model, too, if
    /// different versions wrote them
    pub merge: Vec<PathBuf>,
}

/// What a profile is of.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ProfileAnswer {
    /// Where it was written.
    pub output: Option<PathBuf>,
    /// The model's name.
    pub model: String,
    /// The model's fingerprint.
    pub fingerprint: String,
    /// How samples were chosen.
    pub sampling: Sampling,
    /// How many layers were profiled.
    pub layers: usize,
    /// What the data holds of the model's classes, if any is given.
    pub data: Option<DataAccount>,
    /// The profiled classes.
    pub classes: Vec<ProfiledClass>,
    /// The profile itself.
    #[serde(skip)]
    pub profile: measured::Profile,
}

/// One class of a profile.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ProfiledClass {
    /// Its index in the model.
    pub class: usize,
    /// Its name.
    pub name: String,
    /// Samples of it in the data.
    pub seen: usize,
    /// How many of them the model classifies correctly; 0 where every sample was taken.
    pub correct: usize,
    /// How many were taken.
    pub used: usize,
    /// The smallest margin of those taken; none where every sample was taken.
    pub lowest_margin: Option<f32>,
}

impl Verb for Profile {
    type Answer = ProfileAnswer;

    const NAME: &'static str = "profile";

    fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> =
            inputs::unwritable(self.output.as_ref().map(|path| ("output", path))).collect();
        let mut refuse =
            |field, message: &str| problems.push(Problem::new(field, message.to_owned()));
        if self.merge.is_empty() {
            if self.model.model.as_os_str().is_empty() {
                refuse("model", "name a model to profile, or profiles to merge: `merge=`");
            }
            if self.indices.is_some() && (self.part.is_some() || self.samples != Samples::default())
            {
                refuse("indices", "`indices=` names samples; leave `samples=` and `part=` out");
            }
            problems.extend(self.data.needed("channels are measured on images"));
        } else {
            let Self { merge, output, model, .. } = self.clone();
            if *self != (Self { merge, output, model, ..Self::default() }) {
                refuse(
                    "merge",
                    "`merge=` joins profiles as they are; but for `model=`, leave all else out",
                );
            }
            if self.merge.len() < 2 {
                refuse("merge", "`merge=` needs at least two profiles");
            }
        }
        problems
    }

    fn work(&self, context: &Context<'_>) -> Result<ProfileAnswer, Error> {
        if !self.merge.is_empty() {
            return self.answer(self.merged(context)?, None, context);
        }
        let mut given = self.given(context)?;
        let Given { sources, preprocess, .. } = &mut given;
        self.data.pixels.question(sources, preprocess, context)?;
        if let Some(Portion { place, of }) = self.part {
            for source in sources {
                source.keep_part(place - 1, of)?;
            }
        }
        let Given { model, preprocess, sources, present, account, .. } = given;
        let options = ProfileOptions {
            classes: present,
            sampling: self.samples.0,
            given: self.indices.as_deref().map(read_indices).transpose()?,
        };
        let measure = if self.part.is_some() { profile_part } else { profile };
        let profile = measure(&model, &preprocess, &sources, &options, context.progress)?;
        self.answer(profile, Some(account), context)
    }
}

impl Divisible for Profile {
    fn partial(&self, portion: Option<Portion>, context: &Context<'_>) -> Result<Partial, Error> {
        let alone = [
            self.indices.as_ref().map(|_| Problem::new("indices", "`indices=` names samples of all the data")),
            self.part.map(|_| Problem::new("part", "`part=` is what each process is given; leave it out")),
            matches!(self.samples.0, Sampling::Percent(_)).then(|| {
                let why = "a percentage of parts is not that of the whole; say a count or all (`samples=`)";
                Problem::new("samples", why)
            }),
        ];
        Problem::refuse(self.problems().into_iter().chain(alone.into_iter().flatten()).collect())?;
        let data = DataInput { portion, ..self.data.clone() };
        let Given { model, preprocess, sources, classes, present, mut seen, .. } =
            Self { data, ..self.clone() }.given(context)?;
        seen.look_at(&sources);
        let options = ProfileOptions { classes: present, sampling: self.samples.0, given: None };
        let profile = profile_part(&model, &preprocess, &sources, &options, context.progress)?;
        let work = self.work_on(&model, &preprocess).with("asked", classes);
        Ok(Partial { work, seen, found: Found::Profile(profile) })
    }

    fn finished(&self, whole: Partial, context: &Context<'_>) -> Result<ProfileAnswer, Error> {
        let model = self.model.load(&self.data.pixels, context)?;
        let preprocess = self.data.pixels.preprocess(&model)?;
        let Partial { work, seen, found: Found::Profile(profile) } = whole else {
            return Err(Error::options("what was found is no profile"));
        };
        let asked = work.asked(profile.header.classes.len())?;
        profile.check_model(&model)?;
        work.check(&self.work_on(&model, &preprocess).with("asked", &asked))?;
        let account = seen.account(&asked, &profile.header.classes);
        self.data.check(inputs::is_whole(&model), &account, &asked, context)?;
        self.data.pixels.question_seen(&seen, &preprocess, context)?;
        let profile = profile.finished(&seen.present(&asked))?;
        self.answer(profile, Some(account), context)
    }
}

/// What is profiled, and on what.
struct Given {
    model: Classifier,
    preprocess: Preprocess,
    sources: Vec<Source>,
    /// The classes asked for.
    classes: Vec<usize>,
    /// Those of them that have images.
    present: Vec<usize>,
    account: DataAccount,
    seen: Seen,
}

impl Profile {
    fn given(&self, context: &Context<'_>) -> Result<Given, Error> {
        let mut model = self.model.load(&self.data.pixels, context)?;
        let preprocess = self.data.pixels.preprocess(&model)?;
        let asked = self.classes.as_deref();
        let Labelled { sources, classes, present, account, seen, .. } =
            self.data.labelled(&mut model, asked, Split::Train, context)?;
        Ok(Given { model, preprocess, sources, classes, present, account, seen })
    }

    /// What partials of one profile have in common.
    fn work_on(&self, model: &Classifier, preprocess: &Preprocess) -> Work {
        let work = Work::of(Self::NAME).with("model", model.fingerprint());
        work.with("preprocess", preprocess).with("samples", self.samples.0)
    }

    /// The answer that a profile is.
    fn answer(
        &self,
        profile: measured::Profile,
        data: Option<DataAccount>,
        context: &Context<'_>,
    ) -> Result<ProfileAnswer, Error> {
        if let Some(path) = &self.output {
            context.save_profile(&profile, path)?;
        }
        let header = &profile.header;
        let class = |(place, entry): (usize, &ClassSamples)| ProfiledClass {
            class: entry.class,
            name: header.classes[entry.class].clone(),
            seen: entry.seen,
            correct: entry.correct,
            used: profile.count(place),
            lowest_margin: entry.taken.last().map(|sample| sample.margin),
        };
        Ok(ProfileAnswer {
            output: self.output.clone(),
            model: header.model.clone(),
            fingerprint: header.fingerprint.clone(),
            sampling: header.sampling,
            layers: header.layers.len(),
            data,
            classes: header.samples.iter().enumerate().map(class).collect(),
            profile,
        })
    }

    fn merged(&self, context: &Context<'_>) -> Result<measured::Profile, Error> {
        let parts = self.merge.iter().map(|path| Ok(Arc::unwrap_or_clone(context.profile(path)?)));
        let mut parts = parts.collect::<Result<Vec<_>, Error>>()?;
        if !self.model.model.as_os_str().is_empty() {
            let model = self.model.load(&self.data.pixels, context)?;
            parts = parts.into_iter().map(|part| part.renewed(&model)).collect::<Result<_, _>>()?;
        }
        measured::Profile::merge(parts)
    }
}

fn read_indices(path: &Path) -> Result<BTreeMap<usize, Vec<usize>>, Error> {
    let wrong = |why: String| Error::options(format!("`indices={}`: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| {
        wrong(format!("expected an object from class index to a list of places: {error}"))
    })
}
