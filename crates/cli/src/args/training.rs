//! What the user may say about training.

use std::path::PathBuf;
use std::str::FromStr;

use brickwork::{Architecture, Stem};
use brickwork_data::Augment;
use clap::{Args, ValueEnum};

use super::{DataArgs, ModelArgs, STEMS, architecture, one_of, parse_batch};

/// Heading of the options of the optimiser.
const STEPS: &str = "Steps";

/// How a run of training goes, whatever its goal.
#[derive(Args, Clone)]
pub(crate) struct RunArgs {
    /// Where to write the model
    #[arg(short, long, value_name = "OUT.onnx")]
    pub(crate) output: PathBuf,
    /// Times every image is seen [default: 30 for train and distill, 10 for finetune]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) epochs: Option<u32>,
    /// Images of a step
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = parse_batch)]
    pub(crate) batch: usize,
    /// Images held out of the training split to choose the best epoch by: a percentage, a count per
    /// class, or none (then the last epoch is taken)
    #[arg(long, value_name = "10% | 50 | none", default_value = "10%")]
    pub(crate) hold_out: HoldOut,
    /// Use at most this many images of every class, chosen at random
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) samples: Option<u32>,
    /// Variations of the images, epoch by epoch: crop=4 shifts by up to 4 pixels, flip mirrors,
    /// cutout=8 cuts out a square
    #[arg(long, value_name = "LIST", default_value = "none")]
    pub(crate) augment: Augmented,
    /// The optimiser
    #[arg(long, help_heading = STEPS, value_name = "NAME", value_enum, default_value_t = OptimiserName::Sgd)]
    pub(crate) optimizer: OptimiserName,
    /// The largest learning rate [default: 0.1 for train and distill, 0.01 for finetune; a
    /// hundredth of it for adamw]
    #[arg(long, help_heading = STEPS, value_name = "X")]
    pub(crate) lr: Option<f64>,
    /// Momentum of sgd (Nesterov's)
    #[arg(long, help_heading = STEPS, value_name = "X", default_value_t = 0.9)]
    pub(crate) momentum: f64,
    /// Weight decay [default: 5e-4 for sgd, 0.01 for adamw]
    #[arg(long, help_heading = STEPS, value_name = "X")]
    pub(crate) weight_decay: Option<f64>,
    /// Shorten gradients that are longer than this: what was refitted or has no normalisation may need
    /// it
    #[arg(long, help_heading = STEPS, value_name = "NORM", value_parser = parse_norm)]
    pub(crate) clip: Option<f32>,
    /// Spare biases and normalisations the weight decay
    #[arg(long, help_heading = STEPS)]
    pub(crate) decay_weights_only: bool,
    /// The course of the learning rate
    #[arg(long, help_heading = STEPS, value_name = "NAME", value_enum, default_value_t = Course::Cosine)]
    pub(crate) schedule: Course,
    /// Epochs over which the rate rises from 0
    #[arg(long, help_heading = STEPS, value_name = "EPOCHS", default_value_t = 0.0)]
    pub(crate) warmup: f64,
    /// For the schedule step: epochs after which the rate falls
    #[arg(long, help_heading = STEPS, value_name = "E,E", value_delimiter = ',')]
    pub(crate) milestones: Vec<usize>,
    /// For the schedule step: the factor by which it falls
    #[arg(long, help_heading = STEPS, value_name = "X", default_value_t = 0.1)]
    pub(crate) gamma: f64,
    /// Label smoothing, from 0 to 1
    #[arg(long, help_heading = STEPS, value_name = "X", default_value_t = 0.0)]
    pub(crate) smoothing: f64,
    /// Learn only parameters whose names begin so; repeat for several
    #[arg(long, help_heading = STEPS, value_name = "PREFIX")]
    pub(crate) only: Vec<String>,
    /// Where to keep the run after every epoch [default: OUT.checkpoint, removed at the end]
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// Go on from the checkpoint, to the same bits as if the run had never stopped
    #[arg(long)]
    pub(crate) resume: bool,
    /// Write the figures of every epoch to this file, .csv or .json
    #[arg(long, value_name = "LOG.csv")]
    pub(crate) log: Option<PathBuf>,
    /// Plot loss and accuracy to this file
    #[arg(long, value_name = "CURVE.svg")]
    pub(crate) curve: Option<PathBuf>,
}

/// Train a network from scratch
#[derive(Args)]
#[command(after_help = "Examples:
  brickwork train --arch resnet20 --data cifar-10-batches-bin --augment crop=4,flip -o net.onnx
  brickwork train --arch vgg16 --width 0.25 --data photos/ --size 64 --epochs 60 \\
      --log log.csv --curve curve.svg -o photos.onnx

Ctrl-C stops the run and keeps a checkpoint; --resume goes on from it.
The best epoch is chosen on held out training images. Measure the result with `brickwork eval`.")]
pub(crate) struct TrainArgs {
    /// The architecture; `brickwork init --list` lists them
    #[arg(long, value_name = "NAME", value_parser = architecture())]
    pub(crate) arch: &'static Architecture,
    /// Factor of the numbers of hidden channels
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) width: f64,
    /// How images are taken in [default: imagenet from 96 pixels on]
    #[arg(long, value_name = "STEM", value_parser = one_of(STEMS))]
    pub(crate) stem: Option<Stem>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// Train a model further: cut, assembled, or any other
#[derive(Args)]
#[command(after_help = "Examples:
  brickwork finetune pets.onnx --data cifar-10-batches-bin --augment crop=4,flip -o tuned.onnx
  brickwork finetune both.onnx --data digits=mnist --data garments=fashion-mnist -o tuned.onnx

Says how well the model does on held out training images before (Score1) and after (Score2).")]
pub(crate) struct FinetuneArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Weights that are 0 stay 0: the blocks between the parts of a padded assembly
    #[arg(long)]
    pub(crate) keep_zero_blocks: bool,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// Teach a student what one or several models know
#[derive(Args)]
#[command(after_help = "Examples:
  brickwork distill --teacher both.onnx --student resnet20 --data digits --data garments -o s.onnx
  brickwork distill --teacher a.onnx b.onnx --student small.onnx --data photos/ -o s.onnx

The student has the teachers' classes, in order. An image is taught by the teachers that know its
class; what such a teacher does not know, the image is not.")]
pub(crate) struct DistillArgs {
    /// The teachers
    #[arg(long, value_name = "MODEL.onnx", num_args = 1.., required = true)]
    pub(crate) teacher: Vec<PathBuf>,
    /// The student: an architecture, or a model to begin from
    #[arg(long, value_name = "ARCH | MODEL.onnx")]
    pub(crate) student: String,
    /// Factor of the numbers of hidden channels of a student that is an architecture
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) width: f64,
    /// Temperature that softens the scores
    #[arg(long, value_name = "T", default_value_t = 4.0)]
    pub(crate) temperature: f64,
    /// Share of the labels in the loss, from 0 to 1; the rest is the teachers'
    #[arg(long, value_name = "X", default_value_t = 0.1)]
    pub(crate) label_share: f64,
    /// Also learn inner values: STUDENT_VALUE=TEACHER_VALUE of the first teacher; repeat for several
    #[arg(long, value_name = "VALUE=VALUE", value_parser = parse_pair)]
    pub(crate) feature: Vec<(String, String)>,
    /// Factor of the distance between inner values
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) feature_weight: f64,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((a, b)) if !a.is_empty() && !b.is_empty() => Ok((a.to_owned(), b.to_owned())),
        _ => Err("expected STUDENT_VALUE=TEACHER_VALUE".to_owned()),
    }
}

/// How gradients move weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OptimiserName {
    /// Stochastic gradient descent with Nesterov momentum
    Sgd,
    /// Adam with decoupled weight decay
    Adamw,
}

/// The course of the learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Course {
    /// Half a cosine down to 0
    Cosine,
    /// Up to the largest rate over the first 30 %, then down by half a cosine
    OneCycle,
    /// Falls at the milestones
    Step,
    /// Stays
    Constant,
}

/// How many samples to hold out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum HoldOut {
    None,
    Fraction(f64),
    PerClass(usize),
}

impl FromStr for HoldOut {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "expected a percentage below 100, a count per class, or none".to_owned();
        if text == "none" {
            return Ok(Self::None);
        }
        match text.strip_suffix('%') {
            Some(number) => match number.parse::<f64>() {
                Ok(percent) if percent > 0.0 && percent < 100.0 => {
                    Ok(Self::Fraction(percent / 100.0))
                }
                _ => Err(bad()),
            },
            None => match text.parse() {
                Ok(count) if count > 0 => Ok(Self::PerClass(count)),
                _ => Err(bad()),
            },
        }
    }
}

/// Variations of images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Augmented(pub(crate) Augment);

impl FromStr for Augmented {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut augment = Augment::default();
        if text == "none" {
            return Ok(Self(augment));
        }
        for word in text.split(',') {
            let (name, number) = match word.split_once('=') {
                Some((name, number)) => (name, number.parse().ok()),
                None => (word, None),
            };
            match (name, number) {
                ("flip", None) if word == "flip" => augment.flip = true,
                ("crop", Some(reach)) => augment.pad_crop = Some(reach),
                ("cutout", Some(side)) => augment.cutout = Some(side),
                _ => {
                    return Err(format!(
                        "`{word}`: expected crop=PIXELS, flip, cutout=PIXELS or none"
                    ));
                }
            }
        }
        Ok(Self(augment))
    }
}

fn parse_norm(text: &str) -> Result<f32, String> {
    let norm = text.parse().ok().filter(|norm: &f32| *norm > 0.0 && norm.is_finite());
    norm.ok_or_else(|| "expected a number above 0, such as 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_out() {
        assert_eq!("10%".parse(), Ok(HoldOut::Fraction(0.1)));
        assert_eq!("50".parse(), Ok(HoldOut::PerClass(50)));
        assert_eq!("none".parse(), Ok(HoldOut::None));
        for bad in ["0", "100%", "-1", "x", "0%"] {
            assert!(bad.parse::<HoldOut>().is_err(), "{bad}");
        }
    }

    #[test]
    fn variations() {
        let all = Augment { pad_crop: Some(4), flip: true, cutout: Some(8) };
        assert_eq!("crop=4,flip,cutout=8".parse(), Ok(Augmented(all)));
        assert_eq!("none".parse(), Ok(Augmented(Augment::default())));
        for bad in ["crop", "flip=1", "mirror", "crop=x", ""] {
            assert!(bad.parse::<Augmented>().is_err(), "{bad}");
        }
    }
}
