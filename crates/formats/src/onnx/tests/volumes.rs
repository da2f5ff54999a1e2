//! Convolutions and pools over volumes, against loops over their definitions.

use super::*;

/// Depth, height and width of the volumes, which have two channels.
const EXTENTS: [usize; 3] = [2, 4, 2];

/// A window along the three axes.
struct Walk {
    kernel: [usize; 3],
    stride: [usize; 3],
    dilation: [usize; 3],
    before: [usize; 3],
    after: [usize; 3],
}

const WALK: Walk = Walk {
    kernel: [2, 2, 1],
    stride: [1, 2, 1],
    dilation: [1, 2, 1],
    before: [1, 1, 0],
    after: [0, 1, 0],
};

impl Walk {
    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        let list = |list: &[usize]| ints(&list.iter().map(|&x| x as i64).collect::<Vec<_>>());
        vec![
            ("kernel_shape", list(&self.kernel)),
            ("strides", list(&self.stride)),
            ("dilations", list(&self.dilation)),
            ("pads", list(&[self.before, self.after].concat())),
        ]
    }

    fn outputs(&self) -> [usize; 3] {
        std::array::from_fn(|k| {
            let span = self.dilation[k] * (self.kernel[k] - 1) + 1;
            (EXTENTS[k] + self.before[k] + self.after[k] - span) / self.stride[k] + 1
        })
    }

    /// For every output, its taps in row-major order: the place in one channel, or `None` for padding.
    fn taps(&self) -> Vec<Vec<Option<usize>>> {
        let places = |of: [usize; 3]| {
            let all = 0..of.iter().product::<usize>();
            all.map(move |k| [k / (of[1] * of[2]), k / of[2] % of[1], k % of[2]])
        };
        let pixel = |output: [usize; 3], tap: [usize; 3]| {
            let along = |k: usize| {
                let at = output[k] * self.stride[k] + tap[k] * self.dilation[k];
                at.checked_sub(self.before[k]).filter(|&at| at < EXTENTS[k])
            };
            let [z, y, x] = [along(0)?, along(1)?, along(2)?];
            Some((z * EXTENTS[1] + y) * EXTENTS[2] + x)
        };
        let taps = |output| places(self.kernel).map(|tap| pixel(output, tap)).collect();
        places(self.outputs()).map(taps).collect()
    }
}

fn feed() -> Vec<f32> {
    (0..32).map(|k: usize| ((k * 37 + 11) % 32) as f32 / 16.0 - 1.0).collect()
}

/// The result of the node over a sample of [`feed`] as a volume, and the graph in words.
#[track_caller]
fn result(kind: &str, more: Named<'_>, weights: Option<Tensor>) -> (Vec<f32>, String) {
    let mut attributes = WALK.attributes();
    attributes.extend(more.iter().cloned());
    let inputs = if weights.is_some() { "v w" } else { "v" };
    let extents = EXTENTS.map(|extent| extent as i64);
    let target = list("volume", &[&[0, 2], &extents[..]].concat());
    let nodes = vec![node("Reshape", "x volume", "v", &[]), node(kind, inputs, "y", &attributes)];
    let graph = survives(&model(nodes, [target].into_iter().chain(weights).collect()));
    let mut session = Session::new(Arc::new(graph.clone()), graph.outputs());
    let found = session.outputs(1, &feed()).unwrap_or_else(|error| panic!("{error}"));
    (found[0].data().to_vec(), graph.to_string())
}

#[track_caller]
fn near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < 1e-5, "{found:?} instead of {expected:?}");
    }
}

#[test]
fn a_convolution_sums_over_depth_height_and_width() {
    let numbers: Vec<f32> =
        (0..24).map(|k: usize| ((k * 17 + 5) % 24) as f32 / 8.0 - 1.5).collect();
    for (groups, outputs) in [(1, 3), (2, 6)] {
        let inputs = 2 / groups;
        let raw = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        let dims = vec![outputs as i64, inputs as i64, 2, 2, 1];
        let weights = Tensor { raw_data: Some(raw), ..halves("w", &dims) };
        let (found, words) = result("Conv", &[("group", int(groups as i64))], Some(weights));
        let mut expected = Vec::new();
        for output in 0..outputs {
            let group = output / (outputs / groups);
            for taps in WALK.taps() {
                let channel = |c: usize| {
                    let image = &feed()[(group * inputs + c) * 16..][..16];
                    let own = &numbers[(output * inputs + c) * 4..][..4];
                    let read = taps.iter().zip(own);
                    read.map(|(at, w)| at.map_or(0.0, |at| w * image[at])).sum::<f32>()
                };
                expected.push((0..inputs).map(channel).sum());
            }
        }
        near(&found, &expected);
        assert!(words.contains("Conv"), "{words}");
    }
}

/// Every pixel adds its weights to the outputs that it reaches.
#[test]
fn a_transposed_convolution_spreads_over_depth_height_and_width() {
    let numbers: Vec<f32> =
        (0..24).map(|k: usize| ((k * 17 + 5) % 24) as f32 / 8.0 - 1.5).collect();
    for groups in [1, 2] {
        let outputs = 3 / groups;
        let own = &numbers[..2 * outputs * 4];
        let raw = own.iter().flat_map(|x| x.to_le_bytes()).collect();
        let weights = Tensor { raw_data: Some(raw), ..halves("w", &[2, outputs as i64, 2, 2, 1]) };
        let (found, _) = result("ConvTranspose", &[("group", int(groups as i64))], Some(weights));
        let span =
            |k: usize| WALK.dilation[k] * (WALK.kernel[k] - 1) + 1 - WALK.before[k] - WALK.after[k];
        let after: [usize; 3] =
            std::array::from_fn(|k| WALK.stride[k] * (EXTENTS[k] - 1) + span(k));
        let places = |of: [usize; 3]| {
            let all = 0..of.iter().product::<usize>();
            all.map(move |k| [k / (of[1] * of[2]), k / of[2] % of[1], k % of[2]])
        };
        let mut expected = vec![0.0; groups * outputs * after.iter().product::<usize>()];
        for (input, image) in feed().chunks(16).enumerate() {
            let first = if groups == 1 { 0 } else { input * outputs };
            for (output, (at, pixel)) in
                (0..outputs).flat_map(|o| places(EXTENTS).zip(image).map(move |found| (o, found)))
            {
                for (tap, w) in places(WALK.kernel).zip(&own[(input * outputs + output) * 4..]) {
                    let along = |k: usize| {
                        let to = at[k] * WALK.stride[k] + tap[k] * WALK.dilation[k];
                        to.checked_sub(WALK.before[k]).filter(|&to| to < after[k])
                    };
                    let (Some(z), Some(y), Some(x)) = (along(0), along(1), along(2)) else {
                        continue;
                    };
                    let place = ((first + output) * after[0] + z) * after[1] + y;
                    expected[place * after[2] + x] += pixel * w;
                }
            }
        }
        near(&found, &expected);
    }
}

#[test]
fn pools_go_over_depth_height_and_width() {
    type Pool = fn(Vec<f32>, usize) -> f32;
    let largest: Pool = |read, _| read.into_iter().fold(f32::MIN, f32::max);
    let mean: Pool = |read, _| read.iter().sum::<f32>() / read.len() as f32;
    let padded: Pool = |read, taps| read.iter().sum::<f32>() / taps as f32;
    for (kind, count_padding, pool) in
        [("MaxPool", 0, largest), ("AveragePool", 0, mean), ("AveragePool", 1, padded)]
    {
        let more = [("count_include_pad", int(count_padding))];
        let more = if kind == "MaxPool" { &[][..] } else { &more[..] };
        let (found, _) = result(kind, more, None);
        let mut expected = Vec::new();
        for image in feed().chunks(16) {
            for taps in WALK.taps() {
                let read: Vec<f32> = taps.iter().flatten().map(|&at| image[at]).collect();
                expected.push(pool(read, taps.len()));
            }
        }
        near(&found, &expected);
    }
}

#[test]
fn windows_over_volumes_without_sense() {
    let refuses = |attributes: Named<'_>, says: &str| {
        let nodes =
            vec![node("Reshape", "x volume", "v", &[]), node("MaxPool", "v", "y", attributes)];
        let says = ["node `MaxPool of y` (MaxPool): ", says];
        refused(&model(nodes, vec![list("volume", &[0, 2, 2, 4, 2])]), &says);
    };
    let kernel = |sizes: &[i64]| ("kernel_shape", ints(sizes));
    refuses(&[], "expected three positive numbers for a volume");
    refuses(&[kernel(&[2, 2])], "expected three positive numbers for a volume");
    refuses(&[kernel(&[0, 2, 2])], "a kernel of 0 is out of range");
    refuses(&[kernel(&[3, 1, 1])], "a volume of [2, 4, 2] is smaller than the kernel [3, 1, 1]");
    let strides = ("strides", ints(&[1, 0, 1]));
    refuses(&[kernel(&[1, 1, 1]), strides], "strides [1, 0, 1], expected 3 from 1 to 65536");
    let pads = ("pads", ints(&[1, 0, 0, 0, 0, 0]));
    refuses(&[kernel(&[1, 1, 1]), pads], "a pad as large as the kernel");
}
