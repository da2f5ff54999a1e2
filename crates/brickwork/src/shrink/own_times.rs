//! How long the layers of a model take here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use brickwork_exec::Session;
use brickwork_graph::Graph;

use crate::cut::plan::{Choice, Plan};
use crate::measure::latency::latency_ms;
use crate::model::card::Criterion;
use crate::model::classifier::Classifier;
use crate::model::error::Error;
use crate::model::latency_table::{LatencyTable, WidthTime};
use crate::model::layers::layers;
use crate::model::progress::Progress;
use crate::model::random::uniform;
use crate::shrink::criterion::Ground;
use crate::shrink::ranking::{CompressOptions, Ranking, Widths};

/// Shares of the channels of all layers at which they are timed.
const SHARES: [f64; 4] = [1.0, 0.75, 0.5, 0.25];

/// Channels that kernels take at once.
const BLOCK: usize = 8;

/// Runs of which the shortest counts.
const RUNS: usize = 10;

/// The times of all layers of a model for one image, whole and cut to some widths, on the threads that there are.
///
/// # Errors
/// If a network cannot be cut or run, or the progress stops it.
pub(crate) fn own_times(
    model: &Classifier,
    seed: u64,
    progress: &dyn Progress,
) -> Result<LatencyTable, Error> {
    let ground = Ground::new(model, None, None, seed)?;
    let widths = Widths { multiple: BLOCK, from: 0 };
    let rules = CompressOptions { floor: 0.0, uniform: true, widths, ..CompressOptions::default() };
    let ranking = Ranking::new(&ground, Criterion::Random, &rules)?;
    let classes: Vec<usize> = (0..model.class_count()).collect();
    let mut table = LatencyTable {
        runtime: format!("Brickwork {}", env!("CARGO_PKG_VERSION")),
        threads: rayon::current_num_threads(),
        batch: 1,
        block: BLOCK,
        model_ms: latency_ms(model)?,
        layers: BTreeMap::new(),
    };
    progress.begin("timing layers", SHARES.len() as u64);
    for share in SHARES {
        let keep = ranking.keep((ranking.len() as f64 * share) as usize);
        let choice = Choice::Given(ranking.kept(&keep));
        let (graph, _) = Plan::new(model, &classes, &choice, 1)?.cut(model, seed)?;
        add(&mut table, &Arc::new(graph), model.input())?;
        progress.advance(1)?;
    }
    Ok(table)
}

/// Adds the times of the layers of a graph that reads images `[c, h, w]`.
fn add(table: &mut LatencyTable, graph: &Arc<Graph>, [c, h, w]: [usize; 3]) -> Result<(), Error> {
    let image = uniform([1, c, h, w], -1.0, 1.0, 0);
    let mut session = Session::new(graph.clone(), graph.outputs()).for_batches_of(1);
    let mut best: BTreeMap<String, f64> = BTreeMap::new();
    let start = Instant::now();
    for _ in 0..RUNS {
        for (name, seconds) in session.timings(1, image.data(), || start.elapsed().as_secs_f64())? {
            let least = best.entry(name).or_insert(f64::INFINITY);
            *least = least.min(seconds * 1e3);
        }
    }
    for layer in layers(graph) {
        let Some(&ms) = best.get(&layer.name) else { continue };
        let (inputs, outputs) = (layer.weighted.inputs, layer.weighted.outputs);
        table.layers.entry(layer.name).or_default().push(WidthTime { inputs, outputs, ms });
    }
    Ok(())
}
