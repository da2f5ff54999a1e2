//! `brickwork gcn`

use std::fmt::Write;

use brickwork::{
    Gcn, GcnCut, GcnCutOptions, GcnOptions, GcnTraining, Nodes, Report, Thresholds,
    disassemble_gcn, eval_gcn, train_gcn,
};
use serde_json::{Value, json};

use crate::args::{GcnArgs, GcnCommand, GcnCutArgs, GcnEvalArgs, GcnTrainArgs, Global, NodeSplit};
use crate::cmd::eval::leakage_words;
use crate::inputs;
use crate::print::{Out, percent, row, shrunk, table, thousands};
use crate::progress::Shown;

pub(crate) fn run(args: &GcnArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    match &args.command {
        GcnCommand::Train(args) => train(args, global, out),
        GcnCommand::Disassemble(args) => disassemble(args, global, out),
        GcnCommand::Eval(args) => eval(args, out),
    }
}

fn train(args: &GcnTrainArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    inputs::check_writable(&args.output)?;
    let nodes = Nodes::open(&args.data.data)?;
    let seed = global.seed;
    let options = GcnOptions { hidden: args.hidden, dropout: args.dropout, seed };
    let training =
        GcnTraining { epochs: args.epochs as usize, rate: args.lr, decay: args.weight_decay, seed };
    let model = Gcn::build(&nodes, &options)?;
    let outcome = train_gcn(&model, &nodes, &training, &Shown::new(out))?;
    outcome.model.save(&args.output)?;
    let best = &outcome.log[outcome.best - 1];
    let result = json!({
        "output": args.output,
        "nodes": nodes.len(),
        "features": nodes.features(),
        "classes": nodes.classes,
        "edges": nodes.edges.len(),
        "params": outcome.model.graph().parameters(),
        "best_epoch": outcome.best,
        "held_out": best.held,
        "epochs": outcome.log,
    });
    out.result(&result, || {
        let held = best.held.map_or_else(String::new, |held| percent(held.accuracy));
        format!(
            "{} nodes with {} features, {} classes, {} parameters\nbest epoch {} of {}, {held} % on the \
             validation nodes\nwritten {}",
            thousands(nodes.len() as u64),
            thousands(nodes.features() as u64),
            nodes.classes.len(),
            thousands(outcome.model.graph().parameters() as u64),
            outcome.best,
            args.epochs,
            args.output.display()
        )
    })
}

fn disassemble(args: &GcnCutArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    inputs::check_writable(&args.output)?;
    let (model, nodes) = (Gcn::load(&args.model)?, Nodes::open(&args.data.data)?);
    let defaults = GcnCutOptions::default();
    let options = GcnCutOptions {
        classes: brickwork::parse_classes(&args.classes, &model.class_names())?,
        samples: args.samples as usize,
        thresholds: Thresholds {
            alpha_linear: args.alpha,
            beta_linear: args.beta,
            ..defaults.thresholds
        },
        refit: defaults.refit.filter(|_| args.refit),
        seed: global.seed,
    };
    let cut = disassemble_gcn(&model, &nodes, &options)?;
    cut.part.save(&args.output)?;
    let GcnCut { part, features, kept, checked } = &cut;
    let params = [model.graph().parameters(), part.graph().parameters()].map(|count| count as u64);
    let macs = [model.graph().macs(), part.graph().macs()];
    let result = json!({
        "output": args.output,
        "source": model.name,
        "classes": part.class_names(),
        "features": { "before": model.input()[1], "after": features.len() },
        "kept": kept,
        "params": { "before": params[0], "after": params[1] },
        "macs": { "before": macs[0], "after": macs[1] },
        "cut_equals_mask": checked,
        "refit": options.refit.is_some(),
    });
    out.result(&result, || {
        let mut text = format!("classes     {}\n", part.class_names().join(", "));
        let read = shrunk(model.input()[1] as u64, features.len() as u64);
        let _ = writeln!(text, "features    {read}");
        let _ = writeln!(text, "parameters  {}", shrunk(params[0], params[1]));
        let _ = writeln!(text, "MACs        {}", shrunk(macs[0], macs[1]));
        let _ = writeln!(
            text,
            "check       cut equals masked source, largest difference {checked:.1e}"
        );
        text + &format!("written     {}", args.output.display())
    })
}

fn eval(args: &GcnEvalArgs, out: &Out) -> anyhow::Result<()> {
    let (model, nodes) = (Gcn::load(&args.model)?, Nodes::open(&args.data.data)?);
    let source = args.source.as_deref().map(Gcn::load).transpose()?;
    let classes = inputs::classes(args.classes.as_deref(), &model.class_names())?;
    let at = match args.split {
        NodeSplit::Val => &nodes.held,
        NodeSplit::Test => &nodes.test,
    };
    let report = eval_gcn(&model, &nodes, at, &classes, source.as_ref())?;
    let result = json!({
        "nodes": report.images,
        "accuracy": report.accuracy_per_image,
        "accuracy_per_class": report.accuracy_per_class,
        "mean_class_accuracy": report.mean_class_accuracy,
        "base": report.base,
        "base_restricted": report.base_restricted,
        "leakage": report.leakage,
        "base_leakage": report.base_leakage,
        "params": model.graph().parameters(),
        "macs": model.graph().macs(),
    });
    out.result(&result, || words(args, &report, &result))
}

fn words(args: &GcnEvalArgs, report: &Report, result: &Value) -> String {
    let whose = if args.source.is_some() { "source" } else { "this model" };
    let mut rows = vec![row(["accuracy, %", "per node", "per class"])];
    let mut line = |name: String, node: f64, class: f64| {
        rows.push(vec![name, percent(node), percent(class)]);
    };
    if let Some(base) = &report.base {
        line(format!("{whose}, all its classes"), base.per_image, base.per_class);
    }
    let part = args.source.is_some() || args.classes.is_some();
    if let Some(base) = report.base_restricted.as_ref().filter(|_| part) {
        let name = format!("{whose}, restricted to these classes");
        line(name, base.per_image, base.per_class);
    }
    if args.source.is_some() {
        line("this model".to_owned(), report.accuracy_per_image, report.mean_class_accuracy);
    }
    let mut text = table(&rows);
    if report.accuracy_per_class.len() == 1 {
        text.push_str("A single class is always right about its own nodes; look at the leakage.\n");
    }
    let mut rows = vec![row(["class", "accuracy, %"])];
    rows.extend(report.accuracy_per_class.iter().map(|(name, x)| vec![name.clone(), percent(*x)]));
    let _ = write!(text, "\n{}", table(&rows));
    leakage_words(report, &mut text);
    let number = |key: &str| thousands(result[key].as_u64().unwrap_or(0));
    let [nodes, params, macs] = ["nodes", "params", "macs"].map(number);
    let _ = write!(text, "\n{nodes} nodes, {params} parameters, {macs} MACs");
    text
}
