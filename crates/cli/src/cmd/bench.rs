//! `brickwork bench`

use std::time::Instant;

use brickwork::{Classifier, Sampling, profiling_pass, uniform};
use brickwork_exec::{Optimiser, OptimiserKind, Session, Training, cross_entropy};
use serde_json::json;

use crate::args::BenchArgs;
use crate::inputs;
use crate::print::{Out, row, table};

pub(crate) fn run(args: &BenchArgs, out: &Out) -> anyhow::Result<()> {
    let model = inputs::load(&args.model, None)?;
    if args.layers {
        return layers(&model, args.batch[0], out);
    }
    let mut results = Vec::new();
    for &batch in &args.batch {
        let forward = forward_ms(&model, batch, args.runs)?;
        let profile = args.profile.then(|| profile_ms(&model, batch, args.runs)).transpose()?;
        let step = args.training.then(|| step_ms(&model, batch, args.runs)).transpose()?;
        results.push((batch, forward, profile, step));
    }
    let threads = rayon::current_num_threads();
    let result = json!({
        "model": model.name,
        "threads": threads,
        "runs": results.iter().map(|(batch, forward, profile, step)| json!({
            "batch": batch,
            "forward_ms": forward,
            "profile_ms": profile,
            "profile_ratio": profile.map(|p| p / forward),
            "step_ms": step,
        })).collect::<Vec<_>>(),
    });
    out.result(&result, || {
        let heads = ["batch", "forward, ms", "images/s", "profiling, ms", "ratio", "training, ms"];
        let mut rows = vec![row(heads)];
        for (batch, forward, profile, step) in &results {
            rows.push(vec![
                batch.to_string(),
                format!("{forward:.2}"),
                format!("{:.1}", *batch as f64 / forward * 1e3),
                profile.map_or("-".to_owned(), |p| format!("{p:.2}")),
                profile.map_or("-".to_owned(), |p| format!("{:.2}", p / forward)),
                step.map_or("-".to_owned(), |s| format!("{s:.2}")),
            ]);
        }
        format!(
            "{}\n`{}` on {threads} threads, median of {} runs",
            table(&rows),
            model.name,
            args.runs
        )
    })
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn forward_ms(model: &Classifier, batch: usize, runs: u32) -> anyhow::Result<f64> {
    let [c, h, w] = model.input();
    let images = uniform([batch, c, h, w], -1.0, 1.0, 0);
    let mut session =
        Session::new(model.graph().clone(), model.graph().outputs()).for_batches_of(batch);
    let mut times = Vec::new();
    for run in 0..runs + 2 {
        let start = Instant::now();
        session.run(batch, &[images.data()], |_, _| {})?;
        if run >= 2 {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(median(times))
}

fn profile_ms(model: &Classifier, batch: usize, runs: u32) -> anyhow::Result<f64> {
    let [c, h, w] = model.input();
    let images = uniform([batch, c, h, w], -1.0, 1.0, 0);
    let labels: Vec<usize> = vec![0; batch];
    let mut pass = profiling_pass(model, &labels, Sampling::All);
    let mut times = Vec::new();
    for run in 0..runs + 2 {
        let start = Instant::now();
        pass.run(&images)?;
        if run >= 2 {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(median(times))
}

/// A step of training: forward, cross-entropy, backward, SGD with momentum and weight decay.
fn step_ms(model: &Classifier, batch: usize, runs: u32) -> anyhow::Result<f64> {
    let [c, h, w] = model.input();
    let images = uniform([batch, c, h, w], -1.0, 1.0, 0);
    let labels: Vec<usize> = (0..batch).map(|k| k % model.class_count()).collect();
    let mut training = Training::new(model.graph().clone(), &[model.graph().logits()], |_| true);
    let lengths: Vec<usize> = training.parameters().iter().map(|p| p.data.len()).collect();
    let kind = OptimiserKind::Sgd { momentum: 0.9, nesterov: false, decay: 5e-4 };
    let mut optimiser = Optimiser::new(kind, &lengths)?;
    let mut times = Vec::new();
    for run in 0..runs + 2 {
        let start = Instant::now();
        training.step(
            batch,
            &[images.data()],
            u64::from(run),
            |targets| {
                let logits = &mut targets[0];
                cross_entropy(logits.data, &labels, 0.0, logits.gradient).is_ok()
            },
            |learned| {
                optimiser.begin_step();
                for p in learned {
                    optimiser.update(p.index, p.data, p.gradient, 0.01, true, None);
                }
            },
        )?;
        if run >= 2 {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(median(times))
}

fn layers(model: &Classifier, batch: usize, out: &Out) -> anyhow::Result<()> {
    let [c, h, w] = model.input();
    let images = uniform([batch, c, h, w], -1.0, 1.0, 0);
    let mut session =
        Session::new(model.graph().clone(), model.graph().outputs()).for_batches_of(batch);
    let start = Instant::now();
    let times = session.timings(batch, images.data(), || start.elapsed().as_secs_f64())?;
    let total: f64 = times.iter().map(|(_, seconds)| seconds).sum();
    let result = json!({
        "batch": batch,
        "nodes": times.iter().map(|(name, s)| json!({ "name": name, "ms": s * 1e3 })).collect::<Vec<_>>(),
    });
    out.result(&result, || {
        let mut rows = vec![row(["node", "ms", "share, %"])];
        for (name, seconds) in &times {
            let share = seconds / total * 100.0;
            rows.push(vec![name.clone(), format!("{:.3}", seconds * 1e3), format!("{share:.1}")]);
        }
        table(&rows)
    })
}
