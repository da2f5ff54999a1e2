//! `brickwork bench`

use brickwork::NodeTime;
use brickwork::verbs::{BatchTimes, Bench, BenchAnswer};

use crate::command::Shown;
use crate::print::{row, table};

impl Shown for Bench {
    const PLACES: &'static [&'static str] = &["model"];
    const REQUIRED: &'static [&'static str] = &["model"];
    const EXAMPLES: &'static str = "Examples:
  brickwork bench resnet50.onnx --batch 1,8 --threads 1
  brickwork bench resnet50.onnx --layers";

    fn text(&self, answer: &BenchAnswer) -> String {
        match answer {
            BenchAnswer::Nodes { nodes, .. } => nodes_table(nodes),
            BenchAnswer::Runs { model, threads, runs } => format!(
                "{}\n`{model}` on {threads} threads, median of {} runs",
                runs_table(runs),
                self.runs
            ),
        }
    }
}

fn runs_table(runs: &[BatchTimes]) -> String {
    let heads = ["batch", "forward, ms", "images/s", "profiling, ms", "ratio", "training, ms"];
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
    let mut rows = vec![row(heads)];
    for times in runs {
        rows.push(vec![
            times.batch.to_string(),
            number(Some(times.forward_ms)),
            format!("{:.1}", times.batch as f64 / times.forward_ms * 1e3),
            number(times.profile_ms),
            number(times.profile_ratio),
            number(times.step_ms),
        ]);
    }
    table(&rows)
}

fn nodes_table(nodes: &[NodeTime]) -> String {
    let total: f64 = nodes.iter().map(|node| node.ms).sum();
    let mut rows = vec![row(["node", "ms", "share, %"])];
    for NodeTime { name, ms } in nodes {
        rows.push(vec![name.clone(), format!("{ms:.3}"), format!("{:.1}", ms / total * 100.0)]);
    }
    table(&rows)
}
