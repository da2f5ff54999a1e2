//! AlexNet: Krizhevsky et al., "ImageNet classification with deep convolutional neural networks"
//! (2012), in its form for small images. Its head sees a map of 2x2, the size 32x32 images give.

use super::net::{Net, Value, Window};

pub(super) fn alexnet(net: &mut Net, x: &Value) -> Value {
    let (kernel, halve) = (Window::square(3).padded(), Window::square(2).stride(2));
    let x = conv(net, 0, x, 64, kernel.stride(2));
    let x = net.max_pool("features.2", &x, halve);
    let x = conv(net, 3, &x, 192, kernel);
    let x = net.max_pool("features.5", &x, halve);
    let x = conv(net, 6, &x, 384, kernel);
    let x = conv(net, 8, &x, 256, kernel);
    let x = conv(net, 10, &x, 256, kernel);
    let x = net.max_pool("features.12", &x, halve);
    let x = net.average_to_2x2("avgpool", &x);
    let x = net.flatten(&x);
    let x = hidden(net, "classifier.1", &x);
    let x = hidden(net, "classifier.4", &x);
    net.head("classifier.6", &x)
}

fn conv(net: &mut Net, place: usize, x: &Value, outputs: usize, window: Window) -> Value {
    let x = net.biased_conv(&format!("features.{place}"), x, net.wide(outputs), window);
    net.relu(&x)
}

fn hidden(net: &mut Net, name: &str, x: &Value) -> Value {
    let x = net.dropout(x, 0.5);
    let x = net.linear(name, &x, net.wide(4096));
    net.relu(&x)
}
