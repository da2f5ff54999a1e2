//! How the weighted layers of a network read each other.

use brickwork_graph::{Graph, NodeId};

use crate::model::layers::layers;

/// A weighted layer, or a node at which what several of them make comes together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Its node's name.
    pub name: String,
    /// What its node does.
    pub op: String,
    /// Whether it is a layer.
    pub is_layer: bool,
    /// The stages that it reads, by their places among all, rising. What reads the network's input alone reads none.
    pub reads: Vec<usize>,
}

/// The stages of a network, in running order. Nodes that read one stage alone belong to it.
pub fn stages(graph: &Graph) -> Vec<Stage> {
    let layers: Vec<NodeId> = layers(graph).into_iter().map(|layer| layer.node).collect();
    let mut found: Vec<Stage> = Vec::new();
    // For every value, the stage that it comes from.
    let mut from: Vec<Option<usize>> = vec![None; graph.value_ids().count()];
    for id in graph.node_ids() {
        let node = graph.node(id);
        let mut reads: Vec<usize> =
            node.inputs.iter().flatten().filter_map(|input| from[input.index()]).collect();
        reads.sort_unstable();
        reads.dedup();
        let is_layer = layers.contains(&id);
        let stage = match reads[..] {
            [] if !is_layer => None,
            [only] if !is_layer => Some(only),
            _ => {
                let (name, op) = (node.name.clone(), node.op.kind().to_owned());
                found.push(Stage { name, op, is_layer, reads });
                Some(found.len() - 1)
            }
        };
        node.outputs.iter().for_each(|output| from[output.index()] = stage);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architectures::Architecture;

    #[test]
    fn a_residual_sum_is_a_stage_that_reads_what_it_adds() {
        let resnet = Architecture::named("resnet20").unwrap();
        let graph = resnet.build(&resnet.usual(10)).unwrap();
        let found = stages(&graph);
        let sums: Vec<&Stage> = found.iter().filter(|stage| !stage.is_layer).collect();
        assert_eq!(sums.len(), 9, "one for every block");
        assert!(sums.iter().all(|sum| sum.op == "Add" && sum.reads.len() == 2));
        assert_eq!(found[0].reads, [0_usize; 0]);
        assert_eq!(found.iter().filter(|stage| stage.is_layer).count(), layers(&graph).len());
        for (place, stage) in found.iter().enumerate().skip(1) {
            assert!(stage.reads.iter().all(|&read| read < place), "{stage:?}");
            assert!(!stage.reads.is_empty(), "{stage:?}");
        }
    }
}
