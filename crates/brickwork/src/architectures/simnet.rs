//! SimNet, the small network of the Model LEGO experiments (arXiv 2203.13453): three convolutions
//! and two linear layers without a function between them.

use super::net::{Net, Value, Window};

pub(super) fn simnet(net: &mut Net, x: &Value) -> Value {
    let halve = Window::square(2).stride(2);
    let x = conv(net, "conv1", x, 9);
    let x = net.max_pool("pool1", &x, halve);
    let x = conv(net, "conv2", &x, 27);
    let x = net.max_pool("pool2", &x, halve);
    let x = conv(net, "conv3", &x, 81);
    let x = net.flatten(&x);
    let x = net.linear("fc1", &x, net.wide(2048));
    net.head("fc2", &x)
}

fn conv(net: &mut Net, name: &str, x: &Value, outputs: usize) -> Value {
    let x = net.biased_conv(name, x, net.wide(outputs), Window::square(3).padded());
    net.relu(&x)
}
