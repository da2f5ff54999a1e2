//! What a user can ask for. One file a verb: what is asked for and what is answered are plain data, so
//! that a command line, Python and a page in a browser ask the same and are told the same.
//!
//! A request names every option once, with its default and what it means; its JSON Schema is what
//! command lines, signatures and references are made from.

mod all;
mod annotate;
mod asked;
mod assemble;
mod bench;
mod calibrate;
mod card;
mod compress;
mod context;
mod diff;
mod disassemble;
mod distill;
mod doctor;
mod eval;
mod failure;
mod finetune;
mod forms;
mod gcn;
mod holding;
mod init;
mod inputs;
mod inspect;
mod masks;
mod memory;
mod named;
mod partial;
mod pixels;
mod predict;
mod profile;
mod questioning;
mod report;
mod route;
mod shelf;
mod tracing;
mod train;
mod training;
mod unlabelled;
mod verify;

pub use annotate::{Annotate, AnnotateAnswer};
pub use bench::{BatchTimes, Bench, BenchAnswer};
pub use compress::{Compress, CompressAnswer, Compressed, Reached, Skipped, SourceSize};
mod probe;
mod refit;
mod refit_layer;
mod reject;
mod roles;

pub use all::{ALL, find};
pub use asked::Asked;
pub use assemble::{Assemble, AssembleAnswer, AssembledPart};
pub use calibrate::{Calibrate, CalibrateAnswer, PartLogit};
pub use card::{Card, CardAnswer};
pub use context::Context;
pub use diff::Diff;
pub use disassemble::{
    Choose, Disassemble, DisassembleAnswer, RefitAgreement, RefitReport, Refitting, Shrunk,
    WalkAnswer,
};
pub use distill::Distill;
pub use doctor::{Doctor, DoctorAnswer, Finding, ModelFacts, PixelFacts, Severity};
pub use eval::{Eval, EvalAnswer};
pub use failure::{DescribedError, DescribedProblem, Failure, hint, with_causes};
pub use finetune::{Finetune, FinetuneAnswer};
pub use forms::{
    Augmentation, Budget, Feature, HoldOut, Milliseconds, Portion, Replacement, Samples, Share,
    Size, Times,
};
pub use gcn::{
    GcnDisassemble, GcnDisassembleAnswer, GcnEval, GcnEvalAnswer, GcnTrain, GcnTrainAnswer,
    NodeRefitting, NodeSplit, NodesInput,
};
pub use init::{Init, InitAnswer, KnownArchitecture, MadeNetwork};
pub use inputs::{DataInput, LinkInput, ModelInput, check_writable};
pub use inspect::{Inspect, InspectAnswer};
pub use masks::{Masks, MasksAnswer};
pub use memory::{InMemory, Memory};
pub use named::{Misunderstood, NamedVerb, plain, refused, understood, written_schema};
pub use partial::{Divisible, Partial};
pub use pixels::PixelInput;
pub use predict::{Guess, Predict, PredictAnswer, Prediction};
pub use probe::{Probe, ProbeAnswer, ProbedModel};
pub use profile::{Profile, ProfileAnswer, ProfiledClass};
pub use refit::{Divergence, Refit, RefitAnswer};
pub use refit_layer::{RefitLayer, RefitLayerAnswer, layers_to_refit};
pub use reject::{FittedThreshold, Reject, RejectAnswer};
pub use report::{Report, ReportAnswer};
pub use roles::{NamedFile, Role, role};
pub use route::{Route, RouteAnswer};
pub use shelf::{Shelf, is_shelved};
pub use train::Train;
pub use training::{Course, OptimiserName, RunInput, TrainAnswer};
pub use verify::{Verify, VerifyAnswer};

use std::fmt::Debug;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::model::error::{Error, Problem};

/// Something that can be asked for.
///
/// The default is the request in which nothing was said but what must be.
pub trait Verb:
    Clone + Debug + Default + PartialEq + Serialize + DeserializeOwned + JsonSchema + Sync
{
    /// What it gives: all that a text about it says.
    type Answer: Serialize + JsonSchema + Send;

    /// What it is called.
    const NAME: &'static str;

    /// All that can be refused before any work.
    fn problems(&self) -> Vec<Problem>;

    /// Does the work of a request that has no problems. Use [`run`](Self::run).
    ///
    /// # Errors
    /// Whatever keeps it from being done; files are then as they were.
    fn work(&self, context: &Context<'_>) -> Result<Self::Answer, Error>;

    /// Refuses a request that cannot be fulfilled, before any work.
    ///
    /// # Errors
    /// All its problems at once.
    fn check(&self) -> Result<(), Error> {
        Problem::refuse(self.problems())
    }

    /// Checks the request and fulfils it.
    ///
    /// # Errors
    /// As [`check`](Self::check), or whatever keeps the work from being done; files are then as they
    /// were. [`Error::Stopped`] if the progress stopped it.
    fn run(&self, context: &Context<'_>) -> Result<Self::Answer, Error> {
        self.check()?;
        context.check_names(self)?;
        let asked = Asked::of(Self::NAME, &json!(self), &json!(Self::default()));
        let context = Context { asked: Some(&asked), ..*context };
        context.install(|| self.work(&context))
    }
}
