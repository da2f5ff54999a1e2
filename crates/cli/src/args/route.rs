//! What the user may say about routes.

use std::path::PathBuf;

use clap::Args;

use super::{LinkArgs, parse_size};

/// Draw through which channels classes are decided, and what classes have in common
#[derive(Args)]
#[command(after_help = "Examples:
  brickwork route net.profile.safetensors --model net.onnx --classes cat,dog -o pets.svg
  brickwork route net.profile.safetensors --model net.onnx --classes 0-2 \\
      --layers layer3,fc -o route.html")]
pub(crate) struct RouteArgs {
    /// The model's profile
    #[arg(value_name = "PROFILE.safetensors")]
    pub(crate) profile: PathBuf,
    /// The model
    #[arg(long, value_name = "MODEL.onnx")]
    pub(crate) model: PathBuf,
    /// Take weights of matching names from this safetensors file
    #[arg(long, value_name = "FILE.safetensors")]
    pub(crate) weights: Option<PathBuf>,
    /// Height and width, where the model leaves them open
    #[arg(long, value_name = "H[xW]", value_parser = parse_size)]
    pub(crate) size: Option<[usize; 2]>,
    /// Classes to draw, at most seven: names, indices, inclusive ranges
    #[arg(long, value_name = "CLASSES")]
    pub(crate) classes: String,
    /// Where to write the drawing (.svg), a page with the overlap of all profiled classes at every
    /// layer (.html), or all of it as data (.json)
    #[arg(short, long, value_name = "ROUTE.svg|.html|.json")]
    pub(crate) output: PathBuf,
    /// Draw only these layers: names or parts of names [default: all, in at most 24 columns]
    #[arg(long, value_name = "NAME[,NAME]", value_delimiter = ',')]
    pub(crate) layers: Vec<String>,
    #[command(flatten)]
    pub(crate) link: LinkArgs,
}
