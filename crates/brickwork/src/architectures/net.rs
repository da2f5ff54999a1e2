//! Writes a network layer by layer. Names are PyTorch's: a layer's arrays are called as in its
//! `state_dict`, its result like the layer.

mod tokens;

use brickwork_graph::{Attr, Builder, Form, Graph, Literal, Problems, Shape};
use brickwork_tensor::Nd;

use super::options::{ArchitectureOptions, Stem};

/// The operator set in which the nodes are written.
const OPSET: i64 = 17;

/// Elements that all arrays may have together, which take 1 GiB. An ONNX file can hold twice as much.
const ROOM: usize = 1 << 28;

/// A value on the way: its name, and its channels, height and width.
#[derive(Clone)]
pub(super) struct Value {
    name: String,
    shape: [usize; 3],
}

impl Value {
    pub(super) fn channels(&self) -> usize {
        self.shape[0]
    }

    pub(super) fn size(&self) -> [usize; 2] {
        [self.shape[1], self.shape[2]]
    }
}

/// What a convolution or a pool sees of an image at once.
#[derive(Clone, Copy)]
pub(super) struct Window {
    kernel: [usize; 2],
    stride: [usize; 2],
    pads: [usize; 2],
}

impl Window {
    /// Moves pixel by pixel within the image.
    pub(super) const fn new(kernel: [usize; 2]) -> Self {
        Self { kernel, stride: [1, 1], pads: [0, 0] }
    }

    pub(super) const fn square(side: usize) -> Self {
        Self::new([side, side])
    }

    /// Padded with half of the kernel: moved pixel by pixel, an odd kernel keeps the image's size.
    pub(super) const fn padded(self) -> Self {
        Self { pads: [self.kernel[0] / 2, self.kernel[1] / 2], ..self }
    }

    pub(super) const fn stride(self, stride: usize) -> Self {
        Self { stride: [stride, stride], ..self }
    }

    /// Places it takes in an image of this size; 1 where it does not fit, which the builder refuses.
    fn places(&self, size: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|axis| {
            let free = (size[axis] + 2 * self.pads[axis]).saturating_sub(self.kernel[axis]);
            free / self.stride[axis] + 1
        })
    }

    fn attrs(&self) -> Vec<(&'static str, Attr)> {
        let ints = |list: &[usize]| Attr::Ints(list.iter().map(|&x| x as i64).collect());
        vec![
            ("kernel_shape", ints(&self.kernel)),
            ("strides", ints(&self.stride)),
            ("pads", ints(&[self.pads, self.pads].concat())),
        ]
    }
}

/// A network in the making, with zeros for weights.
pub(super) struct Net {
    builder: Builder,
    classes: usize,
    width: f64,
    stem: Stem,
    epsilon: f32,
    room: usize,
}

impl Net {
    /// The network and its input `image`.
    pub(super) fn new(name: &str, options: &ArchitectureOptions, stem: Stem) -> (Self, Value) {
        let [height, width] = options.size;
        let shape = [options.channels, height, width];
        let mut builder = Builder::new(name, OPSET, None);
        builder.input("image", Shape::batched(&shape));
        let (classes, epsilon) = (options.classes, 1e-5);
        let net = Self { builder, classes, width: options.width, stem, epsilon, room: ROOM };
        (net, Value { name: "image".to_owned(), shape })
    }

    /// So many hidden channels of the published network, at this network's width.
    pub(super) fn wide(&self, channels: usize) -> usize {
        ((channels as f64 * self.width).round() as usize).max(1)
    }

    pub(super) fn stem(&self) -> Stem {
        self.stem
    }

    /// What later normalisations add to variances.
    pub(super) fn epsilon(&mut self, epsilon: f32) {
        self.epsilon = epsilon;
    }

    /// A convolution without bias.
    pub(super) fn conv(&mut self, name: &str, x: &Value, outputs: usize, window: Window) -> Value {
        self.convolve(name, x, outputs, window, 1, false)
    }

    /// A convolution with bias.
    pub(super) fn biased_conv(
        &mut self,
        name: &str,
        x: &Value,
        outputs: usize,
        window: Window,
    ) -> Value {
        self.convolve(name, x, outputs, window, 1, true)
    }

    /// A convolution of every channel by itself, without bias.
    pub(super) fn depthwise(&mut self, name: &str, x: &Value, window: Window) -> Value {
        self.convolve(name, x, x.channels(), window, x.channels(), false)
    }

    fn convolve(
        &mut self,
        name: &str,
        x: &Value,
        outputs: usize,
        window: Window,
        groups: usize,
        bias: bool,
    ) -> Value {
        let [kh, kw] = window.kernel;
        let mut inputs = vec![x.name.clone()];
        inputs.push(self.array(name, "weight", &[outputs, x.channels() / groups, kh, kw], 0.0));
        if bias {
            inputs.push(self.array(name, "bias", &[outputs], 0.0));
        }
        let mut attrs = window.attrs();
        attrs.push(("group", Attr::Int(groups as i64)));
        let [height, width] = window.places(x.size());
        self.node("Conv", name, inputs, &attrs, [outputs, height, width])
    }

    /// Batch normalisation with running statistics.
    pub(super) fn bn(&mut self, name: &str, x: &Value) -> Value {
        let fields = [("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)];
        let mut inputs = vec![x.name.clone()];
        inputs.extend(fields.map(|(field, fill)| self.array(name, field, &[x.channels()], fill)));
        let attrs = [("epsilon", Attr::Float(self.epsilon))];
        self.node("BatchNormalization", name, inputs, &attrs, x.shape)
    }

    /// A convolution, its normalisation and a ReLU: `name.conv`, `name.bn`.
    pub(super) fn conv_bn_relu(
        &mut self,
        name: &str,
        x: &Value,
        outputs: usize,
        window: Window,
    ) -> Value {
        let x = self.conv(&format!("{name}.conv"), x, outputs, window);
        let x = self.bn(&format!("{name}.bn"), &x);
        self.relu(&x)
    }

    pub(super) fn relu(&mut self, x: &Value) -> Value {
        self.node("Relu", &format!("{}.relu", x.name), vec![x.name.clone()], &[], x.shape)
    }

    /// ReLU up to six.
    pub(super) fn relu6(&mut self, x: &Value) -> Value {
        let attrs = [("min", Attr::Float(0.0)), ("max", Attr::Float(6.0))];
        self.node("Clip", &format!("{}.relu6", x.name), vec![x.name.clone()], &attrs, x.shape)
    }

    pub(super) fn max_pool(&mut self, name: &str, x: &Value, window: Window) -> Value {
        let [height, width] = window.places(x.size());
        let shape = [x.channels(), height, width];
        self.node("MaxPool", name, vec![x.name.clone()], &window.attrs(), shape)
    }

    /// Means that count padding as zeros.
    pub(super) fn average_pool(&mut self, name: &str, x: &Value, window: Window) -> Value {
        let [height, width] = window.places(x.size());
        let mut attrs = window.attrs();
        attrs.push(("count_include_pad", Attr::Int(1)));
        self.node("AveragePool", name, vec![x.name.clone()], &attrs, [x.channels(), height, width])
    }

    /// Means over halves (overlapping by a pixel if the size is odd) of height and width; nothing
    /// for an image of 2x2.
    pub(super) fn average_to_2x2(&mut self, name: &str, x: &Value) -> Value {
        if x.size() == [2, 2] {
            return x.clone();
        }
        let window = Window {
            kernel: x.size().map(|extent| extent.div_ceil(2).max(1)),
            stride: x.size().map(|extent| (extent / 2).max(1)),
            pads: [0, 0],
        };
        if x.size().contains(&1) {
            let [height, width] = x.size();
            self.builder.problem(name, format!("an image of {height}x{width} has no 2x2 parts"));
        }
        self.average_pool(name, x, window)
    }

    /// Means over all positions, flat.
    pub(super) fn global_average(&mut self, name: &str, x: &Value) -> Value {
        self.global("GlobalAveragePool", name, x)
    }

    /// Maxima over all positions, flat.
    pub(super) fn global_max(&mut self, name: &str, x: &Value) -> Value {
        self.global("GlobalMaxPool", name, x)
    }

    fn global(&mut self, kind: &str, name: &str, x: &Value) -> Value {
        let shape = [x.channels(), 1, 1];
        let x = self.node(kind, name, vec![x.name.clone()], &[], shape);
        self.flatten(&x)
    }

    pub(super) fn flatten(&mut self, x: &Value) -> Value {
        let shape = [x.shape.iter().product(), 1, 1];
        let name = format!("{}.flatten", x.name);
        self.node("Flatten", &name, vec![x.name.clone()], &[("axis", Attr::Int(1))], shape)
    }

    /// Dropout in training; nothing in inference.
    pub(super) fn dropout(&mut self, x: &Value, ratio: f32) -> Value {
        let name = format!("{}.dropout", x.name);
        let attrs = [("ratio", Attr::Float(ratio))];
        self.node("Dropout", &name, vec![x.name.clone()], &attrs, x.shape)
    }

    pub(super) fn linear(&mut self, name: &str, x: &Value, outputs: usize) -> Value {
        self.affine(name, name, x, outputs)
    }

    /// The last linear layer, whose result is called `logits`.
    pub(super) fn head(&mut self, name: &str, x: &Value) -> Value {
        self.affine(name, "logits", x, self.classes)
    }

    fn affine(&mut self, name: &str, result: &str, x: &Value, outputs: usize) -> Value {
        let mut inputs = vec![x.name.clone()];
        inputs.push(self.array(name, "weight", &[outputs, x.channels()], 0.0));
        inputs.push(self.array(name, "bias", &[outputs], 0.0));
        self.place("Gemm", name, result, inputs, &[("transB", Attr::Int(1))], [outputs, 1, 1])
    }

    pub(super) fn add(&mut self, name: &str, a: &Value, b: &Value) -> Value {
        self.node("Add", name, vec![a.name.clone(), b.name.clone()], &[], a.shape)
    }

    /// Channels side by side.
    pub(super) fn concat(&mut self, name: &str, parts: &[Value]) -> Value {
        let inputs = parts.iter().map(|part| part.name.clone()).collect();
        let channels = parts.iter().map(Value::channels).sum();
        let [height, width] = parts[0].size();
        self.node("Concat", name, inputs, &[("axis", Attr::Int(1))], [channels, height, width])
    }

    fn node(
        &mut self,
        kind: &str,
        name: &str,
        inputs: Vec<String>,
        attrs: &[(&str, Attr)],
        shape: [usize; 3],
    ) -> Value {
        self.place(kind, name, name, inputs, attrs, shape)
    }

    fn place(
        &mut self,
        kind: &str,
        name: &str,
        result: &str,
        inputs: Vec<String>,
        attrs: &[(&str, Attr)],
        shape: [usize; 3],
    ) -> Value {
        self.operation(kind, name, &[result.to_owned()], inputs, attrs);
        Value { name: result.to_owned(), shape }
    }

    fn operation(
        &mut self,
        kind: &str,
        name: &str,
        results: &[String],
        inputs: Vec<String>,
        attrs: &[(&str, Attr)],
    ) {
        self.builder.node(&Form {
            name: name.to_owned(),
            kind: kind.to_owned(),
            inputs,
            outputs: results.to_vec(),
            attrs: attrs.iter().map(|(name, attr)| ((*name).to_owned(), attr.clone())).collect(),
            ..Form::default()
        });
    }

    /// The array `layer.field`, all `fill`; gives its name.
    fn array(&mut self, layer: &str, field: &str, shape: &[usize], fill: f32) -> String {
        let name = format!("{layer}.{field}");
        let count = shape.iter().try_fold(1usize, |count, &extent| count.checked_mul(extent));
        match count.filter(|&count| count <= self.room) {
            Some(count) => {
                self.room -= count;
                self.builder.constant(&name, Literal::Floats(Nd::filled(shape, fill)));
            }
            None => {
                let text = format!("with its {shape:?} the network exceeds {ROOM} parameters");
                self.builder.unreadable(&name, text);
            }
        }
        name
    }

    /// The finished network, whose result is `logits`.
    pub(super) fn finish(mut self, logits: &Value) -> Result<Graph, Problems> {
        self.builder.output(&logits.name);
        self.builder.finish()
    }
}
