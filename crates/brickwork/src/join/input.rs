//! The nodes that turn the shared input into what a part wants.

use brickwork_data::Preprocess;
use brickwork_graph::{Attr, Builder, Literal};
use brickwork_tensor::Nd;

use crate::model::rebuild::operation;

/// The value that holds the input as a part wants it, where nodes were added for that.
pub(crate) fn adapted_name(part: &str) -> String {
    format!("{part}/input.add")
}

/// Adds nodes that turn the input, prepared as `shared`, into what the part `name` wants: prepared as its `own`.
/// Returns the name of the result.
pub(super) fn adapted(
    builder: &mut Builder,
    name: &str,
    shared: &Preprocess,
    own: &Preprocess,
) -> String {
    let mut adapter =
        Adapter { builder, prefix: format!("{name}/input"), last: "image".to_owned() };
    if shared.channels == 3 && own.channels == 1 {
        adapter.luma();
    } else if own.channels == 3 && own.order != shared.order {
        adapter.reverse_colours();
    }
    if own.size != shared.size {
        adapter.resize(shared.size, own.size);
    }
    let ratio = factor(own) / factor(shared);
    adapter.normalise(own, ratio);
    adapter.last
}

/// Pixel value to input value.
fn factor(preprocess: &Preprocess) -> f32 {
    preprocess.scale.unwrap_or(1.0 / 255.0)
}

/// Adds the nodes that turn the shared input into a part's own.
struct Adapter<'b> {
    builder: &'b mut Builder,
    prefix: String,
    last: String,
}

impl Adapter<'_> {
    fn step(&mut self, kind: &str, constants: &[(&str, Literal)], attrs: &[(&str, Attr)]) {
        let output = format!("{}.{}", self.prefix, kind.to_lowercase());
        let mut inputs = vec![self.last.clone()];
        for (stem, literal) in constants {
            let name = if stem.is_empty() { String::new() } else { format!("{output}.{stem}") };
            if !name.is_empty() {
                self.builder.constant(&name, literal.clone());
            }
            inputs.push(name);
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        operation(self.builder, kind, &inputs, &output, attrs);
        self.last = output;
    }

    /// RGB to grey, ITU-R 601.
    fn luma(&mut self) {
        let weights = Nd::new([1, 3, 1, 1], vec![0.299, 0.587, 0.114]);
        self.step("Conv", &[("weight", Literal::Floats(weights))], &[]);
    }

    fn reverse_colours(&mut self) {
        let indices = Literal::Ints(Nd::vector(vec![2, 1, 0]));
        self.step("Gather", &[("indices", indices)], &[("axis", Attr::Int(1))]);
    }

    fn resize(&mut self, from: [usize; 2], to: [usize; 2]) {
        let scale = |axis: usize| {
            let exact = to[axis] as f32 / from[axis] as f32;
            if (from[axis] as f32 * exact) as usize == to[axis] { exact } else { exact.next_up() }
        };
        let scales = Literal::Floats(Nd::vector(vec![1.0, 1.0, scale(0), scale(1)]));
        let none = Literal::Floats(Nd::vector(Vec::new()));
        let text = |x: &str| Attr::Text(x.to_owned());
        let attrs =
            [("mode", text("linear")), ("coordinate_transformation_mode", text("half_pixel"))];
        self.step("Resize", &[("", none), ("scales", scales)], &attrs);
    }

    /// `(ratio * x - mean) / std` per channel.
    fn normalise(&mut self, own: &Preprocess, ratio: f32) {
        let spread = |list: &[f32]| -> Vec<f32> {
            (0..own.channels).map(|c| list[if list.len() == 1 { 0 } else { c }]).collect()
        };
        let (mean, std) = (spread(&own.mean), spread(&own.std));
        let column = |data: Vec<f32>| Literal::Floats(Nd::new([own.channels, 1, 1], data));
        let factor = std.iter().map(|s| ratio / s).collect();
        let shift = mean.iter().zip(&std).map(|(m, s)| -m / s).collect();
        self.step("Mul", &[("factor", column(factor))], &[]);
        self.step("Add", &[("shift", column(shift))], &[]);
    }
}
