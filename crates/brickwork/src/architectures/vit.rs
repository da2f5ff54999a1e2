//! Vision transformers: Dosovitskiy et al., "An image is worth 16x16 words" (2021), for small images. As in Beyer et
//! al., "Better plain ViT baselines" (2022), the classes are read from the mean over patches.

use super::net::{Net, Value, Window};

/// Channels of a head at the width of 1.
const HEAD: usize = 16;

/// How many times as wide as the stream the hidden layer of a block is.
const EXPANSION: usize = 4;

/// A transformer of `depth` blocks of `heads` heads over square patches of `side` pixels. What is left over of an image
/// is not seen.
pub(super) fn vit(net: &mut Net, x: &Value, depth: usize, heads: usize, side: usize) -> Value {
    let width = heads * net.wide(HEAD);
    let patch = Window::square(side).stride(side);
    let x = net.biased_conv("patch_embed.proj", x, width, patch);
    let x = net.tokens("patch_embed", &x);
    let mut x = net.embedded("pos_embed", &x);
    for block in 0..depth {
        x = self_attention(net, &format!("blocks.{block}"), &x, heads);
        x = hidden_layer(net, &format!("blocks.{block}"), &x);
    }
    let x = net.layer_norm("norm", &x);
    let x = net.mean_of_tokens("pool", &x);
    net.head("head", &x)
}

fn self_attention(net: &mut Net, name: &str, x: &Value, heads: usize) -> Value {
    let y = net.layer_norm(&format!("{name}.norm1"), x);
    let qkv = net.linear_of_tokens(&format!("{name}.attn.qkv"), &y, 3 * x.channels());
    let [q, k, v] = net.thirds(&format!("{name}.attn"), &qkv).map(|part| net.heads(&part, heads));
    let scores = net.scaled_products(&format!("{name}.attn.scores"), &q, &k);
    let context = net.weighted_means(&format!("{name}.attn.context"), &scores, &v);
    let merged = net.merged_heads(&format!("{name}.attn.merged"), &context, heads);
    let y = net.linear_of_tokens(&format!("{name}.attn.proj"), &merged, x.channels());
    net.add(&format!("{name}.add1"), x, &y)
}

fn hidden_layer(net: &mut Net, name: &str, x: &Value) -> Value {
    let y = net.layer_norm(&format!("{name}.norm2"), x);
    let y = net.linear_of_tokens(&format!("{name}.mlp.fc1"), &y, EXPANSION * x.channels());
    let y = net.gelu(&y);
    let y = net.linear_of_tokens(&format!("{name}.mlp.fc2"), &y, x.channels());
    net.add(&format!("{name}.add2"), x, &y)
}
