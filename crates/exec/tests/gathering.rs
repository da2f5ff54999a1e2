//! Elements taken at places of several axes, of samples that lie along a later one.

mod common;

use std::sync::Arc;

use brickwork_exec::Session;
use common::{BATCH, Net, feed, ints, value};

#[test]
fn places_of_several_axes_are_those_of_every_sample() {
    let places = [[2, 4], [0, 1], [1, 1]];
    let net = Net::new(4, 3, 5)
        .node("Transpose", &["v"], &["t"], &[("perm", ints(&[2, 3, 0, 1]))])
        .ints("list", places.as_flattened())
        .ints("shape", &[3, 2])
        .then("Reshape", &["list", "shape"], "indices")
        .then("GatherND", &["t", "indices"], "g")
        .node("Transpose", &["g"], &["y"], &[("perm", ints(&[1, 2, 0]))]);
    let graph = Arc::new(net.graph_of(&["v", "y"]));
    let fetches = [value(&graph, "v"), value(&graph, "y")];
    let found = Session::new(graph.clone(), &fetches).outputs(BATCH, &feed(&graph)).expect("runs");
    assert_eq!(found[1].shape(), [BATCH, 4, 3]);
    for (at, taken) in found[1].data().iter().enumerate() {
        let [row, column] = places[at % 3].map(|place| place as usize);
        assert_eq!(*taken, found[0].data()[at / 3 * 15 + row * 5 + column]);
    }
}
