//! What the user may say.

mod budget;
mod gcn;
mod training;

use std::path::PathBuf;

use brickwork::{Architecture, Layout, Method, OnDuplicate, Stem};
use brickwork_data::{ChannelOrder, Fit, Split};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

pub(crate) use gcn::{GcnArgs, GcnCommand, GcnCutArgs, GcnEvalArgs, GcnTrainArgs, NodeSplit};
pub(crate) use training::{
    Course, DistillArgs, FinetuneArgs, HoldOut, OptimiserName, RunArgs, TrainArgs,
};

/// Take trained image classifiers apart and build new ones from the pieces, without training.
#[derive(Parser)]
#[command(name = "brickwork", version, arg_required_else_help = true, max_term_width = 100)]
#[command(disable_help_flag = true, disable_version_flag = true)]
#[command(after_help = "Start with `brickwork demo`. `brickwork COMMAND --help` shows examples.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Clone)]
#[command(next_help_heading = "General")]
pub(crate) struct Global {
    /// Print results as JSON on stdout
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more; repeat for still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Threads to use [default: one per core]
    #[arg(long, global = true, value_name = "N", value_parser = parse_threads)]
    pub(crate) threads: Option<usize>,
    /// Seed of every random choice
    #[arg(long, global = true, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Print help
    #[arg(id = "help", short, long = "help", global = true, action = clap::ArgAction::Help)]
    _help: Option<bool>,
    /// Print version
    #[arg(id = "version", short = 'V', long = "version", action = clap::ArgAction::Version)]
    _version: Option<bool>,
}

/// Names of choices, and what they stand for.
type Choices<T> = &'static [(&'static str, T)];

const SPLITS: Choices<Split> = &[("train", Split::Train), ("test", Split::Test)];
const ORDERS: Choices<ChannelOrder> = &[("rgb", ChannelOrder::Rgb), ("bgr", ChannelOrder::Bgr)];
const FITS: Choices<Fit> = &[("exact", Fit::Exact), ("cover", Fit::Cover)];
const LAYOUTS: Choices<Layout> = &[("branches", Layout::Branches), ("padded", Layout::Padded)];
const DUPLICATES: Choices<OnDuplicate> = &[
    ("refuse", OnDuplicate::Refuse),
    ("max", OnDuplicate::Max),
    ("mean", OnDuplicate::Mean),
    ("keep-both", OnDuplicate::KeepBoth),
];
const STEMS: Choices<Stem> = &[("cifar", Stem::Cifar), ("imagenet", Stem::Imagenet)];
const METHODS: Choices<Method> = &[
    ("affine", Method::Affine),
    ("background", Method::Background),
    ("linear", Method::Linear),
    ("paper", Method::Paper),
    ("layerwise", Method::Layerwise),
    ("none", Method::None),
];

fn one_of<T: Copy + Send + Sync>(choices: Choices<T>) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(choices.iter().map(|(name, _)| *name)).map(move |text| {
        let chosen = choices.iter().find(|(name, _)| *name == text);
        chosen.expect("the parser lets through these names only").1
    })
}

fn architecture() -> impl TypedValueParser<Value = &'static Architecture> {
    let names = Architecture::all().iter().map(|architecture| architecture.name);
    PossibleValuesParser::new(names)
        .map(|name| Architecture::find(&name).expect("the parser lets through these names only"))
}

fn parse_batch(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=4096) => Ok(count),
        _ => Err("expected a number from 1 to 4096".to_owned()),
    }
}

fn parse_passes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 0..=1000) => Ok(count),
        _ => Err("expected a number from 0 to 1000".to_owned()),
    }
}

fn parse_threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=1024) => Ok(count),
        _ => Err("expected a number from 1 to 1024".to_owned()),
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Demo(DemoArgs),
    Assemble(AssembleArgs),
    Calibrate(CalibrateArgs),
    Refit(RefitArgs),
    Reject(RejectArgs),
    Probe(ProbeArgs),
    Train(Box<TrainArgs>),
    Finetune(Box<FinetuneArgs>),
    Distill(Box<DistillArgs>),
    Gcn(GcnArgs),
}

/// Which model.
#[derive(Args, Clone)]
pub(crate) struct ModelArgs {
    /// The model, an ONNX file
    #[arg(value_name = "MODEL.onnx")]
    pub(crate) model: PathBuf,
    /// Take weights of matching names from this safetensors file
    #[arg(long, value_name = "FILE.safetensors")]
    pub(crate) weights: Option<PathBuf>,
}

/// Which images, and how they become the model's input.
#[derive(Args, Clone)]
pub(crate) struct DataArgs {
    /// Labelled images: IDX or CIFAR folder, image folder tree, .npz or .safetensors; NAME=PATH for
    /// one part of an assembled model. Repeat for several
    #[arg(long, value_name = "[NAME=]DATA")]
    pub(crate) data: Vec<String>,
    /// Part of the data to use [default: train to profile, refit and calibrate, test to measure]
    #[arg(long, value_name = "SPLIT", value_parser = one_of(SPLITS))]
    pub(crate) split: Option<Split>,
    #[command(flatten)]
    pub(crate) input: InputArgs,
}

/// Heading of what a model should say itself.
const INPUT: &str = "Input (where the model does not say)";

/// How pixels become the model's input: `(x * scale - mean) / std`.
#[derive(Args, Clone, Default)]
pub(crate) struct InputArgs {
    /// Height and width: 224 or 224x160. Images of another size are resized and cropped
    #[arg(long, help_heading = INPUT, value_name = "H[xW]", value_parser = parse_size)]
    pub(crate) size: Option<[usize; 2]>,
    /// Factor of every pixel [default: 1/255 for bytes, 1 for floats]
    #[arg(long, help_heading = INPUT, value_name = "X")]
    pub(crate) scale: Option<f32>,
    /// Mean to subtract: one number or one per channel
    #[arg(long, help_heading = INPUT, value_name = "X[,X,X]", value_delimiter = ',', allow_negative_numbers = true)]
    pub(crate) mean: Vec<f32>,
    /// Standard deviation to divide by: one number or one per channel
    #[arg(long, help_heading = INPUT, value_name = "X[,X,X]", value_delimiter = ',')]
    pub(crate) std: Vec<f32>,
    /// Order of colour channels [default: rgb]
    #[arg(long, help_heading = INPUT, value_name = "ORDER", value_parser = one_of(ORDERS))]
    pub(crate) channel_order: Option<ChannelOrder>,
    /// What to do with images of another size: exact refuses them, cover resizes and crops
    #[arg(long, help_heading = INPUT, value_name = "FIT", value_parser = one_of(FITS))]
    pub(crate) fit: Option<Fit>,
    /// Names of the model's classes, in order: a,b,c or @FILE with one a line
    #[arg(long, help_heading = INPUT, value_name = "NAMES")]
    pub(crate) class_names: Option<String>,
}

/// The whole job on embedded models and images: no download, under a minute
#[derive(Args)]
#[command(after_help = "Example:\n  brickwork demo --out my-demo")]
pub(crate) struct DemoArgs {
    /// Where to put models, data and the page to look at
    #[arg(long, value_name = "DIR", default_value = "brickwork-demo")]
    pub(crate) out: PathBuf,
}

/// Join components into one classifier
#[derive(Args)]
#[command(after_help = "Examples:
  brickwork assemble digits.onnx garments.onnx -o both.onnx
  brickwork assemble a.onnx b.onnx c.onnx --layout padded --on-duplicate max -o joined.onnx
  brickwork assemble a.onnx b.onnx --replace cat=better.onnx --remove dog -o patched.onnx")]
pub(crate) struct AssembleArgs {
    /// The components, in order
    #[arg(value_name = "PART.onnx", required = true)]
    pub(crate) parts: Vec<PathBuf>,
    /// Where to write the model
    #[arg(short, long, value_name = "NEW.onnx")]
    pub(crate) output: PathBuf,
    /// Leave these classes out: names, separated by commas. All other scores stay as they are
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) remove: Vec<String>,
    /// Take a class from another component instead. Repeat for several
    #[arg(long, value_name = "CLASS=BRICK.onnx", value_parser = parse_replacement)]
    pub(crate) replace: Vec<(String, PathBuf)>,
    /// Parallel branches (any parts), or block-diagonal layers (parts of one architecture)
    #[arg(long, value_name = "LAYOUT", default_value = "branches", value_parser = one_of(LAYOUTS))]
    pub(crate) layout: Layout,
    /// What to do about classes of one name: join their scores, or keep both apart
    #[arg(long, value_name = "HOW", default_value = "refuse", value_parser = one_of(DUPLICATES))]
    pub(crate) on_duplicate: OnDuplicate,
}

fn parse_replacement(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((class, path)) if !class.is_empty() && !path.is_empty() => {
            Ok((class.to_owned(), PathBuf::from(path)))
        }
        _ => Err("expected a class and a file, such as cat=better.onnx".to_owned()),
    }
}

/// Make the scores of an assembled model's parts comparable
#[derive(Args)]
#[command(after_help = "Examples:
  brickwork calibrate both.onnx --data digits=mnist/ --data garments=fashion/ -o ready.onnx
  brickwork calibrate both.onnx --data cifar-10-batches-bin --method linear -o ready.onnx
  brickwork calibrate both.onnx -o ready.onnx

Without --data, affine draws scores from the means and covariances that components carry since they
were cut with images (disassemble --data): on their own classes, and on their source's others, which
stand for the other parts' images. For parts of different sources they stand badly.")]
pub(crate) struct CalibrateArgs {
    /// The assembled model
    #[arg(value_name = "NEW.onnx")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Where to write the calibrated model
    #[arg(short, long, value_name = "OUT.onnx")]
    pub(crate) output: PathBuf,
    /// affine: temperature per part and bias per class; background: and for each part how little an
    /// image is its own; linear: and a linear map of all parts' last features and logits (5 images of
    /// a class or more); paper: head scaling; layerwise: equations 12 to 14; none: undo
    /// [default: linear; affine without --data]
    #[arg(long, value_name = "METHOD", value_parser = one_of(METHODS))]
    pub(crate) method: Option<Method>,
    /// Images per class, chosen at random [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) samples: Option<u32>,
}

/// Bring a model's scores nearer to another's by least squares, without labels
///
/// For components that were joined again, or that any tool has pruned: all layers move together.
#[derive(Args)]
#[command(after_help = "Examples:
  brickwork refit joined.onnx --source net.onnx --data cifar-10-batches-bin -o ready.onnx
  brickwork refit half.onnx --source net.onnx --data imagenet/ --readout --passes 0 -o better.onnx")]
pub(crate) struct RefitArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// The model whose scores are wanted; it knows all classes, by name
    #[arg(long, value_name = "SOURCE.onnx")]
    pub(crate) source: PathBuf,
    /// Images per class, chosen at random from the training split
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) samples: u32,
    /// Passes over all layers, at most
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = parse_passes)]
    pub(crate) passes: usize,
    /// Add a linear map from what all layers read to the scores in the end: nodes that the model did not have,
    /// which hardly cost anything
    #[arg(long)]
    pub(crate) readout: bool,
    /// Where to write the model
    #[arg(short, long, value_name = "OUT.onnx")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

/// Fit the score below which an image is of none of a model's classes
#[derive(Args)]
#[command(after_help = "Examples:
  brickwork reject pets.onnx --data cifar-10-batches-bin --rate 5% -o pets.safe.onnx
  brickwork reject digits.onnx --data mnist/ --foreign fashion/ -o digits.safe.onnx
  brickwork reject digits.onnx --data mnist/ --recall 95% -o digits.safe.onnx")]
pub(crate) struct RejectArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Images of which none is of the model's classes, besides such images of --data. Repeat for
    /// several
    #[arg(long, value_name = "DATA")]
    pub(crate) foreign: Vec<PathBuf>,
    /// Share of foreign images that may be accepted
    #[arg(long, value_name = "5%", default_value = "5%", value_parser = budget::parse_share)]
    pub(crate) rate: f64,
    /// Share of the model's own images to accept instead; needs no foreign ones
    #[arg(long, value_name = "95%", value_parser = budget::parse_share, conflicts_with = "rate")]
    pub(crate) recall: Option<f64>,
    /// Where to write the model
    #[arg(short, long, value_name = "OUT.onnx")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
}

/// See how much of other classes a component still knows
///
/// A linear classifier is fitted on what the last layer reads, on training images, and measured on test
/// images.
#[derive(Args)]
#[command(after_help = "Examples:
  brickwork probe pets.onnx net.onnx --data cifar-10-batches-bin
  brickwork probe pets.onnx --data cifar-10-batches-bin --classes ship,truck")]
pub(crate) struct ProbeArgs {
    /// The component, and models to compare it with
    #[arg(value_name = "MODEL.onnx", required = true)]
    pub(crate) models: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Classes of the data to tell apart [default: those the first model lacks]
    #[arg(long, value_name = "CLASSES")]
    pub(crate) classes: Option<String>,
    /// Training images per class
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) samples: u32,
}

fn parse_size(text: &str) -> Result<[usize; 2], String> {
    let wrong = || "expected a size such as 224 or 224x160, up to 16384".to_owned();
    let (height, width) = text.split_once('x').unwrap_or((text, text));
    let side = |text: &str| text.parse::<usize>().ok().filter(|side| (1..=16_384).contains(side));
    Ok([side(height).ok_or_else(wrong)?, side(width).ok_or_else(wrong)?])
}

fn parse_threshold(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(x) if (0.0..=1.0).contains(&x) => Ok(x),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}
