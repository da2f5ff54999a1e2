//! GoogLeNet: Szegedy et al., "Going deeper with convolutions" (2015), with batch normalisation and
//! two 3x3 convolutions for each 5x5, as is usual for small images.

use super::net::{Net, Value, Window};
use super::options::Stem;

/// Channels of an inception: 1x1; before and of the 3x3; before and of the 5x5; behind the pool.
type Widths = [usize; 6];

const STAGES: [&[(&str, Widths)]; 3] = [
    &[("inception3a", [64, 96, 128, 16, 32, 32]), ("inception3b", [128, 128, 192, 32, 96, 64])],
    &[
        ("inception4a", [192, 96, 208, 16, 48, 64]),
        ("inception4b", [160, 112, 224, 24, 64, 64]),
        ("inception4c", [128, 128, 256, 24, 64, 64]),
        ("inception4d", [112, 144, 288, 32, 64, 64]),
        ("inception4e", [256, 160, 320, 32, 128, 128]),
    ],
    &[
        ("inception5a", [256, 160, 320, 32, 128, 128]),
        ("inception5b", [384, 192, 384, 48, 128, 128]),
    ],
];

pub(super) fn googlenet(net: &mut Net, x: &Value) -> Value {
    let mut x = stem(net, x);
    for (stage, blocks) in STAGES.iter().enumerate() {
        let pool = format!("maxpool{}", stage + 2);
        x = net.max_pool(&pool, &x, Window::square(3).padded().stride(2));
        for (name, widths) in *blocks {
            x = inception(net, name, &x, widths.map(|width| net.wide(width)));
        }
    }
    let x = net.global_average("avgpool", &x);
    let x = net.dropout(&x, 0.4);
    net.head("fc", &x)
}

fn stem(net: &mut Net, x: &Value) -> Value {
    let (few, many) = (net.wide(64), net.wide(192));
    let kernel = Window::square(3).padded();
    let x = match net.stem() {
        Stem::Cifar => {
            let x = net.conv_bn_relu("conv1", x, few, kernel);
            net.conv_bn_relu("conv2", &x, few, kernel)
        }
        Stem::Imagenet => {
            let x = net.conv_bn_relu("conv1", x, few, Window::square(7).padded().stride(2));
            let x = net.max_pool("maxpool1", &x, kernel.stride(2));
            net.conv_bn_relu("conv2", &x, few, Window::square(1))
        }
    };
    net.conv_bn_relu("conv3", &x, many, kernel)
}

fn inception(net: &mut Net, name: &str, x: &Value, widths: Widths) -> Value {
    let [plain, before3, of3, before5, of5, behind_pool] = widths;
    let (point, kernel) = (Window::square(1), Window::square(3).padded());
    let mut branch = |place: &str, x: &Value, outputs: usize, window: Window| {
        biased(net, &format!("{name}.branch{place}"), x, outputs, window)
    };
    let first = branch("1", x, plain, point);
    let second = branch("2.0", x, before3, point);
    let second = branch("2.1", &second, of3, kernel);
    let third = branch("3.0", x, before5, point);
    let third = branch("3.1", &third, of5, kernel);
    let third = branch("3.2", &third, of5, kernel);
    let fourth = net.max_pool(&format!("{name}.branch4.0"), x, kernel);
    let fourth = biased(net, &format!("{name}.branch4.1"), &fourth, behind_pool, point);
    net.concat(name, &[first, second, third, fourth])
}

/// As [`Net::conv_bn_relu`], with a bias.
fn biased(net: &mut Net, name: &str, x: &Value, outputs: usize, window: Window) -> Value {
    let x = net.biased_conv(&format!("{name}.conv"), x, outputs, window);
    let x = net.bn(&format!("{name}.bn"), &x);
    net.relu(&x)
}
