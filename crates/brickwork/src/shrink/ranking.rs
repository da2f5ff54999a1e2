//! Making a classifier smaller without giving up a class: the channel groups worth least go first,
//! until what is left fits a budget.

mod by_block;

use std::cmp::Ordering;

use brickwork_graph::{Keep, Label, families};

use crate::cut::kept_channels::{KeptMap, kept_map};
use crate::cut::plan::{Choice, Plan};
use crate::images::image_set::ImageSet;
use crate::model::card::Criterion;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::layers::layers;
use crate::model::progress::Progress;
use crate::model::sizes::{Sizes, Unit};
use crate::refit::{RefitOptions, refitted};
use crate::shrink::criterion::Ground;

/// How many channels a family of groups keeps: all, a multiple, or few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widths {
    /// Of this many.
    pub multiple: usize,
    /// Fewer than so many are kept as they are.
    pub from: usize,
}

impl Widths {
    /// Any number.
    pub const ANY: Self = Self { multiple: 1, from: 0 };

    /// What runtimes are fast with: their kernels take channels by the eight.
    pub const FAST: Self = Self { multiple: 8, from: 8 };

    /// A multiple of `count` everywhere, or what is [fast](Self::FAST) if none is asked for.
    pub fn of(count: Option<u16>) -> Self {
        count.map_or(Self::FAST, |count| Self { multiple: usize::from(count), from: 0 })
    }

    fn of_kept(self, kept: usize) -> usize {
        if kept < self.from { kept } else { kept.next_multiple_of(self.multiple) }
    }
}

/// How channels are given up.
#[derive(Clone, Debug, PartialEq)]
pub struct CompressOptions {
    /// Every family of channels keeps this share of its own, and at least one.
    pub floor: f64,
    /// Every family gives up the same share, instead of what is worth least in the whole network.
    pub uniform: bool,
    /// How many channels families keep.
    pub widths: Widths,
    /// Whether cuts are refitted, which adds biases that count as parameters.
    pub refits: bool,
    /// What a group's worth is weighed against, where worth has a unit.
    pub unit: Unit,
    /// The first so many weighted layers, in running order, keep all that they read and make.
    pub trunk: usize,
}

impl Default for CompressOptions {
    fn default() -> Self {
        Self {
            floor: 0.05,
            uniform: false,
            widths: Widths::ANY,
            refits: true,
            unit: Unit::Macs,
            trunk: 0,
        }
    }
}

/// The channel groups of a model in the order in which they are kept.
pub struct Ranking<'a> {
    ground: &'a Ground<'a>,
    sizes: Sizes<'a>,
    worth: Vec<f64>,
    /// Labels that every cut keeps: classes, and the floor of every family.
    always: Vec<bool>,
    /// The others' groups, best first.
    order: Vec<Label>,
    uniform: bool,
    widths: Widths,
}

impl<'a> Ranking<'a> {
    /// Ranks a model's groups by a criterion.
    ///
    /// # Errors
    /// As [`Criterion::scores`].
    pub fn new(
        ground: &'a Ground<'a>,
        criterion: Criterion,
        options: &CompressOptions,
    ) -> Result<Self, Error> {
        let (graph, channels) = (ground.graph, &ground.channels);
        let mut worth = criterion.scores(ground)?;
        let sizes = Sizes::new(graph, channels, options.refits);
        if criterion.is_absolute() {
            let savings = sizes.savings(&options.unit);
            worth.iter_mut().zip(savings).for_each(|(worth, saved)| *worth /= saved.max(1) as f64);
        }
        by_block::level(channels, &mut worth);
        let mut always = vec![false; channels.len()];
        ground.classes.iter().for_each(|&label| always[label as usize] = true);
        for layer in layers(graph).iter().take(options.trunk) {
            let ends = channels.layer(layer.node).into_iter();
            for &label in ends.flat_map(|ends| ends.inputs.iter().chain(&ends.outputs)) {
                always[channels.group(label) as usize] = true;
            }
        }
        let mut rest = Vec::new();
        for mut family in families(graph, channels) {
            family.sort_by(|&a, &b| better(&worth, a, b));
            let count = family.len();
            let floor = ((count as f64 * options.floor).ceil() as usize).clamp(1, count);
            for (place, group) in family.into_iter().enumerate() {
                if place < floor {
                    always[group as usize] = true;
                } else if !always[group as usize] {
                    rest.push((place as f64 / count as f64, group));
                }
            }
        }
        rest.sort_by(|(a, left), (b, right)| {
            let place = if options.uniform { a.total_cmp(b) } else { Ordering::Equal };
            place.then(better(&worth, *left, *right))
        });
        let order = rest.into_iter().map(|(_, group)| group).collect();
        let &CompressOptions { uniform, widths, .. } = options;
        Ok(Self { ground, sizes, worth, always, order, uniform, widths })
    }

    /// How many groups a cut may keep or not.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether no group can be given up.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Keeps the best `count` groups, and what belongs to them.
    pub fn keep(&self, count: usize) -> Keep {
        self.keep_groups(&self.order[..count])
    }

    fn keep_groups(&self, groups: &[Label]) -> Keep {
        let mut wanted = self.always.clone();
        groups.iter().for_each(|&group| wanted[group as usize] = true);
        let score = |label: Label| self.worth[label as usize];
        let (graph, channels) = (self.ground.graph, &self.ground.channels);
        let mut keep = Keep::closed(graph, channels, |label| wanted[label as usize], score);
        if self.widths.multiple > 1 {
            keep.round_up(graph, channels, |_, kept| self.widths.of_kept(kept), score);
        }
        keep
    }

    /// What is left by the names of layers.
    pub fn kept(&self, keep: &Keep) -> KeptMap {
        kept_map(&self.ground.channels, &layers(self.ground.graph), keep)
    }

    /// The size of a cut.
    pub fn size(&self, unit: &Unit, keep: &Keep) -> u64 {
        self.sizes.of(unit, keep)
    }

    /// The best groups that fit into a budget, and what fits of the next unless shares are uniform.
    ///
    /// # Errors
    /// If the smallest cut exceeds it.
    pub fn fitting(&self, unit: &Unit, budget: u64) -> Result<Keep, Error> {
        let count = self.within(unit, budget)?;
        let mut groups = self.order[..count].to_vec();
        let fillers = if self.uniform { 0 } else { FILLERS };
        for &group in self.order[count..].iter().skip(1).take(fillers) {
            groups.push(group);
            if self.size(unit, &self.keep_groups(&groups)) > budget {
                groups.pop();
            }
        }
        Ok(self.keep_groups(&groups))
    }

    /// How many of the best groups fit into a budget: the next would exceed it.
    ///
    /// # Errors
    /// If the smallest cut exceeds it.
    pub fn within(&self, unit: &Unit, budget: u64) -> Result<usize, Error> {
        let size = |count| self.size(unit, &self.keep(count));
        let (mut fits, mut exceeds) = (0, self.order.len());
        if size(exceeds) <= budget {
            return Ok(exceeds);
        }
        let least = size(0);
        if least > budget {
            let whole = unit.of(self.ground.graph);
            let share = |size: u64| 100.0 * size as f64 / whole.max(1) as f64;
            return Err(Error::too_small(format!(
                "{} ({:.1} %) cannot be reached: the smallest cut has {} ({:.1} %); ask for at least that, or let \
                 layers keep less (`floor=`)",
                unit.counted(budget),
                share(budget),
                unit.counted(least),
                share(least)
            )));
        }
        while exceeds - fits > 1 {
            let middle = usize::midpoint(fits, exceeds);
            if size(middle) <= budget {
                fits = middle;
            } else {
                exceeds = middle;
            }
        }
        Ok(fits)
    }
}

/// How many of the groups after those that fit are tried for what is left of a budget.
const FILLERS: usize = 64;

/// The better of two groups first; of equals the first.
fn better(worth: &[f64], a: Label, b: Label) -> Ordering {
    worth[b as usize].total_cmp(&worth[a as usize]).then(a.cmp(&b))
}

/// The smallest percentage from `least` to 100 that `judge` accepts, if what it accepts it also
/// accepts larger. 100 is taken for accepted.
///
/// # Errors
/// The first failure of `judge`.
pub fn smallest_share(
    least: u64,
    mut judge: impl FnMut(u64) -> Result<bool, Error>,
) -> Result<u64, Error> {
    let (mut low, mut high) = (least, 100);
    while low < high {
        let middle = u64::midpoint(low, high);
        if judge(middle)? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(high)
}

/// A smaller model before and after its refit.
pub struct Variant {
    /// The cut.
    pub bare: Classifier,
    /// The same with refitted weights, if there were images to refit on.
    pub refitted: Option<Classifier>,
    /// What it keeps.
    pub kept: KeptMap,
}

impl Variant {
    /// What there is of it at last.
    pub fn best(&self) -> &Classifier {
        self.refitted.as_ref().unwrap_or(&self.bare)
    }
}

/// Cuts `classifier` to the given channels, keeping all its classes, and refits it on preprocessed
/// images `[n, c, h, w]`.
///
/// # Errors
/// If the channels do not fit, the cut changes the function, or a network cannot run.
pub fn variant(
    classifier: &Classifier,
    kept: KeptMap,
    images: Option<&ImageSet>,
    options: &RefitOptions,
    progress: &dyn Progress,
) -> Result<Variant, Error> {
    let classes: Vec<usize> = (0..classifier.class_count()).collect();
    let choice = Choice::Given(kept);
    let plan = Plan::new(classifier, &classes, &choice, 1)?;
    let mut bare = plan.component(classifier, &choice, options.seed)?;
    bare.name.clone_from(&classifier.name);
    let refitted = images.map(|images| refitted(classifier, &bare, images, options, progress));
    Ok(Variant { refitted: refitted.transpose()?, bare, kept: plan.kept })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_share_is_found_with_few_trials() {
        for (least, wanted) in [(1, 1), (1, 37), (20, 20), (1, 100), (100, 100), (60, 99)] {
            let mut trials = 0;
            let found = smallest_share(least, |share| {
                trials += 1;
                Ok(share >= wanted)
            });
            assert_eq!(found.unwrap(), wanted);
            assert!(trials <= 7, "{trials}");
        }
    }
}
