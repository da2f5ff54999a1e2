//! A cut to a size: step by step down from the whole task, measured on the way.

use brickwork_data::Split;

use super::{
    Choose, Disassemble, DisassembleAnswer, Images, TableTime, WalkAnswer, frontier_problem,
};
use crate::images::image_set::ImageSet;
use crate::measure::held_out::{HeldOut, Measure};
use crate::model::card::Criterion;
use crate::model::classifier::Classifier;
use crate::model::error::{Error, Problem};
use crate::model::latency_table::{LatencyTable, PICOSECONDS};
use crate::model::layers::layers;
use crate::model::sizes::Unit;
use crate::model::time_limit::TimeLimit;
use crate::refit::RefitOptions;
use crate::show::frontier::{Frontier, FrontierForm};
use crate::shrink::own_times::own_times;
use crate::shrink::ranking::{CompressOptions, Widths};
use crate::shrink::step::{Shrink, ShrinkOptions};
use crate::shrink::walk::{Goal, Walk};
use crate::verbs::Context;
use crate::verbs::inputs::{self, Labelled};

impl Disassemble {
    /// What keeps it from being cut to a size.
    pub(super) fn size_problems(&self) -> Vec<Problem> {
        let goals = self.goals();
        let measures = self.max_drop.is_some() || self.frontier.is_some();
        let found = [
            self.data.needed("a size is reached by looking at images"),
            Problem::unless(
                goals > 0,
                "macs",
                "nothing says which channels stay: pass `profile=`, `keep=`, or a size: `macs=`, `params=`, \
                 `max_drop=`, `latency=`, `speed=` or `pick=`",
            ),
            Problem::unless(goals < 2, "macs", "only one size can be asked for"),
            Problem::unless(
                self.choose == Choose::Contribution && self.masks_out.is_none(),
                "choose",
                "`choose=` and `masks_out=` belong to `profile=`; a size is reached by `criterion=`",
            ),
            Problem::unless(
                self.criterion != Criterion::Contribution,
                "criterion",
                "contributions are those of the whole model: pass its `profile=` instead of a size",
            ),
            Problem::unless(
                !measures || self.holding().any(),
                "hold_out",
                "`max_drop=` and `frontier=` need images to measure on; leave `hold_out=none` out",
            ),
            Problem::unless(
                self.pick.is_none() || self.frontier.is_some(),
                "pick",
                "`pick=` chooses on the frontier: pass `frontier=`",
            ),
            Problem::unless(
                self.step.0 < 0.995,
                "step",
                "`step=` must be a share from 0% (all in one step) to 99%",
            ),
            Problem::unless(
                self.max_drop.is_none_or(|points| (0.0..=100.0).contains(&points)),
                "max_drop",
                "`max_drop=` must be points of accuracy from 0 to 100, such as 1.0",
            ),
            Problem::unless(
                self.latency_table.is_none() || self.latency.is_some() || self.speed.is_some(),
                "latency_table",
                "`latency_table=` says how long a size takes: pass `latency=` or `speed=`",
            ),
            self.holding().problem(),
            self.frontier.as_deref().and_then(frontier_problem),
            inputs::unwritable_folder("keep_all", self.keep_all.as_ref()),
        ];
        let files = self.frontier.iter().map(|path| ("frontier", path));
        found.into_iter().flatten().chain(inputs::unwritable(files)).collect()
    }

    /// How many sizes are asked for.
    fn goals(&self) -> usize {
        [
            self.macs.is_some(),
            self.params.is_some(),
            self.max_drop.is_some(),
            self.latency.is_some(),
            self.speed.is_some(),
            self.pick.is_some(),
        ]
        .into_iter()
        .filter(|given| *given)
        .count()
    }

    pub(super) fn to_size(
        &self,
        until: Option<TimeLimit>,
        context: &Context<'_>,
    ) -> Result<DisassembleAnswer, Error> {
        let mut model = self.model.load(&self.data.pixels, context)?;
        let asked = Some(&self.classes[..]);
        let Labelled { sources, classes, account, .. } =
            self.data.whole_or_answered(&mut model, asked, Split::Train, context)?;
        let preprocess = self.data.pixels.preprocess(&model)?;
        self.data.pixels.question(&sources, &preprocess, context)?;
        let model = inputs::described(&model, &preprocess)?;
        let trunk = self.trunk.as_ref().map_or(Ok(0), |name| trunk(&model, name))?;
        let (rest, held) = self.holding().split(sources, (&model, asked), &preprocess, context)?;
        let held = held.map(|held| held.of(&model, &classes)).transpose()?;
        let wanted = self.refit_images(&model, &classes, &rest);
        let images = ImageSet::random(&rest, &wanted, context.seed, &preprocess)?;
        let unit = self.unit(&model, context)?;
        let refit = self.refit_options(context.seed, until);
        let options = self.shrink_options(unit.clone(), trunk, refit, context.seed);
        let shrink =
            Shrink::new(&model, &classes, Some(&images), options)?.keeping(context.cache)?;
        let goal = self.goal(&shrink, &unit)?;
        let mut walk = Walk::new(shrink, held.as_ref(), goal, context.progress);
        walk.down()?;
        let chosen = walk.finish(self.keep_all.is_some() || self.frontier.is_some())?;
        let images = Images { sources: rest, preprocess, account, seed: context.seed };
        self.write_steps(&walk, &images)?;
        let frontier = Frontier { source: &model.name, points: &walk.points, chosen };
        if let Some((path, form)) = self.frontier.as_ref().zip(self.frontier_form()) {
            frontier.write(path, form)?;
        }
        let component = images.noted(&walk.components[chosen])?;
        let measure = held.as_ref().map(|_| Measure::of(&model));
        let walk = WalkAnswer {
            criterion: self.criterion,
            held_out: held.as_ref().map(HeldOut::count),
            held_out_split: self.hold_out_split,
            measure,
            frontier: walk.points,
            chosen,
            by_table: self.by_table(&unit, &component),
        };
        let account = Some(images.account);
        self.answer(&model, component, Default::default(), account, Some(walk), context)
    }

    fn goal(&self, shrink: &Shrink<'_>, unit: &Unit) -> Result<Goal, Error> {
        let budget = self.macs.or(self.params);
        let size = budget.map(|size| size.of(shrink.size(), unit)).transpose()?;
        let by_table = self.latency_table.is_some();
        let ms = match (unit, self.speed) {
            (Unit::Time(table), Some(speed)) => Some(table.model_ms / speed.0),
            _ => self.latency.map(|latency| latency.0),
        };
        let size_ms = ms.filter(|_| by_table).map(|ms| (ms * PICOSECONDS) as u64);
        Ok(Goal {
            size: size.or(size_ms),
            max_drop: self.max_drop,
            latency_ms: ms.filter(|_| !by_table),
            share: self.pick.map(|share| share.0),
        })
    }

    fn frontier_form(&self) -> Option<FrontierForm> {
        self.frontier.as_deref().and_then(FrontierForm::of)
    }

    /// What channels are weighed against.
    fn unit(&self, model: &Classifier, context: &Context<'_>) -> Result<Unit, Error> {
        Ok(match &self.latency_table {
            Some(path) => Unit::Time(LatencyTable::load(path, model.graph())?.into()),
            None if self.latency.is_some() || self.speed.is_some() => {
                Unit::Time(own_times(model, context.seed, context.progress)?.into())
            }
            None if self.params.is_some() => Unit::Parameters,
            None => Unit::Macs,
        })
    }

    /// The time of the component by the table that was given, if one was.
    fn by_table(&self, unit: &Unit, component: &Classifier) -> Option<TableTime> {
        let Unit::Time(table) = unit else { return None };
        self.latency_table.as_ref().map(|_| TableTime {
            runtime: table.runtime.clone(),
            batch: table.batch,
            threads: table.threads,
            before_ms: table.model_ms,
            after_ms: unit.of(component.graph()) as f64 / PICOSECONDS,
        })
    }

    fn shrink_options(
        &self,
        unit: Unit,
        trunk: usize,
        refit: Option<RefitOptions>,
        seed: u64,
    ) -> ShrinkOptions {
        let usual = ShrinkOptions::default();
        ShrinkOptions {
            criterion: self.criterion,
            rules: CompressOptions {
                unit,
                widths: Widths::of(self.round_to),
                refits: refit.is_some(),
                trunk,
                ..usual.rules
            },
            step: self.step.0,
            refit: refit.unwrap_or(usual.refit),
            seed,
        }
    }

    /// Writes the components of all steps, if they are to be kept.
    fn write_steps(&self, walk: &Walk<'_>, images: &Images) -> Result<(), Error> {
        let Some(folder) = &self.keep_all else { return Ok(()) };
        inputs::make_folder(folder)?;
        for (k, component) in walk.components.iter().enumerate() {
            images.noted(component)?.save(&folder.join(format!("step-{k}.onnx")))?;
        }
        Ok(())
    }
}

/// How many weighted layers come before the end of the trunk.
fn trunk(model: &Classifier, last: &str) -> Result<usize, Error> {
    let names: Vec<String> = layers(model.graph()).into_iter().map(|layer| layer.name).collect();
    let place = names.iter().position(|name| name == last);
    place.map(|place| place + 1).ok_or_else(|| {
        Error::options(format!(
            "`trunk=`: `{}` has no weighted layer `{last}`; it has {}",
            model.name,
            names.join(", ")
        ))
    })
}
