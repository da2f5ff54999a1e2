//! DenseNet-BC: Huang et al., "Densely connected convolutional networks" (2017). Every layer reads the
//! results of all before it in its block, through a 1x1 convolution of four times its own width.

use super::net::{Net, Value, Window};
use super::options::Stem;

/// Width of a bottleneck, in layers' widths.
const BOTTLENECK: usize = 4;

/// `first` channels, then blocks of so many layers that add `growth` channels each. Between blocks
/// channels, height and width are halved.
pub(super) fn densenet(
    net: &mut Net,
    x: &Value,
    first: usize,
    growth: usize,
    blocks: &[usize],
) -> Value {
    let growth = net.wide(growth);
    let first = net.wide(first);
    let mut x = stem(net, x, first);
    for (block, &layers) in (1..).zip(blocks) {
        for layer in 1..=layers {
            let name = format!("features.denseblock{block}.denselayer{layer}");
            x = dense_layer(net, &name, &x, growth);
        }
        if block < blocks.len() {
            x = transition(net, &format!("features.transition{block}"), &x);
        }
    }
    let x = net.bn("features.norm5", &x);
    let x = net.relu(&x);
    let x = net.global_average("avgpool", &x);
    net.head("classifier", &x)
}

fn stem(net: &mut Net, x: &Value, outputs: usize) -> Value {
    match net.stem() {
        Stem::Cifar => net.conv("features.conv0", x, outputs, Window::square(3).padded()),
        Stem::Imagenet => {
            let x = net.conv("features.conv0", x, outputs, Window::square(7).padded().stride(2));
            let x = net.bn("features.norm0", &x);
            let x = net.relu(&x);
            net.max_pool("features.pool0", &x, Window::square(3).padded().stride(2))
        }
    }
}

fn dense_layer(net: &mut Net, name: &str, x: &Value, growth: usize) -> Value {
    let y = net.bn(&format!("{name}.norm1"), x);
    let y = net.relu(&y);
    let y = net.conv(&format!("{name}.conv1"), &y, BOTTLENECK * growth, Window::square(1));
    let y = net.bn(&format!("{name}.norm2"), &y);
    let y = net.relu(&y);
    let y = net.conv(&format!("{name}.conv2"), &y, growth, Window::square(3).padded());
    net.concat(name, &[x.clone(), y])
}

fn transition(net: &mut Net, name: &str, x: &Value) -> Value {
    let x = net.bn(&format!("{name}.norm"), x);
    let x = net.relu(&x);
    let outputs = (x.channels() / 2).max(1);
    let x = net.conv(&format!("{name}.conv"), &x, outputs, Window::square(1));
    net.average_pool(&format!("{name}.pool"), &x, Window::square(2).stride(2))
}
