//! Layers over the patches of an image: tokens, `[n, tokens, channels]`. A value's extents are its channels, its
//! tokens and 1.

use brickwork_graph::{Attr, Literal};
use brickwork_tensor::Nd;

use super::{Net, Value};

/// What layer normalisations add to variances.
const EPSILON: f32 = 1e-6;

impl Net {
    /// The places of an image as tokens.
    pub(in super::super) fn tokens(&mut self, name: &str, x: &Value) -> Value {
        let [height, width] = x.size();
        let (channels, tokens) = (x.channels(), height * width);
        let flat = self.reshape(&format!("{name}.flat"), x, &[channels, tokens]);
        self.turn(&format!("{name}.tokens"), &flat, &[0, 2, 1], [channels, tokens, 1])
    }

    /// Tokens with a learned vector of each place added.
    pub(in super::super) fn embedded(&mut self, name: &str, x: &Value) -> Value {
        let [channels, tokens, _] = x.shape;
        let places = self.array(name, "places", &[tokens, channels], 0.0);
        self.node("Add", name, vec![x.name.clone(), places], &[], x.shape)
    }

    pub(in super::super) fn layer_norm(&mut self, name: &str, x: &Value) -> Value {
        let fields = [("weight", 1.0), ("bias", 0.0)];
        let mut inputs = vec![x.name.clone()];
        inputs.extend(fields.map(|(field, fill)| self.array(name, field, &[x.channels()], fill)));
        let attrs = [("axis", Attr::Int(-1)), ("epsilon", Attr::Float(EPSILON))];
        self.node("LayerNormalization", name, inputs, &attrs, x.shape)
    }

    /// The mean over tokens, flat.
    pub(in super::super) fn mean_of_tokens(&mut self, name: &str, x: &Value) -> Value {
        let attrs = [("axes", Attr::Ints(vec![1])), ("keepdims", Attr::Int(0))];
        self.node("ReduceMean", name, vec![x.name.clone()], &attrs, [x.channels(), 1, 1])
    }

    pub(in super::super) fn gelu(&mut self, x: &Value) -> Value {
        self.node("Gelu", &format!("{}.gelu", x.name), vec![x.name.clone()], &[], x.shape)
    }

    /// A linear layer on every token. Its weights are `[inputs, outputs]`.
    pub(in super::super) fn linear_of_tokens(
        &mut self,
        name: &str,
        x: &Value,
        outputs: usize,
    ) -> Value {
        let weight = self.array(name, "weight", &[x.channels(), outputs], 0.0);
        let bias = self.array(name, "bias", &[outputs], 0.0);
        let shape = [outputs, x.shape[1], 1];
        let inputs = vec![x.name.clone(), weight];
        let product = self.node("MatMul", &format!("{name}.product"), inputs, &[], shape);
        self.node("Add", name, vec![product.name, bias], &[], shape)
    }

    /// Three equal parts of the channels: queries, keys and values.
    pub(in super::super) fn thirds(&mut self, name: &str, x: &Value) -> [Value; 3] {
        let parts = ["q", "k", "v"].map(|part| format!("{name}.{part}"));
        let shape = [x.channels() / 3, x.shape[1], 1];
        let attrs = [("axis", Attr::Int(-1))];
        self.operation("Split", &parts[0], &parts, vec![x.name.clone()], &attrs);
        parts.map(|name| Value { name, shape })
    }

    /// Tokens as `[n, heads, tokens, each]`.
    pub(in super::super) fn heads(&mut self, x: &Value, heads: usize) -> Value {
        let shape = [x.channels() / heads, x.shape[1], 1];
        let apart = format!("{}.apart", x.name);
        let apart = self.reshape(&apart, x, &[shape[1], heads, shape[0]]);
        self.turn(&format!("{}.heads", x.name), &apart, &[0, 2, 1, 3], shape)
    }

    /// The products of all queries with all keys, divided by the square root of their length.
    pub(in super::super) fn scaled_products(&mut self, name: &str, q: &Value, k: &Value) -> Value {
        let keys = self.turn(&format!("{name}.keys"), k, &[0, 1, 3, 2], k.shape);
        let shape = [q.shape[1], q.shape[1], 1];
        let inputs = vec![q.name.clone(), keys.name];
        let products = self.node("MatMul", &format!("{name}.products"), inputs, &[], shape);
        let scale = format!("{name}.scale");
        let length = (q.channels() as f32).sqrt();
        self.builder.constant(&scale, Literal::Floats(Nd::scalar(1.0 / length)));
        self.node("Mul", name, vec![products.name, scale], &[], shape)
    }

    /// For every token the mean of all values, weighted by the softmax of its scores.
    pub(in super::super) fn weighted_means(
        &mut self,
        name: &str,
        scores: &Value,
        v: &Value,
    ) -> Value {
        let attrs = [("axis", Attr::Int(-1))];
        let inputs = vec![scores.name.clone()];
        let shares = self.node("Softmax", &format!("{name}.shares"), inputs, &attrs, scores.shape);
        self.node("MatMul", name, vec![shares.name, v.name.clone()], &[], v.shape)
    }

    /// `[n, heads, tokens, each]` as tokens with heads side by side.
    pub(in super::super) fn merged_heads(&mut self, name: &str, x: &Value, heads: usize) -> Value {
        let beside = self.turn(&format!("{name}.beside"), x, &[0, 2, 1, 3], x.shape);
        let shape = [heads * x.channels(), x.shape[1], 1];
        Value { shape, ..self.reshape(name, &beside, &[shape[1], shape[0]]) }
    }

    /// The same elements as `[..., extents]`, with as many first indices as come out.
    fn reshape(&mut self, name: &str, x: &Value, extents: &[usize]) -> Value {
        let sizes = format!("{name}.sizes");
        let ints = std::iter::once(-1).chain(extents.iter().map(|&extent| extent as i64));
        self.builder.constant(&sizes, Literal::Ints(Nd::vector(ints.collect())));
        let channels = extents.last().copied().unwrap_or(1);
        self.node("Reshape", name, vec![x.name.clone(), sizes], &[], [channels, 1, 1])
    }

    fn turn(&mut self, name: &str, x: &Value, perm: &[i64], shape: [usize; 3]) -> Value {
        let attrs = [("perm", Attr::Ints(perm.to_vec()))];
        self.node("Transpose", name, vec![x.name.clone()], &attrs, shape)
    }
}
