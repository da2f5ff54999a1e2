//! Safe code cannot make a kernel leave its slices: lengths that do not fit, products of extents
//! that wrap around and windows that end beyond what can be counted are refused, in every build.
#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use brickwork_tensor::kernels::batch_norm::{
    Gradients, column_sums, input_gradient, moments, parameter_gradients,
};
use brickwork_tensor::kernels::contribution::{
    TapWeights, add_positive, add_signed, position_sums, window_sums,
};
use brickwork_tensor::kernels::convolution::{Convolution, Shapes};
use brickwork_tensor::kernels::copy::{gather_strided, scatter_strided, take};
use brickwork_tensor::kernels::correlate::{Connections, correlate};
use brickwork_tensor::kernels::depthwise::{Depthwise, Extents, weight_gradient};
use brickwork_tensor::kernels::elementwise::{Binary, Walk};
use brickwork_tensor::kernels::exact::ExactSums;
use brickwork_tensor::kernels::gemm::{Finish, Gather, Packed};
use brickwork_tensor::kernels::pool::{Pool, pool, pool_backward};
use brickwork_tensor::kernels::resize::{resize, resize_backward};
use brickwork_tensor::kernels::rows::{
    layer_norm, local_response, max_middle, mean_middle, mean_middle_backward, scale_rows, softmax,
};
use brickwork_tensor::kernels::sparse::Sparse;
use brickwork_tensor::kernels::window::Window;
use brickwork_tensor::kernels::winograd::Winograd;
use brickwork_tensor::{Buffer, Level, volume};

/// Twice this wraps around to nothing.
const HALF: usize = 1 << (usize::BITS - 1);
/// Three times this wraps around to 1.
const THIRD: usize = usize::MAX / 3 * 2 + 1;

const UNCOUNTED: &str = "more elements than can be counted";
const PLAIN: Finish<'static> = Finish::PLAIN;

#[track_caller]
fn refused<T>(expected: &str, call: impl FnOnce() -> T) {
    let panic = catch_unwind(AssertUnwindSafe(call)).err().expect("it was not refused");
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message.or(panic.downcast_ref::<&str>().copied()).expect("a panic with words");
    assert!(message.contains(expected), "`{message}` does not say `{expected}`");
}

/// As many images as wrap around, of one pixel each way.
fn images(images: usize) -> Extents {
    Extents { images, input: [1, 1], output: [1, 1] }
}

fn pixelwise(channels: [usize; 2], output: [usize; 2]) -> Shapes {
    let window = Window::plain([1, 1]);
    Shapes { window, channels, groups: 1, sizes: [output, output], images: 1 }
}

#[test]
fn volumes_are_counted_or_refused() {
    assert_eq!(volume(&[]), 1);
    assert_eq!(volume(&[3, HALF / 2]), 3 * (HALF / 2));
    refused(UNCOUNTED, || volume(&[2, HALF]));
    refused(UNCOUNTED, || volume(&[3, THIRD]));
}

#[test]
fn biases_of_another_length_are_refused() {
    let (level, window) = (Level::best(), Window::plain([1, 1]));
    let depthwise = |bias: &[f32]| Depthwise::new(window.clone(), &[1.0; 4], Some(bias), 4);
    refused("bias count", || depthwise(&[]));
    refused("bias count", || depthwise(&[0.0; 5]));
    refused("bias count", || Packed::new(level, &[1.0; 4], Some(&[]), 2, 2, 1, 1));
    let shapes = pixelwise([2, 2], [1, 1]);
    refused("bias count", || Convolution::new(level, &shapes, &[1.0; 4], &[0.0; 3]));
    refused("weight count", || Convolution::new(level, &shapes, &[1.0; 5], &[0.0; 2]));
    refused("weight count", || Winograd::new(level, 2, &[1.0; 9], &[0.0; 2], 1, [0; 2]));
    refused("bias length", || layer_norm(&[1.0; 2], &[1.0; 2], Some(&[0.0]), 0.0, &mut [0.0; 2]));
}

#[test]
fn products_with_wrapping_extents_are_refused() {
    let level = Level::best();
    refused(UNCOUNTED, || Packed::new(level, &[], None, HALF, 2, 1, 1));
    let packed = Packed::new(level, &[1.0; 2], Some(&[7.0]), 1, 2, 1, 1);
    refused(UNCOUNTED, || packed.run(&Gather::rows(2), &[], HALF, PLAIN, &mut []));
    let shapes = pixelwise([2, 1], [2, 1]);
    let convolution = Convolution::new(level, &shapes, &[1.0; 2], &[7.0]);
    let mut room = Buffer::default();
    refused(UNCOUNTED, || convolution.run(HALF, &[], PLAIN, &mut [], &mut room));
    let connections = Connections { channels: 2, outputs: 2, groups: 1 };
    refused(UNCOUNTED, || {
        let gather = Gather::rows(2);
        correlate(level, connections, &gather, &[], &[], HALF, &mut [0.0; 4], &mut room);
    });
    let sparse = Sparse::new(&[1.0; 2], 2);
    refused(UNCOUNTED, || sparse.times(&[], HALF, &mut [], level));
}

#[test]
fn windows_over_wrapping_extents_are_refused() {
    let (level, window, clamp) = (Level::best(), Window::plain([1, 1]), (0.0, 1.0));
    let mut room = Buffer::default();
    refused(UNCOUNTED, || Winograd::new(level, 4, &[], &[7.0; 2], HALF, [0; 2]));
    let winograd = Winograd::new(level, 4, &[1.0; 36], &[7.0; 2], 2, [1; 2]);
    refused(UNCOUNTED, || winograd.run(&[], images(HALF), PLAIN, &mut [], &mut room));
    let wide = Window::plain([HALF, 2]);
    refused(UNCOUNTED, || Depthwise::new(wide.clone(), &[], None, 1));
    let depthwise = Depthwise::new(window.clone(), &[1.0; 2], None, 2);
    refused(UNCOUNTED, || depthwise.run(&[], images(HALF), clamp, &mut [], level));
    refused(UNCOUNTED, || depthwise.image_gradient(&[], images(HALF), &mut [], level));
    refused(UNCOUNTED, || {
        weight_gradient(&window, &[], &[], images(HALF), 2, &mut [0.0; 2], level);
    });
    refused(UNCOUNTED, || pool(Pool::Max, &window, &[], images(HALF), 2, &mut [], level));
    refused(UNCOUNTED, || pool_backward(Pool::Max, &window, &[], &[], images(HALF), 2, &mut []));
    refused(UNCOUNTED, || window_sums(&window, &[], images(HALF), 2, &mut [], level));
    let pixels = vec![vec![(0, 1.0)]];
    refused(UNCOUNTED, || resize(&[], [HALF, 2], 1, &pixels, &pixels, &mut []));
}

#[test]
fn sums_over_wrapping_extents_are_refused() {
    let level = Level::best();
    let weights = TapWeights { data: vec![1.0], outputs: 1, inputs: 3, taps: THIRD, groups: 1 };
    refused(UNCOUNTED, || add_positive(&weights, &[1.0], &mut ExactSums::zeros(3), level));
    refused(UNCOUNTED, || add_signed(&[], &[0; 2], HALF, &mut ExactSums::zeros(2), level));
    refused(UNCOUNTED, || position_sums(&[], HALF, 2, &mut [0.0; 2]));
    refused(UNCOUNTED, || mean_middle(&[], HALF, 2, &mut [0.0; 2]));
    refused(UNCOUNTED, || max_middle(&[], HALF, 2, &mut [0.0; 2]));
    refused(UNCOUNTED, || mean_middle_backward(&[0.0; 2], HALF, 2, &mut []));
}

#[test]
fn copies_over_wrapping_extents_are_refused() {
    refused(UNCOUNTED, || gather_strided(&[], 0, &[HALF, 2], &[0, 0], &mut []));
    refused(UNCOUNTED, || scatter_strided(&[], &[HALF, 2], &[0, 0], 0, &mut []));
    refused(UNCOUNTED, || take(&[], [HALF, 2], &[0], &mut []));
    refused(UNCOUNTED, || Walk::new(&[HALF, 2], &[0, 0], &[0, 0]));
}

/// The first and the fourth output would read inside the image, the two between far from it.
#[test]
fn windows_whose_places_wrap_are_refused() {
    let (level, beyond) = (Level::best(), "end beyond what can be counted");
    let window = Window { stride: [1, THIRD], ..Window::plain([1, 1]) };
    let extents = Extents { images: 1, input: [1, 2], output: [1, 4] };
    let depthwise = Depthwise::new(window.clone(), &[1.0], None, 1);
    let mut out = [0.0; 4];
    refused(beyond, || depthwise.run(&[0.0; 2], extents, (0.0, 1.0), &mut out, level));
    refused(beyond, || depthwise.image_gradient(&[0.0; 4], extents, &mut [0.0; 2], level));
    refused(beyond, || pool(Pool::Max, &window, &[0.0; 2], extents, 1, &mut out, level));
    refused(beyond, || window_sums(&window, &[0.0; 2], extents, 1, &mut [0.0], level));
    refused(beyond, || window.gather([1, 2], 1, [1, 4]));
    let far = Window { dilation: [HALF, 1], ..Window::plain([3, 1]) };
    refused(beyond, || far.gather([1, 1], 1, [1, 1]));
    refused("beyond 32 bits", || Window::plain([2, 1]).gather([1 << 20; 2], 1, [0; 2]));
}

#[test]
fn tables_that_lead_outside_are_refused() {
    let (level, finish, mut room) = (Level::best(), PLAIN, Buffer::default());
    let packed = Packed::new(level, &[1.0; 2], None, 1, 2, 1, 1);
    let connections = Connections { channels: 2, outputs: 1, groups: 1 };
    let gather = |positions, offsets| Gather { positions, taps: 1, offsets, image: 2 };
    let tables = [
        ("offset outside the image", gather(1, vec![Some(1)])),
        ("offset outside the image", gather(1, vec![Some(u32::MAX)])),
        ("offset table", gather(2, vec![Some(0)])),
        ("no positions", gather(0, Vec::new())),
        (UNCOUNTED, Gather { image: HALF, ..gather(1, vec![Some(0)]) }),
    ];
    for (expected, table) in tables {
        let (input, mut out, mut dw) = ([0.0; 4], [0.0; 2], [0.0; 2]);
        refused(expected, || packed.run(&table, &input, 2, finish, &mut out));
        refused(expected, || {
            correlate(level, connections, &table, &input, &[0.0; 2], 2, &mut dw, &mut room);
        });
    }
    let (inside, outside) = (vec![vec![(0, 1.0)]], vec![vec![(1, 0.5)]]);
    let table = "table outside the image";
    refused(table, || resize(&[0.0], [1, 1], 1, &inside, &outside, &mut [0.0]));
    refused(table, || resize_backward(&[0.0], [1, 1], 1, &outside, &inside, &mut [0.0]));
    refused("index outside", || take(&[0.0; 2], [2, 1], &[2], &mut [0.0]));
    let mut totals = ExactSums::zeros(2);
    refused("totals have 1 slots", || add_signed(&[1.0], &[HALF], 1, &mut totals, level));
}

#[test]
fn short_companions_are_refused() {
    let (level, mut room) = (Level::best(), Buffer::default());
    let short = Finish { residual: Some(&[]), ..PLAIN };
    let packed = Packed::new(level, &[1.0], None, 1, 1, 1, 1);
    refused("residual", || packed.run(&Gather::rows(1), &[0.0], 1, short, &mut [0.0]));
    refused("output too short", || packed.run(&Gather::rows(1), &[0.0], 1, PLAIN, &mut []));
    let winograd = Winograd::new(level, 2, &[1.0; 9], &[0.0], 1, [1; 2]);
    refused("residual", || winograd.run(&[0.0], images(1), short, &mut [0.0], &mut room));
    let connections = Connections { channels: 2, outputs: 3, groups: 2 };
    refused("groups must divide", || {
        let gather = Gather::rows(2);
        correlate(level, connections, &gather, &[0.0; 2], &[0.0; 3], 1, &mut [0.0; 3], &mut room);
    });
    refused("shift length", || scale_rows(&mut [0.0], &[1.0], &[], (0.0, 1.0), level));
    let (one, two) = ([1.0; 1], [1.0; 2]);
    refused("inverse", || parameter_gradients(&two, &two, &two, &one, level));
    let sums = Gradients { scale: vec![1.0], shift: vec![1.0; 2] };
    refused("channels", || {
        input_gradient(&mut [0.0; 2], &two, [&two, &two, &two], &sums, level);
    });
    let walk = Walk::new(&[2], &[1], &[1]);
    refused("output length", || walk.run(Binary::Add, &two, &two, &mut [0.0], level));
    refused("strides", || Walk::new(&[2, 2], &[1], &[1, 1]));
}

#[test]
fn broken_rows_are_refused() {
    let (level, three, broken) = (Level::best(), [0.0; 3], "not whole rows of 2");
    refused(broken, || moments(&three, 2, level));
    refused(broken, || column_sums(&three, 2));
    refused(broken, || softmax(&mut [0.0; 3], 2, false, level));
    refused(broken, || scale_rows(&mut [0.0; 3], &[1.0; 2], &[0.0; 2], (0.0, 1.0), level));
    refused(broken, || local_response(&three, 2, 1, [1.0; 3], &mut [0.0; 3]));
    refused(broken, || Sparse::new(&three, 2));
    refused("output length", || local_response(&three, 3, 1, [1.0; 3], &mut [0.0; 2]));
}
