//! LeNet-5: LeCun et al., "Gradient-based learning applied to document recognition" (1998), with
//! ReLU and maxima as it is taught today.

use super::net::{Net, Value, Window};

/// Images below this size are padded so that 28x28 and 32x32 give maps of the same size.
const FULL: usize = 32;

pub(super) fn lenet5(net: &mut Net, x: &Value) -> Value {
    let small = x.size().iter().any(|&extent| extent < FULL);
    let first = Window::square(5);
    let first = if small { first.padded() } else { first };
    let x = net.biased_conv("conv1", x, net.wide(6), first);
    let x = net.relu(&x);
    let x = net.max_pool("pool1", &x, Window::square(2).stride(2));
    let x = net.biased_conv("conv2", &x, net.wide(16), Window::square(5));
    let x = net.relu(&x);
    let x = net.max_pool("pool2", &x, Window::square(2).stride(2));
    let x = net.flatten(&x);
    let x = net.linear("fc1", &x, net.wide(120));
    let x = net.relu(&x);
    let x = net.linear("fc2", &x, net.wide(84));
    let x = net.relu(&x);
    net.head("fc3", &x)
}
