//! `brickwork disassemble`

mod smaller;

use std::fmt::Write;

use anyhow::{Context, bail};
use brickwork::{
    Choice, Classifier, Control, Cut, KeptMap, Plan, Profile, batch_size, load_profile, refit,
    save_masks, with_moments,
};
use brickwork_data::{Preprocess, Split};
use brickwork_tensor::Tensor;
use serde_json::{Value, json};

use crate::args::{Choose, DisassembleArgs, Global, Refit};
use crate::inputs;
use crate::print::{Out, shrunk};
use crate::progress::Shown;

pub(crate) fn run(args: &DisassembleArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    if args.profile.is_none() && args.keep.is_none() {
        return smaller::run(args, global, out);
    }
    check_options(args)?;
    let mut model = inputs::load(&args.model, Some(&args.data.input))?;
    let profile = args.profile.as_deref().map(load_profile).transpose()?;
    if let Some(profile) = &profile {
        profile.check_model(&model)?;
        model = model.with_classes(profile.header.classes.clone())?;
    }
    let images = Images::prepare(args, global, &mut model, profile.as_ref(), out)?;
    let classes = brickwork::parse_classes(&args.classes, &model.class_names())?;
    let choice = match (&profile, &args.keep) {
        (Some(profile), _) => Choice::Profile(profile, args.link.rule, args.link.thresholds()),
        (None, Some(path)) => Choice::Given(read_keep(path)?),
        (None, None) => bail!("pass --profile or --keep"),
    };
    let own = Plan::new(&model, &classes, &choice, usize::from(args.round_to))?;
    let control = match args.choose {
        Choose::Contribution => None,
        Choose::Random => Some(Control::Random(global.seed)),
        Choose::Magnitude => Some(Control::Magnitude),
    };
    let other =
        control.map(|control| Plan::new(&model, &classes, &Choice::Control(&own, control), 1));
    let other = other.transpose()?;
    let plan = other.as_ref().unwrap_or(&own);
    let (mut graph, checked) = plan.cut(&model, global.seed)?;
    let mut card = plan.card(&model, &choice, checked);
    let images = images.filter(|_| !args.dry_run);
    if let Some((images, options)) =
        images.as_ref().zip(args.refit.options(args.readout, global.seed))
    {
        let batch = images.choose(&classes, &model, args, out)?;
        let (source, size) = (model.graph(), batch_size(&model));
        let progress = Shown::new(out);
        let cut = Cut { source, graph: &graph, kept: &plan.kept, classes: &plan.classes };
        let (better, note) = refit(&cut, &batch, size, &options, &progress)?;
        graph = better;
        card.preprocess = Some(images.preprocess.clone());
        if let Some(origin) = &mut card.origin {
            origin.refit = Some(note);
        }
    }
    let mut component = Classifier::described("component", graph, card)?;
    if let Some(images) = &images {
        component = with_moments(&component, &images.preprocess, &images.sources, images.seed)?;
    }
    if let Some(path) = &args.masks_out {
        save_masks(&own.masks, &component.class_names(), path)?;
    }
    if let Some(path) = args.output.as_ref().filter(|_| !args.dry_run) {
        component.save(path)?;
    }
    let result = describe(args, &model, &component, plan, checked);
    out.result(&result, || words(args, &model, &component, plan, &result))
}

/// Everything that can be refused before any work.
fn check_options(args: &DisassembleArgs) -> anyhow::Result<()> {
    if args.refit != Refit::None && args.data.data.is_empty() && !args.dry_run {
        bail!(
            "the refit, which is on by default, needs images: pass --data DATA (its training split is \
             used), or --refit none for the bare cut"
        );
    }
    if args.choose != Choose::Contribution && args.profile.is_none() {
        bail!("--choose needs --profile, which gives the numbers of channels");
    }
    if args.masks_out.is_some() && args.profile.is_none() {
        bail!("--masks-out needs --profile, from which the masks are made");
    }
    if let Some(problem) = readout_problem(args) {
        bail!("{problem}");
    }
    args.output.iter().chain(&args.masks_out).try_for_each(|path| inputs::check_writable(path))
}

/// A readout is fitted with the rest.
fn readout_problem(args: &DisassembleArgs) -> Option<String> {
    (args.readout && args.refit == Refit::None)
        .then(|| "--readout is part of a refit; leave --refit none out".to_owned())
}

fn read_keep(path: &std::path::Path) -> anyhow::Result<KeptMap> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let value: Value = serde_json::from_str(&text)
        .with_context(|| format!("{}: not JSON; expected {KEEP_FORM}", path.display()))?;
    // The whole output of --json will do as well.
    let kept = value.get("kept").unwrap_or(&value).clone();
    serde_json::from_value(kept)
        .with_context(|| format!("{}: expected {KEEP_FORM}", path.display()))
}

const KEEP_FORM: &str = r#"{"LAYER": {"input": [...], "output": [...]}, ...}, as --json prints"#;

/// Where images for the refit and the moments come from.
struct Images {
    sources: Vec<brickwork::Source>,
    preprocess: Preprocess,
    seed: u64,
}

impl Images {
    fn prepare(
        args: &DisassembleArgs,
        global: &Global,
        model: &mut Classifier,
        profile: Option<&Profile>,
        out: &Out,
    ) -> anyhow::Result<Option<Self>> {
        if args.data.data.is_empty() {
            return Ok(None);
        }
        let sources = inputs::sources(model, &args.data, Split::Train, out)?;
        let preprocess = match profile {
            Some(profile) => profile.header.preprocess.clone(),
            None => inputs::preprocess(model, &args.data.input)?,
        };
        Ok(Some(Self { sources, preprocess, seed: global.seed }))
    }

    fn choose(
        &self,
        classes: &[usize],
        model: &Classifier,
        args: &DisassembleArgs,
        out: &Out,
    ) -> anyhow::Result<Tensor> {
        let wanted = refit_classes(args, model, classes, &self.sources, out);
        Ok(brickwork::random_images(&self.sources, &wanted, self.seed, &self.preprocess)?)
    }
}

/// How many images of which classes a component for `classes` is refitted on: its own, and as far as
/// there are any, others of the model.
fn refit_classes(
    args: &DisassembleArgs,
    model: &Classifier,
    classes: &[usize],
    sources: &[brickwork::Source],
    out: &Out,
) -> Vec<(usize, usize)> {
    let seen = |class: &usize| sources.iter().any(|s| !s.samples_of(&[*class]).is_empty());
    let others = (0..model.class_count()).filter(|class| !classes.contains(class) && seen(class));
    let asked = |count: u32| count as usize;
    let own = classes.iter().map(|&class| (class, asked(args.refit_samples)));
    let foreign = others.map(|class| (class, asked(args.refit_foreign)));
    inputs::within_memory(model, own.chain(foreign).filter(|(_, n)| *n > 0).collect(), out)
}

fn describe(
    args: &DisassembleArgs,
    model: &Classifier,
    component: &Classifier,
    plan: &Plan,
    checked: f32,
) -> Value {
    let origin = component.card().origin.as_ref();
    json!({
        "output": args.output.as_ref().filter(|_| !args.dry_run),
        "dry_run": args.dry_run,
        "source": model.name,
        "classes": component.class_names(),
        "kept": plan.kept,
        "added": plan.added,
        "params": { "before": model.graph().parameters(), "after": component.graph().parameters() },
        "macs": { "before": model.graph().macs(), "after": component.graph().macs() },
        "cut_equals_mask": checked,
        "refit": origin.and_then(|origin| origin.refit.clone()),
    })
}

/// What a component is for, and how small it became.
fn size_words(text: &mut String, model: &Classifier, component: &Classifier) {
    let _ = writeln!(text, "classes     {}", component.class_names().join(", "));
    let sizes = [model.graph().parameters() as u64, component.graph().parameters() as u64];
    let _ = writeln!(text, "parameters  {}", shrunk(sizes[0], sizes[1]));
    let _ =
        writeln!(text, "MACs        {}", shrunk(model.graph().macs(), component.graph().macs()));
}

fn words(
    args: &DisassembleArgs,
    model: &Classifier,
    component: &Classifier,
    plan: &Plan,
    result: &Value,
) -> String {
    let mut text = String::new();
    size_words(&mut text, model, component);
    let checked = result["cut_equals_mask"].as_f64().unwrap_or(f64::NAN);
    let _ =
        writeln!(text, "check       cut equals masked source, largest difference {checked:.1e}");
    let refit = component.card().origin.as_ref().and_then(|origin| origin.refit.as_ref());
    let _ = match refit {
        Some(note) => writeln!(text, "refit       least squares on {} images", note.images),
        None if args.dry_run => writeln!(text, "refit       not in a dry run"),
        None => writeln!(text, "refit       none: this is the bare cut"),
    };
    if !plan.added.is_empty() {
        let count: usize = plan.added.values().map(|k| k.input.len() + k.output.len()).sum();
        let layers: Vec<&str> = plan.added.keys().take(8).map(String::as_str).collect();
        let _ = writeln!(
            text,
            "added       {count} channels that belong to others, at {}",
            layers.join(", ")
        );
    }
    if let Some(path) = args.output.as_ref().filter(|_| !args.dry_run) {
        let _ = writeln!(text, "written     {}", path.display());
    }
    text
}
