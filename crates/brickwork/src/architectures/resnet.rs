//! Residual networks: He et al., "Deep residual learning for image recognition" (2016). Where a
//! block changes size or channels, its shortcut is a normalised 1x1 convolution (option B);
//! bottlenecks halve the size in their 3x3 convolution.

use super::net::{Net, Value, Window};
use super::options::Stem;

/// Channels of a bottleneck's result for each in its middle.
const EXPANSION: usize = 4;

/// Writes a block called so, of this width and stride.
type Block = fn(&mut Net, &str, &Value, usize, usize) -> Value;

/// Blocks of two 3x3 convolutions; `base` channels in the first stage, twice as many in each next.
pub(super) fn basic(net: &mut Net, x: &Value, base: usize, stages: &[usize]) -> Value {
    resnet(net, x, base, stages, basic_block)
}

/// Blocks of a 1x1, a 3x3 and a 1x1 convolution.
pub(super) fn bottleneck(net: &mut Net, x: &Value, base: usize, stages: &[usize]) -> Value {
    resnet(net, x, base, stages, bottleneck_block)
}

fn resnet(net: &mut Net, x: &Value, base: usize, stages: &[usize], block: Block) -> Value {
    let base = net.wide(base);
    let mut x = stem(net, x, base);
    for (stage, &blocks) in stages.iter().enumerate() {
        for k in 0..blocks {
            let stride = if stage > 0 && k == 0 { 2 } else { 1 };
            x = block(net, &format!("layer{}.{k}", stage + 1), &x, base << stage, stride);
        }
    }
    let x = net.global_average("avgpool", &x);
    net.head("fc", &x)
}

fn stem(net: &mut Net, x: &Value, outputs: usize) -> Value {
    let window = match net.stem() {
        Stem::Cifar => Window::square(3).padded(),
        Stem::Imagenet => Window::square(7).padded().stride(2),
    };
    let x = net.conv("conv1", x, outputs, window);
    let x = net.bn("bn1", &x);
    let x = net.relu(&x);
    match net.stem() {
        Stem::Cifar => x,
        Stem::Imagenet => net.max_pool("maxpool", &x, Window::square(3).padded().stride(2)),
    }
}

fn basic_block(net: &mut Net, name: &str, x: &Value, width: usize, stride: usize) -> Value {
    let kernel = Window::square(3).padded();
    let y = layer(net, name, 1, x, width, kernel.stride(stride));
    let y = net.relu(&y);
    let y = layer(net, name, 2, &y, width, kernel);
    joined(net, name, x, &y, stride)
}

fn bottleneck_block(net: &mut Net, name: &str, x: &Value, width: usize, stride: usize) -> Value {
    let y = layer(net, name, 1, x, width, Window::square(1));
    let y = net.relu(&y);
    let y = layer(net, name, 2, &y, width, Window::square(3).padded().stride(stride));
    let y = net.relu(&y);
    let y = layer(net, name, 3, &y, EXPANSION * width, Window::square(1));
    joined(net, name, x, &y, stride)
}

/// A normalised convolution: `name.convK`, `name.bnK`.
fn layer(net: &mut Net, name: &str, k: usize, x: &Value, outputs: usize, window: Window) -> Value {
    let x = net.conv(&format!("{name}.conv{k}"), x, outputs, window);
    net.bn(&format!("{name}.bn{k}"), &x)
}

/// The sum of a block's input and what it made of it.
fn joined(net: &mut Net, name: &str, x: &Value, y: &Value, stride: usize) -> Value {
    let mut x = x.clone();
    if stride > 1 || x.channels() != y.channels() {
        let window = Window::square(1).stride(stride);
        x = net.conv(&format!("{name}.downsample.0"), &x, y.channels(), window);
        x = net.bn(&format!("{name}.downsample.1"), &x);
    }
    let sum = net.add(&format!("{name}.add"), y, &x);
    net.relu(&sum)
}
