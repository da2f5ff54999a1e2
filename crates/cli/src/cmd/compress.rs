//! `brickwork compress`

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use brickwork::{
    Classifier, CompressOptions, Criterion, Error, EvalOptions, Ground, Held, Profile,
    ProfileOptions, Ranking, RefitOptions, Sampling, Source, Unit, Variant, eval, load_profile,
    profile, random_images, smallest_share, variant,
};
use brickwork_data::{Preprocess, Split};
use brickwork_tensor::Tensor;
use serde_json::{Value, json};

use crate::args::{Budget, CompressArgs, Global, HoldOut};
use crate::inputs;
use crate::print::{Out, percent, row, table, thousands};
use crate::progress::Shown;

/// Samples of every class behind a profile that is made on the way.
const PROFILED: usize = 50;

pub(crate) fn run(args: &CompressArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    check_options(args)?;
    let job = Job::prepare(args, global.seed, out)?;
    let ground = Ground::new(&job.model, job.profile.as_ref(), job.seed)?;
    let options = ranking_options(args);
    let own = Ranking::new(&ground, args.criterion, &options)?;
    let source = job.accuracy(&job.model)?;
    let (unit, limit) = job.limit(&own, source)?;
    let mut made = Vec::new();
    let mut skipped = Vec::new();
    for criterion in Criterion::ALL {
        let result = match criterion == args.criterion {
            true => job.make(criterion, &own, unit, limit),
            false if !args.compare => continue,
            false => match Ranking::new(&ground, criterion, &options) {
                Ok(ranking) => job.make(criterion, &ranking, unit, limit),
                // Not every model has what the other criteria judge by.
                Err(error @ Error::Model(_)) => {
                    skipped.push((criterion, error.to_string()));
                    continue;
                }
                Err(error) => Err(error),
            },
        };
        made.push(result?);
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
    let folder = args.keep_all.iter().map(|path| match path.exists() {
        true => inputs::check_writable(&path.join("model.onnx")),
        false => inputs::check_writable(path),
    });
    problems.extend(checks.chain(folder).filter_map(Result::err).map(|error| error.to_string()));
    if problems.is_empty() { Ok(()) } else { bail!("{}", problems.join("\n  and: ")) }
}

fn needs_profile(args: &CompressArgs) -> bool {
    args.compare || args.criterion == Criterion::Contribution
}

fn ranking_options(args: &CompressArgs) -> CompressOptions {
    CompressOptions {
        floor: args.floor,
        uniform: args.uniform,
        round_to: usize::from(args.round_to),
        refits: !args.no_refit,
    }
}

/// Holds images of every data set out.
fn split(
    sources: Vec<Source>,
    held: HoldOut,
    seed: u64,
) -> Result<(Vec<Source>, Option<Vec<Source>>), Error> {
    let held = match held {
        HoldOut::None => return Ok((sources, None)),
        HoldOut::Fraction(part) => Held::Fraction(part),
        HoldOut::PerClass(count) => Held::PerClass(count),
    };
    let parts = sources.into_iter().map(|source| source.split_off(held, seed));
    let (rest, held) = parts.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    Ok((rest, Some(held)))
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

/// Images that only measure.
struct HeldOut {
    sources: Vec<Source>,
    preprocess: Preprocess,
}

impl HeldOut {
    fn count(&self) -> usize {
        self.sources.iter().map(|source| source.dataset.len()).sum()
    }
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
        let given = args.profile.as_deref().map(load_profile).transpose()?;
        if let Some(profile) = &given {
            profile.check_model(&model)?;
            model.card.classes.clone_from(&profile.header.classes);
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
        let (rest, held) = split(sources, args.hold_out, self.seed)?;
        let classes: Vec<usize> = (0..self.model.class_count()).collect();
        if needs_profile(args) && self.profile.is_none() {
            let sampling = Sampling::Count(PROFILED);
            let options = ProfileOptions { classes: classes.clone(), sampling, given: None };
            let progress = Shown::new(self.out);
            self.profile = Some(profile(&self.model, &preprocess, &rest, &options, &progress)?);
        }
        if !args.no_refit {
            let each =
                inputs::refit_samples(&self.model, classes.len(), args.refit_samples, self.out);
            self.images = Some(random_images(&rest, &classes, each, self.seed, &preprocess)?);
        }
        self.held = held.map(|sources| HeldOut { sources, preprocess });
        Ok(())
    }

    /// Accuracy on the images held out.
    fn accuracy(&self, model: &Classifier) -> Result<Option<f64>, Error> {
        let Some(held) = &self.held else { return Ok(None) };
        let classes = (0..model.class_count()).collect();
        let options = EvalOptions { classes, source: None, before_refit: None, parts: None };
        let progress = Shown::new(self.out);
        let report = eval(model, &held.preprocess, &held.sources, &options, &progress)?;
        Ok(Some(report.accuracy_per_image))
    }

    /// The size to keep.
    fn limit(&self, own: &Ranking<'_>, source: Option<f64>) -> anyhow::Result<(Unit, u64)> {
        let (unit, budget) = match (self.args.macs, self.args.params, self.args.max_drop) {
            (Some(budget), ..) => (Unit::Macs, budget),
            (_, Some(budget), _) => (Unit::Parameters, budget),
            (.., points) => return self.smallest(own, source, points.unwrap_or(0.0)),
        };
        let whole = unit.of(&self.model.graph);
        match budget {
            Budget::Count(count) if count > whole => {
                bail!(
                    "`{}` has only {whole} {}, {count} are asked for",
                    self.model.name,
                    unit.name()
                )
            }
            Budget::Count(count) => Ok((unit, count)),
            Budget::Share(share) => Ok((unit, (whole as f64 * share) as u64)),
        }
    }

    /// The smallest percentage of the multiply-accumulates that costs few enough points.
    fn smallest(
        &self,
        own: &Ranking<'_>,
        source: Option<f64>,
        points: f64,
    ) -> anyhow::Result<(Unit, u64)> {
        let whole = Unit::Macs.of(&self.model.graph);
        let part = |percent: u64| (u128::from(whole) * u128::from(percent) / 100) as u64;
        let least = own.size(Unit::Macs, &own.keep(0));
        let least = (1..100).find(|&percent| part(percent) >= least).unwrap_or(100);
        let share = smallest_share(least, |share| {
            let accuracy = self.accuracy(self.cut(own, Unit::Macs, part(share))?.best())?;
            let drop = 100.0 * (source.unwrap_or(0.0) - accuracy.unwrap_or(0.0));
            self.out.note(&format!("{share} % of the MACs cost {drop:.2} points"));
            Ok(drop <= points + 1e-9)
        })?;
        Ok((Unit::Macs, part(share)))
    }

    fn cut(&self, ranking: &Ranking<'_>, unit: Unit, limit: u64) -> Result<Variant, Error> {
        let kept = ranking.kept(&ranking.keep(ranking.within(unit, limit)?));
        let options = RefitOptions { seed: self.seed, ..RefitOptions::default() };
        let progress = Shown::new(self.out);
        variant(&self.model, kept, self.images.as_ref(), &options, &progress)
    }

    fn make(
        &self,
        criterion: Criterion,
        ranking: &Ranking<'_>,
        unit: Unit,
        limit: u64,
    ) -> Result<Made, Error> {
        let variant = self.cut(ranking, unit, limit)?;
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
            "refit_images": self.images.as_ref().map(|images| images.shape()[0]),
            "source": {
                "name": self.model.name,
                "params": self.model.graph.parameters(),
                "macs": self.model.graph.macs(),
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
        let graph = &self.variant.best().graph;
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
        let (part, whole) = (unit.of(&model.graph), unit.of(&whole.graph));
        cells.extend([thousands(part), share(part, whole)]);
    }
    cells.extend([accuracy(before), accuracy(after)]);
    cells
}
