//! What the user may say about smaller models.

use std::path::PathBuf;

use brickwork::Criterion;
use clap::{ArgGroup, Args};

use super::budget::{Budget, CRITERIA, parse_budget, parse_points, parse_share, parse_step};
use super::{DataArgs, HoldOut, ModelArgs, one_of};

/// Make a model smaller without giving up a class
#[derive(Args)]
#[command(after_help = "Examples:
  brickwork compress net.onnx --data cifar-10-batches-bin --macs 50% -o half.onnx
  brickwork compress net.onnx --data cifar-10-batches-bin --max-drop 1.0 -o small.onnx
  brickwork compress net.onnx --data photos/ --params 300000 --compare --keep-all variants/
  brickwork compress net.onnx --macs 50% --criterion l1 --no-refit -o bare.onnx")]
#[command(group = ArgGroup::new("budget").required(true).args(["macs", "params", "max_drop"]))]
pub(crate) struct CompressArgs {
    /// Keep this many multiply-accumulates, or this share of them
    #[arg(long, value_name = "50% | 2M", value_parser = parse_budget)]
    pub(crate) macs: Option<Budget>,
    /// Keep this many parameters, or this share of them
    #[arg(long, value_name = "50% | 2M", value_parser = parse_budget)]
    pub(crate) params: Option<Budget>,
    /// Keep the smallest that costs at most this many points of accuracy on images held out of the
    /// training split
    #[arg(long, value_name = "POINTS", value_parser = parse_points)]
    pub(crate) max_drop: Option<f64>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Where to write the smaller model
    #[arg(short, long, value_name = "OUT.onnx", required_unless_present = "compare")]
    pub(crate) output: Option<PathBuf>,
    /// What makes a channel worth keeping: that the scores would move without it (taylor), that its
    /// contributions tell the classes apart (contribution), or a baseline
    #[arg(long, value_name = "HOW", default_value = "taylor", value_parser = one_of(CRITERIA))]
    pub(crate) criterion: Criterion,
    /// What a step leaves of the size before it; contribution takes one step
    #[arg(long, value_name = "SHARE", default_value = "70%", value_parser = parse_step)]
    pub(crate) step: f64,
    /// The model's profile, for the criterion contribution [default: made from the data]
    #[arg(long, value_name = "PROFILE.safetensors")]
    pub(crate) profile: Option<PathBuf>,
    /// Cut by every criterion to the same size, and compare
    #[arg(long)]
    pub(crate) compare: bool,
    /// Write every model that is made, bare and refitted, into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) keep_all: Option<PathBuf>,
    /// Leave the kept weights as they are
    #[arg(long)]
    pub(crate) no_refit: bool,
    /// Images per class to refit on, chosen at random from the training split
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) refit_samples: u32,
    /// Images held out of the training split to measure accuracy on: a percentage, a count per class,
    /// or none (then nothing is measured)
    #[arg(long, value_name = "10% | 50 | none", default_value = "10%")]
    pub(crate) hold_out: HoldOut,
    /// Give up the same share of every layer, not what is worth least in the whole model
    #[arg(long)]
    pub(crate) uniform: bool,
    /// Share of its channels that every layer keeps at least
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = parse_share)]
    pub(crate) floor: f64,
    /// Keep a multiple of this many channels in every group
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) round_to: u16,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
}
