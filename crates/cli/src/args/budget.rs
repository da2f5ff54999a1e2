//! Sizes, and what may be given up for them.

use std::path::PathBuf;

use brickwork::Criterion;
use clap::Args;

use super::{Choices, HoldOut, one_of};

/// The first needs a profile, the others judge a network as it is at every step.
pub(crate) const CRITERIA: Choices<Criterion> = &[
    ("contribution", Criterion::Contribution),
    ("taylor", Criterion::Taylor),
    ("net-contribution", Criterion::NetContribution),
    ("energy", Criterion::Energy),
    ("reconstruction", Criterion::Reconstruction),
    ("l1", Criterion::L1),
    ("fpgm", Criterion::Fpgm),
    ("bn-scale", Criterion::BnScale),
    ("random", Criterion::Random),
];

/// Heading of what a size is reached by.
const SIZE: &str = "Size (instead of --profile or --keep: channels are given up step by step)";

/// How small a component becomes, and on what way.
#[derive(Args)]
pub(crate) struct BudgetArgs {
    /// Keep this many multiply-accumulates, or this share of them
    #[arg(long, help_heading = SIZE, value_name = "30% | 2M", value_parser = parse_budget)]
    pub(crate) macs: Option<Budget>,
    /// Keep this many parameters, or this share of them
    #[arg(long, help_heading = SIZE, value_name = "30% | 2M", value_parser = parse_budget)]
    pub(crate) params: Option<Budget>,
    /// Keep the smallest that costs at most this many points of accuracy, against the source
    /// restricted to the classes, on images held out of the training split
    #[arg(long, help_heading = SIZE, value_name = "POINTS", value_parser = parse_points)]
    pub(crate) max_drop: Option<f64>,
    /// Keep the largest that takes at most so long for one image here
    #[arg(long, help_heading = SIZE, value_name = "5ms", value_parser = parse_time)]
    pub(crate) latency: Option<f64>,
    /// Write accuracy and size of every step on the way: .html, .svg, .csv or .json
    #[arg(long, help_heading = SIZE, value_name = "FILE")]
    pub(crate) frontier: Option<PathBuf>,
    /// Write the component of every step into this folder, as step-0.onnx and so on
    #[arg(long, help_heading = SIZE, value_name = "DIR")]
    pub(crate) keep_all: Option<PathBuf>,
    /// Keep the largest on the frontier with at most this share of the multiply-accumulates
    #[arg(long, help_heading = SIZE, value_name = "40%", value_parser = parse_share, requires = "frontier")]
    pub(crate) pick: Option<f64>,
    /// What makes a channel worth keeping
    #[arg(long, help_heading = SIZE, value_name = "HOW", default_value = "taylor", value_parser = one_of(&CRITERIA[1..]))]
    pub(crate) criterion: Criterion,
    /// What a step leaves of the size before it
    #[arg(long, help_heading = SIZE, value_name = "SHARE", default_value = "70%", value_parser = parse_step)]
    pub(crate) step: f64,
    /// Leave this layer and all before it whole: components of one source share them once assembled
    #[arg(long, help_heading = SIZE, value_name = "LAYER", conflicts_with_all = ["profile", "keep"])]
    pub(crate) trunk: Option<String>,
    /// Images held out of the training split to measure on: a percentage, a count per class, or none
    #[arg(long, help_heading = SIZE, value_name = "10% | 50 | none", default_value = "10%")]
    pub(crate) hold_out: HoldOut,
}

/// A size to keep.
#[derive(Clone, Copy)]
pub(crate) enum Budget {
    /// Of the whole, in 0..=1.
    Share(f64),
    /// So many.
    Count(u64),
}

impl Budget {
    /// In units of the whole.
    ///
    /// # Errors
    /// If it is more than the whole; `of` says what of.
    pub(crate) fn of(self, whole: u64, of: &str) -> anyhow::Result<u64> {
        match self {
            Self::Count(count) if count > whole => {
                anyhow::bail!("there are only {whole} {of}, {count} are asked for")
            }
            Self::Count(count) => Ok(count),
            Self::Share(share) => Ok((whole as f64 * share) as u64),
        }
    }
}

pub(super) fn parse_budget(text: &str) -> Result<Budget, String> {
    let count = parse_count(text).filter(|&count| count > 0).map(Budget::Count);
    let share = || parse_share(text).ok().filter(|&share| share > 0.0).map(Budget::Share);
    count.or_else(share).ok_or_else(|| {
        "expected a share such as 50% or 0.5 (above 0%, up to 100%) or a number such as 20000000 or 20M"
            .to_owned()
    })
}

/// A whole number, or one of thousands (K), millions (M) or billions (G).
fn parse_count(text: &str) -> Option<u64> {
    let factors = [('K', 1e3), ('M', 1e6), ('G', 1e9)];
    let scaled = factors.into_iter().find_map(|(unit, factor)| {
        let number = text.strip_suffix(unit)?.trim().parse::<f64>().ok()?;
        (0.0..1e9).contains(&number).then_some((number * factor).round() as u64)
    });
    text.parse().ok().or(scaled)
}

/// A percentage, or a fraction with a point, which cannot be taken for a percentage without its sign.
pub(super) fn parse_share(text: &str) -> Result<f64, String> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok().map(|percent| percent / 100.0),
        None => text.parse().ok().filter(|_| text.contains('.')),
    };
    let share = share.filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "expected a share from 0% to 100%, such as 40% or 0.4".to_owned())
}

pub(super) fn parse_step(text: &str) -> Result<f64, String> {
    let step = parse_share(text).ok().filter(|share| (0.0..0.995).contains(share));
    step.ok_or_else(|| "expected a share from 0% (all in one step) to 99%".to_owned())
}

pub(super) fn parse_points(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(points) if (0.0..=100.0).contains(&points) => Ok(points),
        _ => Err("expected points of accuracy from 0 to 100, such as 1.0".to_owned()),
    }
}

/// Milliseconds.
fn parse_time(text: &str) -> Result<f64, String> {
    let (number, factor) = match (text.strip_suffix("ms"), text.strip_suffix("us")) {
        (Some(number), _) => (number, 1.0),
        (_, Some(number)) => (number, 1e-3),
        _ => (text, f64::NAN),
    };
    let time = number.trim().parse::<f64>().ok().map(|time| time * factor);
    time.filter(|time| *time > 0.0 && time.is_finite())
        .ok_or_else(|| "expected a time such as 5ms or 300us".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percentages_or_fractions() {
        for (text, share) in
            [("40%", 0.4), ("0.4", 0.4), ("0%", 0.0), ("1.0", 1.0), ("2.5 %", 0.025)]
        {
            assert_eq!(parse_share(text), Ok(share), "{text}");
        }
        for text in ["40", "1", "1.1", "101%", "-0.1", "%", "", ".", "NaN%", "a.b"] {
            assert!(parse_share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn budgets_are_shares_or_numbers() {
        for (text, count) in [("1", 1), ("20000000", 20_000_000), ("2M", 2_000_000), ("1.5K", 1500)]
        {
            assert!(
                matches!(parse_budget(text), Ok(Budget::Count(found)) if found == count),
                "{text}"
            );
        }
        for (text, share) in [("30%", 0.3), ("0.3", 0.3), ("1.0", 1.0)] {
            assert!(
                matches!(parse_budget(text), Ok(Budget::Share(found)) if found == share),
                "{text}"
            );
        }
        for text in ["0", "0%", "0.0", "0M", "-1", "-1M", "NaNM", "infM", "2m", "M", "1e30G", "1.5"]
        {
            assert!(parse_budget(text).is_err(), "{text}");
        }
    }
}
