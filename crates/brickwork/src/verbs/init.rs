//! Networks with random weights.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms::Size;
use super::training::untrained;
use super::{Context, Verb, inputs, pixels};
use crate::architectures::{Architecture, ArchitectureOptions, Stem};
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};

/// Make a network with random weights, to be trained
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Init {
    /// The architecture
    #[schemars(extend("enum" = Architecture::names()))]
    pub arch: String,
    /// Number of classes
    pub classes: Option<usize>,
    /// Names of the classes instead, in order: a,b,c or @FILE with one a line
    pub class_names: Option<String>,
    /// Height and width of the images: 64 or 64x48 [default: the architecture's usual]
    pub size: Option<Size>,
    /// Channels of the images
    pub channels: usize,
    /// Factor of the numbers of hidden channels
    pub width: f64,
    /// How images are taken in [default: imagenet from 96 pixels on]
    pub stem: Option<Stem>,
    /// Where to write the model
    pub output: Option<PathBuf>,
    /// List the architectures, with parameters for ten classes
    pub list: bool,
}

impl Default for Init {
    fn default() -> Self {
        Self {
            arch: String::new(),
            classes: None,
            class_names: None,
            size: None,
            channels: 3,
            width: 1.0,
            stem: None,
            output: None,
            list: false,
        }
    }
}

/// What was made, or what can be.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum InitAnswer {
    /// A network.
    Made(Box<MadeNetwork>),
    /// Every architecture, for ten classes.
    List(Vec<KnownArchitecture>),
}

/// A network with random weights.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct MadeNetwork {
    /// Where it was written.
    pub output: Option<PathBuf>,
    /// Its architecture.
    pub architecture: String,
    /// Channels, height and width of its images.
    pub input: [usize; 3],
    /// Names of its classes.
    pub classes: Vec<String>,
    /// Factor of the numbers of hidden channels.
    pub width: f64,
    /// How images are taken in, where there is a choice.
    pub stem: Option<Stem>,
    /// The seed of its weights.
    pub seed: u64,
    /// Learned parameters.
    pub params: usize,
    /// Multiply-accumulates of one image.
    pub macs: u64,
    /// The network.
    #[serde(skip)]
    pub model: Classifier,
}

/// An architecture as it is usually built.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct KnownArchitecture {
    /// What it is called.
    pub name: String,
    /// Channels, height and width of its images.
    pub input: [usize; 3],
    /// Learned parameters.
    pub params: usize,
    /// Multiply-accumulates of one image.
    pub macs: u64,
}

impl Verb for Init {
    type Answer = InitAnswer;

    const NAME: &'static str = "init";

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut refuse = |field, message: &str| problems.push(Problem::new(field, message));
        if self.list {
            if *self != (Self { list: true, ..Self::default() }) {
                refuse("list", "`list=` makes nothing; leave all else out");
            }
            return problems;
        }
        if let Err(error) = Architecture::named(&self.arch) {
            refuse("arch", &error.to_string());
        }
        match (self.classes, &self.class_names) {
            (None, None) => refuse("classes", "say how many classes: `classes=` or `class_names=`"),
            (Some(_), Some(_)) => {
                refuse(
                    "classes",
                    "`classes=` cannot be used with `class_names=`, which says how many",
                );
            }
            _ => {}
        }
        problems.extend(inputs::unwritable(self.output.as_ref().map(|path| ("output", path))));
        problems
    }

    fn work(&self, context: &Context<'_>) -> Result<InitAnswer, Error> {
        if self.list {
            return Ok(InitAnswer::List(list()?));
        }
        let made = self.make(Architecture::named(&self.arch)?, context)?;
        Ok(InitAnswer::Made(Box::new(made)))
    }
}

/// Every architecture with its size for ten classes.
fn list() -> Result<Vec<KnownArchitecture>, Error> {
    let known = |architecture: &Architecture| {
        let options = architecture.usual(10);
        let graph = architecture.build(&options)?;
        let [height, width] = options.size;
        Ok(KnownArchitecture {
            name: architecture.name.to_owned(),
            input: [options.channels, height, width],
            params: graph.parameters(),
            macs: graph.macs(),
        })
    };
    Architecture::all().iter().map(known).collect()
}

impl Init {
    fn make(
        &self,
        architecture: &Architecture,
        context: &Context<'_>,
    ) -> Result<MadeNetwork, Error> {
        let names = self.class_names.as_deref().map(pixels::class_names).transpose()?;
        let count = names.as_ref().map_or(self.classes.unwrap_or_default(), Vec::len);
        let options = ArchitectureOptions {
            channels: self.channels,
            size: self.size.map_or(architecture.size, |size| size.0),
            width: self.width,
            stem: self.stem,
            ..architecture.usual(count)
        };
        let model = untrained(architecture, &options, names.unwrap_or_default(), context.seed)?;
        if let Some(path) = &self.output {
            context.save(&model, path)?;
        }
        Ok(MadeNetwork {
            output: self.output.clone(),
            architecture: architecture.name.to_owned(),
            input: model.input(),
            classes: model.class_names(),
            width: options.width,
            stem: architecture.stem(&options),
            seed: context.seed,
            params: model.graph().parameters(),
            macs: model.graph().macs(),
            model,
        })
    }
}
