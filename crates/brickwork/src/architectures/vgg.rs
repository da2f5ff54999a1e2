//! VGG: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
//! recognition" (2014), with batch normalisation. Its head sees the mean over all positions, which
//! for 32x32 images is the one position there is.

use super::net::{Net, Value, Window};

/// The network with so many convolutions before each pool.
pub(super) fn vgg(net: &mut Net, x: &Value, stages: [usize; 5]) -> Value {
    let (mut x, mut place) = (x.clone(), 0);
    for (convolutions, width) in stages.into_iter().zip([64, 128, 256, 512, 512]) {
        for _ in 0..convolutions {
            let [conv, bn] = [place, place + 1].map(|place| format!("features.{place}"));
            x = net.biased_conv(&conv, &x, net.wide(width), Window::square(3).padded());
            x = net.bn(&bn, &x);
            x = net.relu(&x);
            place += 3;
        }
        x = net.max_pool(&format!("features.{place}"), &x, Window::square(2).stride(2));
        place += 1;
    }
    let x = net.global_average("avgpool", &x);
    let x = hidden(net, "classifier.0", &x);
    let x = hidden(net, "classifier.3", &x);
    net.head("classifier.6", &x)
}

fn hidden(net: &mut Net, name: &str, x: &Value) -> Value {
    let x = net.linear(name, x, net.wide(4096));
    let x = net.relu(&x);
    net.dropout(&x, 0.5)
}
