//! `brickwork compress`

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use brickwork::{
    Classifier, CompressOptions, Criterion, Error, Ground, Profile, ProfileOptions, Ranking,
    RefitOptions, Sampling, Shrink, ShrinkOptions, Unit, Variant, load_profile, profile,
    random_images, smallest_share, variant,
};
use brickwork_data::Split;
use brickwork_tensor::Tensor;
use serde_json::{Value, json};

use crate::args::{CompressArgs, Global, HoldOut};
use crate::held::HeldOut;
use crate::inputs;
use crate::print::{Out, percent, row, table, thousands};
use crate::progress::Shown;

/// After so many steps in a row that lost too much, the search ends.
const PATIENCE: usize = 2;

/// Samples of every class behind a profile that is made on the way.
const PROFILED: usize = 50;

pub(crate) fn run(args: &CompressArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    check_options(args)?;
    let job = Job::prepare(args, global.seed, out)?;
    let source = job.accuracy(&job.model)?;
    let (unit, limit) = job.limit(source)?;
    let mut made = Vec::new();
    let mut skipped = Vec::new();
    for criterion in Criterion::ALL {
        if criterion != args.criterion && !args.compare {
            continue;
        }
        match job.ranking_error(criterion)? {
            // Not every model has what the other criteria judge by.
            Some(error) if criterion != args.criterion => skipped.push((criterion, error)),
            Some(error) => bail!("{error}"),
            None => made.push(job.make(criterion, unit, limit)?),
        }
    }
    let chosen = made.iter().find(|made| made.criterion == args.criterion);
    if let Some((path, chosen)) = args.output.as_ref().zip(chosen) {
        chosen.variant.best().save(path)?;
    }
    if let Some(folder) = &args.keep_all {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        made.iter().try_for_each(|made| made.save_into(folder))?;
    }
    let result = job.describe(&made, &skipped, (unit, limit), source);
    out.result(&result, || job.words(&made, &skipped, source))
}

/// Everything that can be refused before any work, at once.
fn check_options(args: &CompressArgs) -> anyhow::Result<()> {
    let mut problems: Vec<String> = Vec::new();
    let reasons = [
        (!args.no_refit, "the refit, which is on by default (--no-refit)"),
        (needs_profile(args) && args.profile.is_none(), "contributions (or pass --profile)"),
        (args.criterion.needs_images(), "this criterion"),
        (args.max_drop.is_some(), "--max-drop"),
        (args.compare, "--compare"),
    ];
    let reasons: Vec<&str> =
        reasons.iter().filter(|(needed, _)| *needed).map(|(_, what)| *what).collect();
    if args.data.data.is_empty() && !reasons.is_empty() {
        problems.push(format!("pass --data DATA, which is needed for {}", reasons.join(", ")));
    }
    if args.max_drop.is_some() && args.hold_out == HoldOut::None {
        problems
            .push("--max-drop needs images to measure on; leave --hold-out none out".to_owned());
    }
    if args.profile.is_some() && !needs_profile(args) {
        let name = args.criterion.name();
        problems.push(format!("--profile says nothing to the criterion {name}"));
    }
    let checks = args.output.iter().map(|path| inputs::check_writable(path));
    let folder = args.keep_all.iter().map(|path| inputs::check_folder(path));
    problems.extend(checks.chain(folder).filter_map(Result::err).map(|error| error.to_string()));
    if problems.is_empty() { Ok(()) } else { bail!("{}", problems.join("\n  and: ")) }
}

fn needs_profile(args: &CompressArgs) -> bool {
    args.compare || args.criterion == Criterion::Contribution
}

fn rules(args: &CompressArgs) -> CompressOptions {
    CompressOptions {
        floor: args.floor,
        uniform: args.uniform,
        round_to: usize::from(args.round_to),
        refits: !args.no_refit,
        unit: if args.params.is_some() { Unit::Parameters } else { Unit::Macs },
        trunk: 0,
    }
}

/// What every cut is made from.
struct Job<'a> {
    args: &'a CompressArgs,
    seed: u64,
    out: &'a Out,
    model: Classifier,
    held: Option<HeldOut>,
    profile: Option<Profile>,
    images: Option<Tensor>,
}

/// One smaller model and what it is worth.
struct Made {
    criterion: Criterion,
    variant: Variant,
    /// Accuracy before and after the refit.
    accuracy: [Option<f64>; 2],
}

impl<'a> Job<'a> {
    fn prepare(args: &'a CompressArgs, seed: u64, out: &'a Out) -> anyhow::Result<Self> {
        let mut model = inputs::load(&args.model, Some(&args.data.input))?;
        for (budget, unit) in [(args.macs, Unit::Macs), (args.params, Unit::Parameters)] {
            budget.map(|budget| budget.of(unit.of(model.graph()), unit.name())).transpose()?;
        }
        let given = args.profile.as_deref().map(load_profile).transpose()?;
        if let Some(profile) = &given {
            profile.check_model(&model)?;
            model = model.with_classes(profile.header.classes.clone())?;
        }
        let mut job = Self { args, seed, out, model, held: None, profile: given, images: None };
        if !args.data.data.is_empty() {
            job.look_at_data()?;
        }
        Ok(job)
    }

    fn look_at_data(&mut self) -> anyhow::Result<()> {
        let args = self.args;
        let sources = inputs::sources(&mut self.model, &args.data, Split::Train, self.out)?;
        let preprocess = match &self.profile {
            Some(profile) => profile.header.preprocess.clone(),
            None => inputs::preprocess(&self.model, &args.data.input)?,
        };
        self.model = inputs::described(&self.model, &preprocess)?;
        let (rest, held) = HeldOut::split(sources, args.hold_out, &preprocess, self.seed)?;
        let classes: Vec<usize> = (0..self.model.class_count()).collect();
        if needs_profile(args) && self.profile.is_none() {
            let sampling = Sampling::Count(PROFILED);
            let options = ProfileOptions { classes: classes.clone(), sampling, given: None };
            let progress = Shown::new(self.out);
            self.profile = Some(profile(&self.model, &preprocess, &rest, &options, &progress)?);
        }
        if !args.no_refit || args.compare || args.criterion.needs_images() {
            let asked = classes.iter().map(|&class| (class, args.refit_samples as usize)).collect();
            let wanted = inputs::within_memory(&self.model, asked, self.out);
            self.images = Some(random_images(&rest, &wanted, self.seed, &preprocess)?);
        }
        self.held = held;
        Ok(())
    }

    /// Accuracy on the images held out.
    fn accuracy(&self, model: &Classifier) -> Result<Option<f64>, Error> {
        self.held.as_ref().map(|held| held.accuracy(model, self.out)).transpose()
    }

    /// Why a criterion cannot judge the model, if it judges by the model alone.
    fn ranking_error(&self, criterion: Criterion) -> Result<Option<String>, Error> {
        if criterion.needs_images() || criterion == Criterion::Contribution {
            return Ok(None);
        }
        match criterion.scores(&Ground::new(&self.model, None, None, self.seed)?) {
            Err(Error::Model(why)) => Ok(Some(why.message)),
            other => other.map(|_| None),
        }
    }

    /// The size to keep.
    fn limit(&self, source: Option<f64>) -> anyhow::Result<(Unit, u64)> {
        let (unit, budget) = match (self.args.macs, self.args.params, self.args.max_drop) {
            (Some(budget), ..) => (Unit::Macs, budget),
            (_, Some(budget), _) => (Unit::Parameters, budget),
            (.., points) => return Ok((Unit::Macs, self.smallest(source, points.unwrap_or(0.0))?)),
        };
        Ok((unit, budget.of(unit.of(self.model.graph()), unit.name())?))
    }

    /// The smallest number of multiply-accumulates that costs few enough points.
    fn smallest(&self, source: Option<f64>, points: f64) -> Result<u64, Error> {
        let whole = Unit::Macs.of(self.model.graph());
        let part = |percent: u64| (u128::from(whole) * u128::from(percent) / 100) as u64;
        let drop = |model: &Classifier| -> Result<f64, Error> {
            let lost = source.unwrap_or(0.0) - self.accuracy(model)?.unwrap_or(0.0);
            let share = 100.0 * model.graph().macs() as f64 / whole.max(1) as f64;
            self.out.note(&format!("{share:.1} % of the MACs cost {:.2} points", 100.0 * lost));
            Ok(100.0 * lost)
        };
        if self.args.criterion == Criterion::Contribution {
            let ground = self.ground()?;
            let ranking = self.ranking(&ground)?;
            let least = ranking.size(Unit::Macs, &ranking.keep(0));
            let least = (1..100).find(|&percent| part(percent) >= least).unwrap_or(100);
            let share = smallest_share(least, |share| {
                let cut = self.at_once(Unit::Macs, part(share))?;
                Ok(drop(cut.best())? <= points + 1e-9)
            })?;
            return Ok(part(share));
        }
        let mut shrink = self.shrink(self.args.criterion)?;
        let (mut best, mut lost) = (whole, 0);
        while lost < PATIENCE {
            let next = shrink.next_limit(0);
            match shrink.step(next, &Shown::new(self.out)) {
                // There is nothing left to give up.
                Err(Error::TooSmall(_)) if best < whole || lost > 0 => break,
                other => other?,
            }
            let fits = drop(&shrink.component()?)? <= points + 1e-9;
            (best, lost) = if fits { (shrink.size(), 0) } else { (best, lost + 1) };
        }
        Ok(best)
    }

    fn ground(&self) -> Result<Ground<'_>, Error> {
        Ground::new(&self.model, self.profile.as_ref(), self.images.as_ref(), self.seed)
    }

    fn ranking<'g>(&self, ground: &'g Ground<'g>) -> Result<Ranking<'g>, Error> {
        Ranking::new(ground, Criterion::Contribution, &rules(self.args))
    }

    /// A cut by contributions, which are those of the whole model.
    fn at_once(&self, unit: Unit, limit: u64) -> Result<Variant, Error> {
        let ground = self.ground()?;
        let ranking = self.ranking(&ground)?;
        let kept = ranking.kept(&ranking.fitting(unit, limit)?);
        let options = RefitOptions { seed: self.seed, ..RefitOptions::default() };
        variant(&self.model, kept, self.refit_images(), &options, &Shown::new(self.out))
    }

    fn shrink(&self, criterion: Criterion) -> Result<Shrink<'_>, Error> {
        let usual = ShrinkOptions::default();
        let options = ShrinkOptions {
            criterion,
            rules: rules(self.args),
            step: self.args.step,
            refit: RefitOptions { seed: self.seed, ..usual.refit },
            seed: self.seed,
        };
        let classes: Vec<usize> = (0..self.model.class_count()).collect();
        Shrink::new(&self.model, &classes, self.images.as_ref(), options)
    }

    /// A cut that is made step by step.
    fn stepwise(&self, criterion: Criterion, limit: u64) -> Result<Variant, Error> {
        let mut shrink = self.shrink(criterion)?;
        shrink.check(limit)?;
        while shrink.size() > limit {
            shrink.step(shrink.next_limit(limit), &Shown::new(self.out))?;
        }
        let model = shrink.component()?;
        let model = shrink.finished(&model, &Shown::new(self.out))?.unwrap_or(model);
        let kept =
            model.card().origin.as_ref().map(|origin| origin.kept.clone()).unwrap_or_default();
        let usual = RefitOptions::default();
        let bare = variant(&self.model, kept, None, &usual, &Shown::new(self.out))?;
        Ok(Variant { refitted: self.refit_images().map(|_| model), ..bare })
    }

    fn refit_images(&self) -> Option<&Tensor> {
        self.images.as_ref().filter(|_| !self.args.no_refit)
    }

    fn make(&self, criterion: Criterion, unit: Unit, limit: u64) -> Result<Made, Error> {
        let variant = match criterion {
            Criterion::Contribution => self.at_once(unit, limit)?,
            _ => self.stepwise(criterion, limit)?,
        };
        let refitted = variant.refitted.as_ref();
        let after = refitted.map(|model| self.accuracy(model)).transpose()?.flatten();
        Ok(Made { criterion, accuracy: [self.accuracy(&variant.bare)?, after], variant })
    }

    fn describe(
        &self,
        made: &[Made],
        skipped: &[(Criterion, String)],
        (unit, limit): (Unit, u64),
        source: Option<f64>,
    ) -> Value {
        let args = self.args;
        json!({
            "output": args.output,
            "kept_all": args.keep_all,
            "criterion": args.criterion.name(),
            "budget": { "unit": unit.name(), "limit": limit },
            "held_out": self.held.as_ref().map(HeldOut::count),
            "refit_images": self.refit_images().map(|images| images.shape()[0]),
            "source": {
                "name": self.model.name,
                "params": self.model.graph().parameters(),
                "macs": self.model.graph().macs(),
                "accuracy": source,
            },
            "models": made.iter().map(Made::describe).collect::<Vec<_>>(),
            "skipped": skipped.iter().map(|(criterion, why)| json!({
                "criterion": criterion.name(),
                "reason": why,
            })).collect::<Vec<_>>(),
        })
    }

    fn words(&self, made: &[Made], skipped: &[(Criterion, String)], source: Option<f64>) -> String {
        let whole = &self.model;
        let head = ["", "params", "%", "MACs", "%", "bare cut, %", "refitted, %"];
        let mut rows = vec![row(head), cells("source", whole, whole, [source, None])];
        for made in made {
            rows.push(cells(made.criterion.name(), made.variant.best(), whole, made.accuracy));
        }
        let mut text = table(&rows);
        if let Some(held) = &self.held {
            let _ =
                writeln!(text, "\naccuracy on {} training images that were held out", held.count());
        }
        for (_, why) in skipped {
            let _ = writeln!(text, "left out: {why}");
        }
        for path in self.args.output.iter().chain(&self.args.keep_all) {
            let _ = writeln!(text, "written {}", path.display());
        }
        text
    }
}

impl Made {
    fn save_into(&self, folder: &Path) -> Result<(), Error> {
        let name = self.criterion.name();
        self.variant.bare.save(&folder.join(format!("{name}.bare.onnx")))?;
        match &self.variant.refitted {
            Some(model) => model.save(&folder.join(format!("{name}.onnx"))),
            None => Ok(()),
        }
    }

    fn describe(&self) -> Value {
        let graph = &self.variant.best().graph();
        let [before, after] = self.accuracy;
        json!({
            "criterion": self.criterion.name(),
            "params": graph.parameters(),
            "macs": graph.macs(),
            "accuracy_before_refit": before,
            "accuracy_after_refit": after,
            "kept": self.variant.kept,
        })
    }
}

fn cells(
    name: &str,
    model: &Classifier,
    whole: &Classifier,
    [before, after]: [Option<f64>; 2],
) -> Vec<String> {
    let share = |part: u64, whole: u64| format!("{:.1}", 100.0 * part as f64 / whole.max(1) as f64);
    let accuracy = |value: Option<f64>| value.map_or("-".to_owned(), percent);
    let mut cells = vec![name.to_owned()];
    for unit in [Unit::Parameters, Unit::Macs] {
        let (part, whole) = (unit.of(model.graph()), unit.of(whole.graph()));
        cells.extend([thousands(part), share(part, whole)]);
    }
    cells.extend([accuracy(before), accuracy(after)]);
    cells
}
