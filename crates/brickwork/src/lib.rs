//! Take trained image classifiers apart and build new ones from their components, without training.
//!
//! Whatever a user can ask for is a [verb](verbs): a request, which is plain data, and its answer. The
//! main job, with two models and their images in files:
//!
//! ```no_run
//! use brickwork::verbs::{
//!     Assemble, Calibrate, Context, DataInput, Disassemble, Eval, ModelInput, Profile, Verb,
//! };
//!
//! # fn main() -> Result<(), brickwork::Error> {
//! let context = Context::default();
//! let data = |sets: &[&str]| {
//!     DataInput { data: sets.iter().map(ToString::to_string).collect(), ..DataInput::default() }
//! };
//! for (source, images, classes, component) in [
//!     ("digits.onnx", "mnist/", "0-4", "low.onnx"),
//!     ("garments.onnx", "fashion/", "sandal,bag", "things.onnx"),
//! ] {
//!     let (model, data) = (ModelInput::file(source), data(&[images]));
//!     let (profile, classes) = (Some("profile.safetensors".into()), classes.to_owned());
//!     Profile { model: model.clone(), data: data.clone(), output: profile.clone(), ..Profile::default() }
//!         .run(&context)?;
//!     Disassemble { model, classes, profile, data, output: Some(component.into()), ..Disassemble::default() }
//!         .run(&context)?;
//! }
//! let data = data(&["low=mnist/", "things=fashion/"]);
//! let parts = vec!["low.onnx".into(), "things.onnx".into()];
//! Assemble { parts, output: Some("joined.onnx".into()), ..Assemble::default() }.run(&context)?;
//! let (model, output) = ("joined.onnx".into(), Some("ready.onnx".into()));
//! Calibrate { model, data: data.clone(), output, ..Calibrate::default() }.run(&context)?;
//! let answer = Eval { model: ModelInput::file("ready.onnx"), data, ..Eval::default() }.run(&context)?;
//! assert!(answer.report.accuracy_per_image.share() > 0.9);
//! # Ok(())
//! # }
//! ```
//!
//! Below the verbs are the steps that they are made of, as functions of values. Each folder uses only
//! those before it:
//!
//! | folder | holds |
//! |---|---|
//! | `model` | a [`Classifier`]: its network and its [`Card`]; errors, progress, seeds |
//! | `files`, `images` | the project's own files; labelled images as a model sees them |
//! | `relevance` | which channels contribute to which class: [`profile`](profile()), [`link`] |
//! | `cut` | from a choice of channels to a component: [`Plan`] |
//! | `refit` | kept weights in closed form: [`refit`](refit()) |
//! | `join` | components to one classifier: [`assemble`], [`calibrate`] |
//! | `measure` | [`eval`], [`verify`], [`diff`](diff()), [`inspect`] |
//! | `shrink` | down to a size, step by step: [`Walk`] |
//! | `train`, `gcn`, `architectures` | training, networks that classify nodes, networks to begin with |
//! | [`show`] | what pages are made of; drawings of answers |
//! | [`recipe`] | requests by name, built in order: only what changed |
//!
//! Above the verbs stand [`reports`]: pages of their answers.
//!
//! Nothing here prints or reads the environment; the clock is read only to measure time, and a random
//! number always has a seed.

mod architectures;
mod cut;
mod files;
mod gcn;
mod images;
mod join;
mod measure;
mod model;
pub mod recipe;
mod refit;
mod relevance;
pub mod reports;
pub mod show;
mod shrink;
mod train;
pub mod verbs;

pub use architectures::{Architecture, ArchitectureOptions, Stem};
pub use cut::class_removal::without;
pub use cut::control::Control;
pub use cut::kept_channels::{KeptMap, additions, kept_map, wanted_labels};
pub use cut::plan::{Choice, Plan, TOLERANCE, class_labels};
pub use files::cache::{Cache, Kept};
pub use files::masks::save_masks;
pub use gcn::{
    Gcn, GcnCut, GcnCutOptions, GcnOptions, GcnOutcome, GcnTraining, Nodes, disassemble_gcn,
    eval_gcn, train_gcn,
};
pub use images::account::{ClassImages, DataAccount, SetAccount};
pub use images::image_set::ImageSet;
pub use images::matching::{MatchedBy, Numbered, Respelt};
pub use images::select::{ClassSamples, Sample, Sampling, margin, select, top_class};
pub use images::source::{Held, Source};
pub use join::assemble::{AssembleOptions, Layout, assemble, shared_layers};
pub use join::calibrate::{CalibrateOptions, Method, calibrate, calibrate_from_moments};
pub use join::replacing::{Substitute, replaced};
pub use measure::agreement::{Agreement, Alternative, ScoreFacts};
pub use measure::answers::{Confusion, ImageRecord};
pub use measure::diff::{Difference, LayerDifference, diff};
pub use measure::eval::{
    Accuracy, ControlAccuracy, EvalOptions, EvalParts, EvalSource, Leakage, PartConfusion, Report,
    eval,
};
pub use measure::examples::Example;
pub use measure::held_out::HeldOut;
pub use measure::inspect::{GroupRow, Inspection, LayerRow, MemberRow, explain, inspect};
pub use measure::latency::latency_ms;
pub use measure::moments::with_moments;
pub use measure::multilabel::{ClassRetrieval, Retrieval};
pub use measure::probe::{Probe, ProbeImages, probe};
pub use measure::reject::{RejectAt, Rejection, fit_reject};
pub use measure::speed::Speed;
pub use measure::stages::{Stage, stages};
pub use measure::statistics::{HeldOutGain, ReliabilityBin};
pub use measure::timing::NodeTime;
pub use measure::verify::{Verification, Weights, part_images, recut, verify, verify_assembled};
pub use model::card::{
    CalibrationNote, Card, Criterion, HeldOutCounts, InputLayout, KEY, KeptLayer, Moments,
    OnDuplicate, Origin, Part, RefitNote, Reject, Rule, SampleNote, SourceAgreement, Thresholds,
};
pub use model::classes::{list as list_classes, parse as parse_classes};
pub use model::classifier::{Classifier, Scorer};
pub use model::error::{Error, Fault, Problem, Refusal};
pub use model::head::{Activation, Head, HeadKind, HeadOptions};
pub use model::latency_table::{LatencyTable, WidthTime};
pub use model::layers::{LayerInfo, layers};
pub use model::percent::Percent;
pub use model::progress::{Progress, Silent};
pub use model::provenance::{MadeStep, Provenance, RECIPE_KEY, SourceFile};
pub use model::random::{random_weights, uniform};
pub use model::sizes::{Sizes, Unit};
pub use model::time_limit::TimeLimit;
pub use refit::{Alignment, Cut, Nearer, Readout, RefitOptions, Towards, refit, refitted};
pub use relevance::link::{Relevance, link, reference_masks};
pub use relevance::profile::{
    Header, LayerSums, Profile, ProfileOptions, ProfilingPass, profile, profiling_pass,
};
pub use relevance::profile_file::{decode_profile, encode_profile, load_profile, save_profile};
pub use show::route::{
    LayerOverlap, Merge, Overlap, Ownership, Route, RouteLayer, RouteLink, RouteNode, RouteOptions,
    RouteRow, route,
};
pub use shrink::criterion::Ground;
pub use shrink::ranking::{CompressOptions, Ranking, Variant, Widths, smallest_share, variant};
pub use shrink::step::{Shrink, ShrinkOptions};
pub use shrink::walk::{Goal, Point, Walk};
pub use train::initialise::initialise;
pub use train::{
    Checkpoint, DistillOptions, Distillation, Epoch, Labels, Material, Objective, Outcome, Score,
    Teacher, TrainOptions, Trainer, score,
};
