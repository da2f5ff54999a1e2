//! Which nodes run inside another node's kernel. The graph stays as it is.

use brickwork_graph::{Epilogue, Fusion, Graph, Node, NodeId, ValueId};
use brickwork_tensor::kernels::pointwise::Pointwise;

/// A node together with the readers it takes over.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The node.
    pub host: NodeId,
    /// What follows it.
    pub epilogue: Epilogue,
    /// The value added by the epilogue.
    pub residual: Option<ValueId>,
    /// What the chain computes in place of the host's output 0.
    pub output: ValueId,
}

/// Every node of a graph with what can follow it in its kernel, in running order. A node that
/// follows another is not listed itself.
pub fn chains(graph: &Graph) -> Vec<Chain> {
    let needed = vec![true; graph.nodes().len()];
    Fuser::new(graph, &needed, graph.inputs(), graph.outputs()).chains(&needed, true)
}

/// The needed nodes as chains, in running order.
pub(crate) struct Fuser<'a> {
    graph: &'a Graph,
    readers: Vec<Vec<NodeId>>,
    fetched: Vec<bool>,
    /// Values that exist before the chain at hand runs.
    made: Vec<bool>,
    swallowed: Vec<bool>,
}

impl<'a> Fuser<'a> {
    pub(crate) fn new(
        graph: &'a Graph,
        needed: &[bool],
        feeds: &[ValueId],
        fetches: &[ValueId],
    ) -> Self {
        let mut readers = vec![Vec::new(); graph.values().len()];
        for id in graph.node_ids().filter(|id| needed[id.index()]) {
            for input in graph.node(id).inputs.iter().flatten() {
                readers[input.index()].push(id);
            }
        }
        let mut fetched = vec![false; graph.values().len()];
        fetches.iter().for_each(|value| fetched[value.index()] = true);
        let mut made: Vec<bool> =
            graph.values().iter().map(|value| value.constant.is_some()).collect();
        feeds.iter().for_each(|value| made[value.index()] = true);
        let swallowed = vec![false; graph.nodes().len()];
        Self { graph, readers, fetched, made, swallowed }
    }

    pub(crate) fn chains(mut self, needed: &[bool], fuse: bool) -> Vec<Chain> {
        let mut chains = Vec::new();
        for id in self.graph.node_ids() {
            if !needed[id.index()] || self.swallowed[id.index()] {
                continue;
            }
            let chain = if fuse { self.chain(id) } else { self.single(id) };
            self.made[chain.output.index()] = true;
            self.graph.node(id).outputs.iter().for_each(|out| self.made[out.index()] = true);
            chains.push(chain);
        }
        chains
    }

    fn single(&self, host: NodeId) -> Chain {
        let output = self.graph.node(host).outputs[0];
        Chain { host, epilogue: Epilogue::default(), residual: None, output }
    }

    fn chain(&mut self, host: NodeId) -> Chain {
        let mut chain = self.single(host);
        let absorbs = self.graph.node(host).op.absorbs();
        if self.graph.node(host).outputs.len() != 1 {
            return chain;
        }
        loop {
            if let Some((gate, product, function)) = self.gate(chain.output)
                && absorbs.pointwise
                && chain.epilogue.pointwise.is_none()
            {
                chain.epilogue.pointwise = Some(Pointwise::Gated(Box::new(function)));
                self.swallow(&mut chain, &[gate, product]);
                continue;
            }
            let Some(reader) = self.only_reader(chain.output) else { return chain };
            let node = self.graph.node(reader);
            let epilogue = &mut chain.epilogue;
            match self.fusion(node) {
                Fusion::Affine(scale, shift)
                    if absorbs.affine
                        && chain.residual.is_none()
                        && epilogue.pointwise.is_none()
                        && node.input(0) == Some(chain.output) =>
                {
                    epilogue.affine = Some(compose(epilogue.affine.take(), scale, shift));
                }
                Fusion::Sum
                    if absorbs.residual
                        && chain.residual.is_none()
                        && epilogue.pointwise.is_none() =>
                {
                    let other = node.inputs.iter().flatten().find(|&&v| v != chain.output);
                    let Some(&other) = other.filter(|other| self.made[other.index()]) else {
                        return chain;
                    };
                    epilogue.residual = true;
                    chain.residual = Some(other);
                }
                Fusion::Pointwise(function) if absorbs.pointwise => {
                    epilogue.pointwise = Some(match epilogue.pointwise.take() {
                        None => function,
                        // Flat, so that a long chain does not become a deep one.
                        Some(Pointwise::Chain(mut list)) => {
                            list.push(function);
                            Pointwise::Chain(list)
                        }
                        Some(before) => Pointwise::Chain(vec![before, function]),
                    });
                }
                _ => return chain,
            }
            self.swallow(&mut chain, &[reader]);
        }
    }

    fn swallow(&mut self, chain: &mut Chain, nodes: &[NodeId]) {
        for id in nodes {
            self.swallowed[id.index()] = true;
            chain.output = self.graph.node(*id).outputs[0];
        }
    }

    fn only_reader(&self, value: ValueId) -> Option<NodeId> {
        match self.readers[value.index()][..] {
            [reader] if !self.fetched[value.index()] => Some(reader),
            _ => None,
        }
    }

    /// If `value` is read only as `value * f(value)`: the nodes of `f` and of the product, and `f`.
    fn gate(&self, value: ValueId) -> Option<(NodeId, NodeId, Pointwise)> {
        let [a, b] = self.readers[value.index()][..] else { return None };
        if self.fetched[value.index()] {
            return None;
        }
        [(a, b), (b, a)].into_iter().find_map(|(gate, product)| {
            let Fusion::Pointwise(function) = self.fusion(self.graph.node(gate)) else {
                return None;
            };
            let opened = self.graph.node(gate).outputs[0];
            let multiplies = self.fusion(self.graph.node(product)) == Fusion::Product;
            (multiplies && self.only_reader(opened) == Some(product))
                .then_some((gate, product, function))
        })
    }

    fn fusion(&self, node: &Node) -> Fusion {
        node.op.fusion(&self.graph.operands(node))
    }
}

fn compose(
    first: Option<(Vec<f32>, Vec<f32>)>,
    scale: Vec<f32>,
    shift: Vec<f32>,
) -> (Vec<f32>, Vec<f32>) {
    match first {
        None => (scale, shift),
        Some((s, t)) => (
            s.iter().zip(&scale).map(|(a, b)| a * b).collect(),
            t.iter().zip(&scale).zip(&shift).map(|((t, a), b)| t * a + b).collect(),
        ),
    }
}
