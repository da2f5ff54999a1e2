//! The end of an assembled model: the parts' logits side by side, scaled and shifted, and joined where parts
//! share classes.

use brickwork_graph::{Attr, Builder, Graph, Literal};
use brickwork_tensor::Nd;

use super::assembly::Assembly;
use crate::model::card::OnDuplicate;
use crate::model::rebuild::operation;

/// Names of the constants that calibration sets: `[1, logits]` each.
pub(crate) const SCALE: &str = "calibration.scale";
/// See [`SCALE`].
pub(crate) const SHIFT: &str = "calibration.shift";
/// The value between the two.
pub(crate) const SCALED: &str = "scaled";

/// How much each of the calibrated logits behind one score counts.
type Weighing<'a> = &'a dyn Fn(&[usize]) -> Vec<(usize, f32)>;

/// The logits as `[n, k]`.
pub(super) fn flat(builder: &mut Builder, graph: &Graph, logits: String) -> String {
    if graph.value(graph.logits()).shape.rank() == 2 {
        return logits;
    }
    let name = format!("{logits}.flat");
    operation(builder, "Flatten", &[&logits], &name, &[]);
    name
}

/// Concatenates the parts' logits, scales and shifts them, and joins shared classes.
pub(super) fn head(builder: &mut Builder, assembly: &Assembly<'_>, logits: &[String]) {
    let count: usize = assembly.scores.iter().map(Vec::len).sum();
    let parts: Vec<&str> = logits.iter().map(String::as_str).collect();
    let raw = if let [only] = parts[..] {
        only
    } else {
        operation(builder, "Concat", &parts, "parts", &[("axis", Attr::Int(1))]);
        "parts"
    };
    let joins = assembly.names.len() < count;
    let last = if joins { "calibrated" } else { "logits" };
    builder.constant(SCALE, Literal::Floats(Nd::filled([1, count], 1.0)));
    builder.constant(SHIFT, Literal::Floats(Nd::filled([1, count], 0.0)));
    operation(builder, "Mul", &[raw, SCALE], SCALED, &[]);
    operation(builder, "Add", &[SCALED, SHIFT], last, &[]);
    if joins {
        join_duplicates(builder, assembly, count);
    }
}

/// Scores from calibrated logits where parts share classes: by constant matrices, and for the
/// maximum by `max(a, b) = a + relu(b - a)`.
fn join_duplicates(builder: &mut Builder, assembly: &Assembly<'_>, count: usize) {
    let sources: Vec<Vec<usize>> = (0..assembly.names.len())
        .map(|score| {
            let flat = assembly.scores.iter().flatten().enumerate();
            flat.filter(|(_, s)| **s == score).map(|(raw, _)| raw).collect()
        })
        .collect();
    let rounds = sources.iter().map(Vec::len).max().unwrap_or(1);
    let matrix = |weight: Weighing<'_>| {
        let mut data = vec![0.0; count * assembly.names.len()];
        for (score, sources) in sources.iter().enumerate() {
            for (raw, w) in weight(sources) {
                data[raw * assembly.names.len() + score] = w;
            }
        }
        Literal::Floats(Nd::new([count, assembly.names.len()], data))
    };
    if assembly.on_duplicate == OnDuplicate::Mean {
        let mean = |sources: &[usize]| {
            sources.iter().map(|&raw| (raw, 1.0 / sources.len() as f32)).collect()
        };
        builder.constant("joined.mean", matrix(&mean));
        return operation(builder, "MatMul", &["calibrated", "joined.mean"], "logits", &[]);
    }
    let pick = |round: usize| {
        move |sources: &[usize]| vec![(sources[round.min(sources.len() - 1)], 1.0f32)]
    };
    builder.constant("joined.0", matrix(&pick(0)));
    let mut best = "best.0".to_owned();
    operation(builder, "MatMul", &["calibrated", "joined.0"], &best, &[]);
    for round in 1..rounds {
        let [matrix_name, other, gain, rise] =
            ["joined", "other", "gain", "rise"].map(|stem| format!("{stem}.{round}"));
        let next = if round + 1 == rounds { "logits".to_owned() } else { format!("best.{round}") };
        builder.constant(&matrix_name, matrix(&pick(round)));
        operation(builder, "MatMul", &["calibrated", &matrix_name], &other, &[]);
        operation(builder, "Sub", &[&other, &best], &gain, &[]);
        operation(builder, "Relu", &[&gain], &rise, &[]);
        operation(builder, "Add", &[&best, &rise], &next, &[]);
        best = next;
    }
}
