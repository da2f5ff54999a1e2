//! SimpleNet v1: Hasanpour et al., "Lets keep it simple, using simple architectures to outperform
//! deeper and more complex architectures" (2016).

use super::net::{Net, Value, Window};

const KERNEL: Window = Window::square(3).padded();
const POINT: Window = Window::square(1);

/// Convolutions, with a pool and dropout after each group.
const GROUPS: [&[(usize, Window)]; 5] = [
    &[(64, KERNEL), (128, KERNEL), (128, KERNEL), (128, KERNEL)],
    &[(128, KERNEL), (128, KERNEL), (256, KERNEL)],
    &[(256, KERNEL), (256, KERNEL)],
    &[(512, KERNEL)],
    &[(2048, POINT), (256, POINT)],
];

pub(super) fn v1(net: &mut Net, x: &Value) -> Value {
    let (mut x, mut place) = (x.clone(), 0);
    for (group, layers) in GROUPS.iter().enumerate() {
        for &(outputs, window) in *layers {
            place += 1;
            x = layer(net, place, &x, outputs, window);
        }
        let pool = format!("pool{}", group + 1);
        x = net.max_pool(&pool, &x, Window::square(2).stride(2));
        x = net.dropout(&x, 0.1);
    }
    let x = layer(net, place + 1, &x, 256, KERNEL);
    let x = net.global_max("maxpool", &x);
    net.head("classifier", &x)
}

fn layer(net: &mut Net, place: usize, x: &Value, outputs: usize, window: Window) -> Value {
    let x = net.biased_conv(&format!("conv{place}"), x, net.wide(outputs), window);
    let x = net.bn(&format!("bn{place}"), &x);
    net.relu(&x)
}
