//! `brickwork disassemble` to a size: step by step down from the whole task, measured on the way.

mod frontier;

use std::fmt::Write;
use std::fs;

use anyhow::{Context, bail};
use brickwork::{
    Classifier, CompressOptions, Shrink, ShrinkOptions, Unit, latency_ms, random_images,
    with_moments,
};
use brickwork_data::Split;
use serde_json::{Value, json};

use super::{readout_problem, refit_classes, size_words};
use crate::args::{Choose, DisassembleArgs, Global, HoldOut};
use crate::held::HeldOut;
use crate::inputs;
use crate::print::{Out, percent, row, table, thousands};
use crate::progress::Shown;
use frontier::{Form, Frontier, Point};

/// Where a walk without a size to reach ends: at this share.
const END: f64 = 0.05;

/// After so many steps in a row that lost too much, a walk ends.
const PATIENCE: usize = 2;

pub(crate) fn run(args: &DisassembleArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    let form = check_options(args)?;
    let mut model = inputs::load(&args.model, Some(&args.data.input))?;
    let sources = inputs::sources(&mut model, &args.data, Split::Train, out)?;
    let preprocess = inputs::preprocess(&model, &args.data.input)?;
    let model = inputs::described(&model, &preprocess)?;
    let classes = brickwork::parse_classes(&args.classes, &model.class_names())?;
    let trunk = args.budget.trunk.as_ref().map_or(Ok(0), |name| trunk(&model, name))?;
    let (rest, held) = HeldOut::split(sources, args.budget.hold_out, &preprocess, global.seed)?;
    let held = held.map(|held| held.of(&classes)).transpose()?;
    let wanted = refit_classes(args, &model, &classes, &rest, out);
    let images = random_images(&rest, &wanted, global.seed, &preprocess)?;
    let mut options = options(args, global.seed);
    options.rules.trunk = trunk;
    let shrink = Shrink::new(&model, &classes, Some(&images), options)?;
    let mut walk = Walk { args, held, out, shrink, points: Vec::new(), models: Vec::new() };
    walk.go()?;
    let chosen = walk.finish()?;
    let noted = |model: &Classifier| with_moments(model, &preprocess, &rest, global.seed);
    if let Some(path) = args.output.as_ref().filter(|_| !args.dry_run) {
        noted(&walk.models[chosen])?.save(path)?;
    }
    if let Some(folder) = &args.budget.keep_all {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        for (k, model) in walk.models.iter().enumerate() {
            noted(model)?.save(&folder.join(format!("step-{k}.onnx")))?;
        }
    }
    let frontier = Frontier { source: &model.name, points: &walk.points, chosen };
    if let Some((path, form)) = args.budget.frontier.as_ref().zip(form) {
        frontier.write(path, form)?;
    }
    let result = walk.describe(&model, chosen);
    out.result(&result, || walk.words(&model, chosen))
}

/// Everything that can be refused before any work, at once.
fn check_options(args: &DisassembleArgs) -> anyhow::Result<Option<Form>> {
    let mut problems: Vec<String> = Vec::new();
    if args.data.data.is_empty() {
        problems.push("a size is reached by looking at images: pass --data DATA".to_owned());
    }
    if args.choose != Choose::Contribution || args.masks_out.is_some() {
        problems.push(
            "--choose and --masks-out belong to --profile; a size is reached by --criterion"
                .to_owned(),
        );
    }
    let measures = args.budget.max_drop.is_some() || args.budget.frontier.is_some();
    if measures && args.budget.hold_out == HoldOut::None {
        problems.push(
            "--max-drop and --frontier need images to measure on; leave --hold-out none out"
                .to_owned(),
        );
    }
    problems.extend(readout_problem(args));
    let form = args.budget.frontier.as_deref().map(Form::of).transpose();
    let form = form.map_err(|error| problems.push(error.to_string())).ok().flatten();
    let files = args.output.iter().chain(&args.budget.frontier);
    let folder = args.budget.keep_all.iter().map(|path| inputs::check_folder(path));
    let checks = files.map(|path| inputs::check_writable(path)).chain(folder);
    problems.extend(checks.filter_map(Result::err).map(|error| error.to_string()));
    if problems.is_empty() { Ok(form) } else { bail!("{}", problems.join("\n  and: ")) }
}

/// How many weighted layers come before the end of the trunk.
fn trunk(model: &Classifier, last: &str) -> anyhow::Result<usize> {
    let names: Vec<String> =
        brickwork::layers(model.graph()).into_iter().map(|layer| layer.name).collect();
    let place = names.iter().position(|name| name == last);
    place.map(|place| place + 1).with_context(|| {
        let all = names.join(", ");
        format!("--trunk: `{}` has no weighted layer `{last}`; it has {all}", model.name)
    })
}

fn options(args: &DisassembleArgs, seed: u64) -> ShrinkOptions {
    let usual = ShrinkOptions::default();
    let refit = args.refit.options(args.readout, seed);
    ShrinkOptions {
        criterion: args.budget.criterion,
        rules: CompressOptions {
            unit: if args.budget.params.is_some() { Unit::Parameters } else { Unit::Macs },
            round_to: usize::from(args.round_to),
            refits: refit.is_some(),
            ..usual.rules
        },
        step: args.budget.step,
        refit: refit.unwrap_or(usual.refit),
        seed,
    }
}

/// The way down.
struct Walk<'a> {
    args: &'a DisassembleArgs,
    held: Option<HeldOut>,
    out: &'a Out,
    shrink: Shrink<'a>,
    points: Vec<Point>,
    models: Vec<Classifier>,
}

impl Walk<'_> {
    fn go(&mut self) -> anyhow::Result<()> {
        let budget = &self.args.budget;
        let given = budget.macs.or(budget.params);
        let whole = self.shrink.size();
        let unit = options(self.args, 0).rules.unit.name();
        let end = given.map(|given| given.of(whole, unit)).transpose()?;
        end.map_or(Ok(()), |end| self.shrink.check(end))?;
        let limit = end.unwrap_or((whole as f64 * END) as u64);
        self.measure()?;
        let left = |shrink: &Shrink<'_>| limit.saturating_sub(shrink.reserve());
        while self.shrink.size() > left(&self.shrink) && !self.has_enough() {
            let next = self.shrink.next_limit(left(&self.shrink));
            let stepped = self.shrink.step(next, &Shown::new(self.out));
            if end.is_none() && stepped.is_err() && self.points.len() > 1 {
                break;
            }
            stepped?;
            self.measure()?;
        }
        Ok(())
    }

    /// Refits to the end what is asked for, or all points if all are; gives the one that is asked for.
    fn finish(&mut self) -> anyhow::Result<usize> {
        let budget = &self.args.budget;
        if budget.keep_all.is_some() || budget.frontier.is_some() {
            for place in 0..self.points.len() {
                self.refine(place)?;
            }
            return self.chosen();
        }
        let mut chosen = self.chosen()?;
        self.refine(chosen)?;
        // What lost too much on the way may do once it is refitted to the end.
        while budget.max_drop.is_some() && chosen + 1 < self.points.len() {
            self.refine(chosen + 1)?;
            if !self.fits(&self.points[chosen + 1]) {
                break;
            }
            chosen += 1;
        }
        Ok(chosen)
    }

    /// Refits a component to the end, unless it then no longer fits where it did.
    fn refine(&mut self, place: usize) -> anyhow::Result<()> {
        let progress = Shown::new(self.out);
        let Some(model) = self.shrink.finished(&self.models[place], &progress)? else {
            return Ok(());
        };
        let before = &self.points[place];
        let after = match self.args.readout {
            true => self.point(&model)?,
            false => {
                let after = Point { accuracy: self.accuracy(&model)?, ..before.clone() };
                self.note(&after);
                after
            }
        };
        if self.fits(&after) || !self.fits(before) {
            self.points[place] = after;
            self.models[place] = model;
        }
        Ok(())
    }

    /// Records what there is now.
    fn measure(&mut self) -> anyhow::Result<()> {
        let model = self.shrink.component()?;
        let point = self.point(&model)?;
        self.points.push(point);
        self.models.push(model);
        Ok(())
    }

    fn point(&self, model: &Classifier) -> anyhow::Result<Point> {
        let point = Point {
            macs: model.graph().macs(),
            params: model.graph().parameters() as u64,
            accuracy: self.accuracy(model)?,
            latency_ms: self.args.budget.latency.map(|_| latency_ms(model)).transpose()?,
        };
        self.note(&point);
        Ok(point)
    }

    /// On images that were held out, if any were.
    fn accuracy(&self, model: &Classifier) -> anyhow::Result<Option<f64>> {
        Ok(self.held.as_ref().map(|held| held.accuracy(model, self.out)).transpose()?)
    }

    fn note(&self, point: &Point) {
        let share = 100.0 * self.share(point);
        let measured =
            point.accuracy.map_or(String::new(), |a| format!(", {} % right", percent(a)));
        self.out.note(&format!("{share:.1} % of the MACs{measured}"));
    }

    /// Of the multiply-accumulates of the whole task.
    fn share(&self, point: &Point) -> f64 {
        let whole = self.points.first().unwrap_or(point).macs;
        point.macs as f64 / whole.max(1) as f64
    }

    fn drop_of(&self, point: &Point) -> f64 {
        let whole = self.points.first().and_then(|first| first.accuracy);
        100.0 * (whole.unwrap_or(0.0) - point.accuracy.unwrap_or(0.0))
    }

    fn fits(&self, point: &Point) -> bool {
        let budget = &self.args.budget;
        let quick = |most: f64| point.latency_ms.is_some_and(|time| time <= most);
        budget.max_drop.is_none_or(|points| self.drop_of(point) <= points + 1e-9)
            && budget.latency.is_none_or(quick)
            && budget.pick.is_none_or(|share| self.share(point) <= share + 1e-9)
    }

    /// Whether going on cannot give what is asked for.
    fn has_enough(&self) -> bool {
        let budget = &self.args.budget;
        if budget.latency.is_some() {
            return self.points.iter().any(|point| self.fits(point));
        }
        let last = self.points.iter().rev().take(PATIENCE);
        budget.max_drop.is_some()
            && self.points.len() > PATIENCE
            && last.into_iter().all(|point| !self.fits(point))
    }

    /// The point that is asked for.
    fn chosen(&self) -> anyhow::Result<usize> {
        let budget = &self.args.budget;
        let mut fitting = (0..self.points.len()).filter(|&k| self.fits(&self.points[k]));
        // Sizes fall: the smallest is the last, the largest the first.
        let found = match budget.latency.is_some() || budget.pick.is_some() {
            true => fitting.next(),
            false => fitting.next_back(),
        };
        let Some(found) = found else {
            let last = self.points.last();
            let share = last.map_or(100.0, |point| 100.0 * self.share(point));
            let time = last.and_then(|point| point.latency_ms);
            let time = time.map_or(String::new(), |ms| format!(" and {ms:.2} ms"));
            bail!("no step fits; the smallest has {share:.1} % of the MACs{time}: ask for more");
        };
        Ok(found)
    }

    fn describe(&self, source: &Classifier, chosen: usize) -> Value {
        let component = &self.models[chosen];
        let origin = component.card().origin.as_ref();
        json!({
            "output": self.args.output.as_ref().filter(|_| !self.args.dry_run),
            "dry_run": self.args.dry_run,
            "source": source.name,
            "classes": component.class_names(),
            "criterion": self.args.budget.criterion.name(),
            "kept": origin.map(|origin| &origin.kept),
            "params": { "before": source.graph().parameters(), "after": component.graph().parameters() },
            "macs": { "before": source.graph().macs(), "after": component.graph().macs() },
            "cut_equals_mask": origin.map(|origin| origin.checked),
            "refit": origin.and_then(|origin| origin.refit.clone()),
            "held_out": self.held.as_ref().map(HeldOut::count),
            "frontier": self.points,
            "chosen": chosen,
        })
    }

    fn words(&self, source: &Classifier, chosen: usize) -> String {
        let mut rows = vec![row(["", "MACs", "%", "params", "accuracy, %"])];
        for (k, point) in self.points.iter().enumerate() {
            rows.push(vec![
                if k == chosen { "kept".to_owned() } else { String::new() },
                thousands(point.macs),
                format!("{:.1}", 100.0 * self.share(point)),
                thousands(point.params),
                point.accuracy.map_or("-".to_owned(), percent),
            ]);
        }
        let mut text = table(&rows);
        let component = &self.models[chosen];
        if let Some(held) = &self.held {
            let _ =
                writeln!(text, "\naccuracy on {} training images that were held out", held.count());
        }
        size_words(&mut text, source, component);
        let output = self.args.output.iter().filter(|_| !self.args.dry_run);
        for path in output.chain(&self.args.budget.frontier) {
            let _ = writeln!(text, "written     {}", path.display());
        }
        text
    }
}
