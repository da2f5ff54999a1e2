//! Inception v3: Szegedy et al., "Rethinking the Inception architecture for computer vision" (2016),
//! as torchvision lists its layers, without the auxiliary head. For small images its stem keeps the
//! size.

use super::net::{Net, Value, Window};
use super::options::Stem;

const POINT: Window = Window::square(1);
const KERNEL: Window = Window::square(3).padded();
const HALVE: Window = Window::square(3).stride(2);

pub(super) fn inception_v3(net: &mut Net, x: &Value) -> Value {
    net.epsilon(1e-3);
    let x = stem(net, x);
    let x = a(net, "Mixed_5b", &x, 32);
    let x = a(net, "Mixed_5c", &x, 64);
    let x = a(net, "Mixed_5d", &x, 64);
    let x = b(net, "Mixed_6a", &x);
    let x = c(net, "Mixed_6b", &x, 128);
    let x = c(net, "Mixed_6c", &x, 160);
    let x = c(net, "Mixed_6d", &x, 160);
    let x = c(net, "Mixed_6e", &x, 192);
    let x = d(net, "Mixed_7a", &x);
    let x = e(net, "Mixed_7b", &x);
    let x = e(net, "Mixed_7c", &x);
    let x = net.global_average("avgpool", &x);
    let x = net.dropout(&x, 0.5);
    net.head("fc", &x)
}

fn stem(net: &mut Net, x: &Value) -> Value {
    let small = net.stem() == Stem::Cifar;
    let (first, second) = if small { (KERNEL, KERNEL) } else { (HALVE, Window::square(3)) };
    let pool = |net: &mut Net, name: &str, x: Value| {
        if small { x } else { net.max_pool(name, &x, HALVE) }
    };
    let x = conv(net, "Conv2d_1a_3x3", x, 32, first);
    let x = conv(net, "Conv2d_2a_3x3", &x, 32, second);
    let x = conv(net, "Conv2d_2b_3x3", &x, 64, KERNEL);
    let x = pool(net, "maxpool1", x);
    let x = conv(net, "Conv2d_3b_1x1", &x, 80, POINT);
    let x = conv(net, "Conv2d_4a_3x3", &x, 192, Window::square(3));
    pool(net, "maxpool2", x)
}

/// Sizes as they are; 5x5 in one and in two steps.
fn a(net: &mut Net, name: &str, x: &Value, behind_pool: usize) -> Value {
    let parts = [
        chain(net, name, x, &[("branch1x1", 64, POINT)]),
        chain(
            net,
            name,
            x,
            &[("branch5x5_1", 48, POINT), ("branch5x5_2", 64, Window::square(5).padded())],
        ),
        chain(
            net,
            name,
            x,
            &[
                ("branch3x3dbl_1", 64, POINT),
                ("branch3x3dbl_2", 96, KERNEL),
                ("branch3x3dbl_3", 96, KERNEL),
            ],
        ),
        pooled(net, name, x, behind_pool),
    ];
    net.concat(name, &parts)
}

/// Halves the size.
fn b(net: &mut Net, name: &str, x: &Value) -> Value {
    let parts = [
        chain(net, name, x, &[("branch3x3", 384, HALVE)]),
        chain(
            net,
            name,
            x,
            &[
                ("branch3x3dbl_1", 64, POINT),
                ("branch3x3dbl_2", 96, KERNEL),
                ("branch3x3dbl_3", 96, HALVE),
            ],
        ),
        net.max_pool(&format!("{name}.branch_pool"), x, HALVE),
    ];
    net.concat(name, &parts)
}

/// Sizes as they are; 7x7 in lines and columns of `inner` channels.
fn c(net: &mut Net, name: &str, x: &Value, inner: usize) -> Value {
    let parts = [
        chain(net, name, x, &[("branch1x1", 192, POINT)]),
        chain(
            net,
            name,
            x,
            &[
                ("branch7x7_1", inner, POINT),
                ("branch7x7_2", inner, line(7)),
                ("branch7x7_3", 192, column(7)),
            ],
        ),
        chain(
            net,
            name,
            x,
            &[
                ("branch7x7dbl_1", inner, POINT),
                ("branch7x7dbl_2", inner, column(7)),
                ("branch7x7dbl_3", inner, line(7)),
                ("branch7x7dbl_4", inner, column(7)),
                ("branch7x7dbl_5", 192, line(7)),
            ],
        ),
        pooled(net, name, x, 192),
    ];
    net.concat(name, &parts)
}

/// Halves the size.
fn d(net: &mut Net, name: &str, x: &Value) -> Value {
    let parts = [
        chain(net, name, x, &[("branch3x3_1", 192, POINT), ("branch3x3_2", 320, HALVE)]),
        chain(
            net,
            name,
            x,
            &[
                ("branch7x7x3_1", 192, POINT),
                ("branch7x7x3_2", 192, line(7)),
                ("branch7x7x3_3", 192, column(7)),
                ("branch7x7x3_4", 192, HALVE),
            ],
        ),
        net.max_pool(&format!("{name}.branch_pool"), x, HALVE),
    ];
    net.concat(name, &parts)
}

/// Sizes as they are; 3x3 as a line and a column side by side.
fn e(net: &mut Net, name: &str, x: &Value) -> Value {
    let three = chain(net, name, x, &[("branch3x3_1", 384, POINT)]);
    let double =
        chain(net, name, x, &[("branch3x3dbl_1", 448, POINT), ("branch3x3dbl_2", 384, KERNEL)]);
    let parts = [
        chain(net, name, x, &[("branch1x1", 320, POINT)]),
        chain(net, name, &three, &[("branch3x3_2a", 384, line(3))]),
        chain(net, name, &three, &[("branch3x3_2b", 384, column(3))]),
        chain(net, name, &double, &[("branch3x3dbl_3a", 384, line(3))]),
        chain(net, name, &double, &[("branch3x3dbl_3b", 384, column(3))]),
        pooled(net, name, x, 192),
    ];
    net.concat(name, &parts)
}

fn line(length: usize) -> Window {
    Window::new([1, length]).padded()
}

fn column(length: usize) -> Window {
    Window::new([length, 1]).padded()
}

/// The means around each pixel, then a 1x1 convolution.
fn pooled(net: &mut Net, name: &str, x: &Value, outputs: usize) -> Value {
    let x = net.average_pool(&format!("{name}.avgpool"), x, KERNEL);
    chain(net, name, &x, &[("branch_pool", outputs, POINT)])
}

/// Convolutions in a row: name, channels and window of each.
fn chain(net: &mut Net, block: &str, x: &Value, layers: &[(&str, usize, Window)]) -> Value {
    layers.iter().fold(x.clone(), |x, (name, outputs, window)| {
        conv(net, &format!("{block}.{name}"), &x, *outputs, *window)
    })
}

fn conv(net: &mut Net, name: &str, x: &Value, outputs: usize, window: Window) -> Value {
    net.conv_bn_relu(name, x, net.wide(outputs), window)
}
