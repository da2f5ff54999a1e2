//! What the user may say.

mod budget;
mod route;

use std::path::PathBuf;

use brickwork::{Architecture, RefitOptions, Rule, Sampling, Stem, Thresholds};
use brickwork_data::{ChannelOrder, Fit, Split};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

pub(crate) use route::RouteArgs;

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
const RULES: Choices<Rule> = &[("graph", Rule::Graph), ("reference", Rule::Reference)];
const STEMS: Choices<Stem> = &[("cifar", Stem::Cifar), ("imagenet", Stem::Imagenet)];

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

fn parse_threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=1024) => Ok(count),
        _ => Err("expected a number from 1 to 1024".to_owned()),
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Demo(DemoArgs),
    Init(InitArgs),
    Route(RouteArgs),
    Annotate(AnnotateArgs),
    Bench(BenchArgs),
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

/// Make a network with random weights, to be trained
#[derive(Args)]
#[command(override_usage = "\
    brickwork init --arch <NAME> --classes <N> --output <NET.onnx> [OPTIONS]
       brickwork init --list")]
#[command(after_help = "Examples:
  brickwork init --list
  brickwork init --arch resnet20 --classes 10 -o net.onnx
  brickwork init --arch vgg16 --class-names cat,dog --size 64 --width 0.25 --seed 1 -o pets.onnx")]
pub(crate) struct InitArgs {
    /// The architecture
    #[arg(long, value_name = "NAME", value_parser = architecture(), required_unless_present = "list")]
    pub(crate) arch: Option<&'static Architecture>,
    /// Number of classes
    #[arg(long, value_name = "N", required_unless_present_any = ["list", "class_names"])]
    pub(crate) classes: Option<usize>,
    /// Names of the classes instead, in order: a,b,c or @FILE with one a line
    #[arg(long, value_name = "NAMES", conflicts_with = "classes")]
    pub(crate) class_names: Option<String>,
    /// Height and width of the images: 64 or 64x48 [default: the architecture's usual]
    #[arg(long, value_name = "H[xW]", value_parser = parse_size)]
    pub(crate) size: Option<[usize; 2]>,
    /// Channels of the images
    #[arg(long, value_name = "C", default_value_t = 3)]
    pub(crate) channels: usize,
    /// Factor of the numbers of hidden channels
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) width: f64,
    /// How images are taken in: cifar keeps the size of small ones, imagenet reduces large ones
    /// [default: imagenet from 96 pixels on]
    #[arg(long, value_name = "STEM", value_parser = one_of(STEMS))]
    pub(crate) stem: Option<Stem>,
    /// Where to write the model
    #[arg(short, long, value_name = "NET.onnx", required_unless_present = "list")]
    pub(crate) output: Option<PathBuf>,
    /// List the architectures, with parameters for ten classes
    #[arg(long, conflicts_with_all = ["arch", "classes", "class_names", "output"])]
    pub(crate) list: bool,
}

/// How contributions become relevant channels.
#[derive(Args, Clone)]
pub(crate) struct LinkArgs {
    /// An input counts for an output of a convolution above this relative contribution
    #[arg(long, value_name = "A", default_value_t = 0.3, value_parser = parse_threshold)]
    pub(crate) alpha_conv: f32,
    /// An input of a convolution is relevant above this relative count
    #[arg(long, value_name = "B", default_value_t = 0.2, value_parser = parse_threshold)]
    pub(crate) beta_conv: f32,
    /// As --alpha-conv, for linear layers
    #[arg(long, value_name = "A", default_value_t = 0.4, value_parser = parse_threshold)]
    pub(crate) alpha_linear: f32,
    /// As --beta-conv, for linear layers
    #[arg(long, value_name = "B", default_value_t = 0.3, value_parser = parse_threshold)]
    pub(crate) beta_linear: f32,
    /// How relevance is linked: along the graph, or as the published code does
    #[arg(long, value_name = "RULE", default_value = "graph", value_parser = one_of(RULES))]
    pub(crate) rule: Rule,
}

impl LinkArgs {
    pub(crate) fn thresholds(&self) -> Thresholds {
        Thresholds {
            alpha_conv: self.alpha_conv,
            beta_conv: self.beta_conv,
            alpha_linear: self.alpha_linear,
            beta_linear: self.beta_linear,
        }
    }
}

/// Write class names and preprocessing into a model
#[derive(Args)]
#[command(after_help = "Example:
  brickwork annotate net.onnx --class-names cat,dog,bird --mean 0.5 --std 0.25 -o net.onnx")]
pub(crate) struct AnnotateArgs {
    /// Where to write the model
    #[arg(short, long, value_name = "OUT.onnx")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) input: InputArgs,
}

/// Measure how fast a model runs, and what profiling and training take
#[derive(Args)]
#[command(after_help = "Examples:
  brickwork bench resnet50.onnx --batch 1,8 --threads 1
  brickwork bench resnet50.onnx --layers")]
pub(crate) struct BenchArgs {
    /// Batch sizes
    #[arg(long, value_name = "N[,N]", value_delimiter = ',', default_value = "1", value_parser = parse_batch)]
    pub(crate) batch: Vec<usize>,
    /// Runs to take the median of
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) runs: u32,
    /// Also time a profiling pass
    #[arg(long)]
    pub(crate) profile: bool,
    /// Also time a training step
    #[arg(long)]
    pub(crate) training: bool,
    /// Show the time of every node
    #[arg(long)]
    pub(crate) layers: bool,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
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

fn parse_part(text: &str) -> Result<(usize, usize), String> {
    let wrong = || "expected a part such as 1/4".to_owned();
    let (part, parts) = text.split_once('/').ok_or_else(wrong)?;
    match (part.parse::<usize>(), parts.parse::<usize>()) {
        (Ok(part), Ok(parts)) if part >= 1 && part <= parts && parts <= 1_000_000 => {
            Ok((part, parts))
        }
        _ => Err(wrong()),
    }
}
