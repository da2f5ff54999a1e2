//! Work on images that several processes share: each finds something on some of the images, and what they found is
//! added up to what one process would have found on all of them.

use std::collections::{BTreeMap, BTreeSet};

use safetensors::Dtype;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::asked::Asked;
use super::{Context, Portion, Verb};
use crate::files::sealed::{Array, Sealed, sealed};
use crate::images::seen::Seen;
use crate::measure::scores::Scores;
use crate::model::error::{Error, Problem};
use crate::refit::LayerMoments;
use crate::relevance::profile::Profile;
use crate::relevance::profile_file::{decode_profile, encode_profile};

/// The metadata key of a partial's header.
const KEY: &str = "brickwork.partial";

/// The format version written.
const FORMAT: u32 = 1;

/// The array that holds what was found.
const FOUND: &str = "found";

/// What one process found on some of the images that a request is about.
///
/// It can be written as [bytes](Self::encode), sent, [added](Self::with) to others of the same request in any order,
/// and [finished](Divisible::finish) into the answer to the request. It knows which images it is of: one that is in
/// two partials, or in none, is an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Partial {
    pub(super) work: Work,
    pub(super) seen: Seen,
    pub(super) found: Found,
}

/// What is done, for whoever adds or finishes: by the names of what matters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Work(BTreeMap<String, Value>);

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    /// What channels contribute.
    Profile(Profile),
    /// What models answered.
    Scores(Scores),
    /// What a layer reads and should give.
    Moments(LayerMoments),
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    kind: String,
    work: Work,
    seen: Seen,
}

/// A verb whose work on images several processes can share.
pub trait Divisible: Verb {
    /// What is found on a portion of every data set, or on all of it.
    ///
    /// # Errors
    /// As [`run`](Verb::run), but for what can only be told of all the data.
    fn partial(&self, portion: Option<Portion>, context: &Context<'_>) -> Result<Partial, Error>;

    /// The answer, from what was found on all images: that of [`run`](Verb::run) in one process.
    ///
    /// # Errors
    /// If it was found by another request or model, or not on all images; or as [`run`](Verb::run).
    fn finished(&self, whole: Partial, context: &Context<'_>) -> Result<Self::Answer, Error>;

    /// Checks the request, but for its data, which need not be at hand any more, and [finishes](Self::finished) it.
    ///
    /// # Errors
    /// As both do.
    fn finish(&self, whole: Partial, context: &Context<'_>) -> Result<Self::Answer, Error> {
        let problems = self.problems().into_iter().filter(|problem| problem.field != "data");
        Problem::refuse(problems.collect())?;
        whole.seen.check_whole()?;
        let (request, default) = (serde_json::json!(self), serde_json::json!(Self::default()));
        let asked = Asked::of(Self::NAME, &request, &default);
        let context = Context { asked: Some(&asked), ..*context };
        context.install(|| self.finished(whole, &context))
    }
}

impl Work {
    /// Of a verb.
    pub(super) fn of(verb: &str) -> Self {
        Self::default().with(VERB, verb)
    }

    /// With `value` under `name`.
    pub(super) fn with(mut self, name: &str, value: impl Serialize) -> Self {
        self.0.insert(name.to_owned(), serde_json::json!(value));
        self
    }

    /// What stands under `name`.
    pub(super) fn get<T: for<'a> Deserialize<'a>>(&self, name: &str) -> Result<T, Error> {
        let wrong = |why| Error::file(format!("what was found does not tell its `{name}`: {why}"));
        let value = self.0.get(name).cloned().unwrap_or_default();
        serde_json::from_value(value).map_err(|error| wrong(error.to_string()))
    }

    /// The classes that are asked for, of a model with so many.
    pub(super) fn asked(&self, classes: usize) -> Result<Vec<usize>, Error> {
        let asked: Vec<usize> = self.get("asked")?;
        match asked.iter().find(|class| **class >= classes) {
            Some(class) => Err(Error::file(format!(
                "what was found is of class {class}, but the model has {classes} classes"
            ))),
            None => Ok(asked),
        }
    }

    /// That it is the same as `other`.
    ///
    /// # Errors
    /// If it is not: all that differs is named.
    pub(super) fn check(&self, other: &Self) -> Result<(), Error> {
        let of = |work: &Self, name: &str| work.0.get(name).cloned().unwrap_or_default();
        let differs = |name: &&String| of(self, name) != of(other, name);
        let names: BTreeSet<&String> =
            self.0.keys().chain(other.0.keys()).filter(differs).collect();
        // Different verbs have nothing else in common.
        let verb = names.iter().find(|name| **name == VERB).map(|name| vec![*name]);
        let names = verb.unwrap_or_else(|| names.into_iter().collect());
        let told = |value: Value| {
            let text = value.to_string();
            if text.chars().count() <= LONGEST {
                return text;
            }
            text.chars().take(LONGEST).chain("...".chars()).collect()
        };
        let differs = names.into_iter();
        let told: Vec<String> = differs
            .map(|name| format!("{name} {} and {}", told(of(self, name)), told(of(other, name))))
            .collect();
        if told.is_empty() {
            return Ok(());
        }
        Err(Error::options(format!(
            "what was found is of different work: {}; ask all processes the same, of one model",
            told.join("; ")
        )))
    }
}

/// Under which the verb stands.
const VERB: &str = "verb";

/// Characters of a value that an error shows.
const LONGEST: usize = 80;

impl Partial {
    /// Both: what was found here and on other images.
    ///
    /// # Errors
    /// If it was found by another request or of another model, or an image is in both.
    pub fn with(mut self, other: Self) -> Result<Self, Error> {
        self.work.check(&other.work)?;
        self.seen.add(other.seen)?;
        match (&mut self.found, other.found) {
            (Found::Profile(own), Found::Profile(others)) => own.join(others)?,
            (Found::Scores(own), Found::Scores(others)) => own.join(others)?,
            (Found::Moments(own), Found::Moments(others)) => own.join(&others)?,
            _ => return Err(Error::options("what was found is of different kinds")),
        }
        Ok(self)
    }

    /// Its bytes.
    ///
    /// # Errors
    /// If numbers in it are not finite.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let (kind, bytes) = match &self.found {
            Found::Profile(profile) => ("profile", encode_profile(profile)?),
            Found::Scores(scores) => ("scores", scores.encode()?),
            Found::Moments(moments) => ("moments", moments.encode()?),
        };
        let (work, seen) = (self.work.clone(), self.seen.clone());
        let header = Header { format: FORMAT, kind: kind.to_owned(), work, seen };
        let header =
            serde_json::to_string(&header).map_err(|error| Error::file(error.to_string()))?;
        let shape = vec![bytes.len()];
        sealed(KEY, header, vec![Array { name: FOUND.to_owned(), dtype: Dtype::U8, shape, bytes }])
    }

    /// What is in these bytes.
    ///
    /// # Errors
    /// If they are none of [`encode`](Self::encode), of another format, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let wrong = |why: String| Error::file(format!("this is not what a process found: {why}"));
        let file = Sealed::open(bytes, KEY).map_err(wrong)?;
        let header: Header =
            serde_json::from_str(file.header()).map_err(|error| wrong(error.to_string()))?;
        if header.format != FORMAT {
            return Err(wrong(format!(
                "format {}, expected {FORMAT}; give all processes one version of brickwork",
                header.format
            )));
        }
        file.check([FOUND].into_iter()).map_err(wrong)?;
        let found = file.array(FOUND).map_err(wrong)?;
        let found = match &header.kind[..] {
            "profile" => decode_profile(found.data()).map(Found::Profile),
            "scores" => Scores::decode(found.data()).map(Found::Scores),
            "moments" => LayerMoments::decode(found.data()).map(Found::Moments),
            other => Err(format!("its kind is `{other}`")),
        };
        let Header { work, seen, .. } = header;
        seen.check().map_err(wrong)?;
        Ok(Self { work, seen, found: found.map_err(wrong)? })
    }
}
