//! MobileNetV2: Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks" (2018). For
//! small images the first convolution and the first stage that would halve the size keep it.

use super::net::{Net, Value, Window};
use super::options::Stem;

/// Of every stage: expansion, channels, blocks, stride of the first.
const STAGES: [[usize; 4]; 7] = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
];

pub(super) fn v2(net: &mut Net, x: &Value) -> Value {
    let first = if net.stem() == Stem::Cifar { 1 } else { 2 };
    let kernel = Window::square(3).padded();
    let x = net.conv("features.0.0", x, net.wide(32), kernel.stride(first));
    let x = net.bn("features.0.1", &x);
    let (mut x, mut place) = (net.relu6(&x), 1);
    for (stage, [expansion, channels, blocks, stride]) in STAGES.into_iter().enumerate() {
        for k in 0..blocks {
            let stride = match (k, stage) {
                (0, 1) => first,
                (0, _) => stride,
                _ => 1,
            };
            let name = format!("features.{place}");
            x = inverted_residual(net, &name, &x, expansion, net.wide(channels), stride);
            place += 1;
        }
    }
    let x = net.conv(&format!("features.{place}.0"), &x, net.wide(1280), Window::square(1));
    let x = net.bn(&format!("features.{place}.1"), &x);
    let x = net.relu6(&x);
    let x = net.global_average("avgpool", &x);
    let x = net.dropout(&x, 0.2);
    net.head("classifier.1", &x)
}

fn inverted_residual(
    net: &mut Net,
    name: &str,
    x: &Value,
    expansion: usize,
    outputs: usize,
    stride: usize,
) -> Value {
    let (mut y, mut place) = (x.clone(), 0);
    if expansion > 1 {
        y = net.conv(&format!("{name}.conv.0.0"), &y, expansion * x.channels(), Window::square(1));
        y = net.bn(&format!("{name}.conv.0.1"), &y);
        y = net.relu6(&y);
        place = 1;
    }
    let window = Window::square(3).padded().stride(stride);
    y = net.depthwise(&format!("{name}.conv.{place}.0"), &y, window);
    y = net.bn(&format!("{name}.conv.{place}.1"), &y);
    y = net.relu6(&y);
    y = net.conv(&format!("{name}.conv.{}", place + 1), &y, outputs, Window::square(1));
    y = net.bn(&format!("{name}.conv.{}", place + 2), &y);
    if stride == 1 && x.channels() == outputs {
        y = net.add(&format!("{name}.add"), x, &y);
    }
    y
}
