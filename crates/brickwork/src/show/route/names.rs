//! Names short enough to draw.

use std::collections::BTreeMap;

/// What tells layers apart: `/layer1/layer1.0/conv1/Conv` is `layer1.0.conv1`. Names that would
/// become the same stay whole.
pub(super) fn shorten(names: &[&str]) -> Vec<String> {
    let short: Vec<String> = names.iter().map(|name| path(name)).collect();
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    short.iter().for_each(|name| *count.entry(name).or_default() += 1);
    let pairs = names.iter().zip(&short);
    pairs.map(|(name, short)| if count[&**short] > 1 { *name } else { short }.to_owned()).collect()
}

/// Exporters write a path in which every module repeats the one it is in, and an operator.
fn path(name: &str) -> String {
    let Some(rest) = name.strip_prefix('/') else { return name.to_owned() };
    let mut parts: Vec<&str> = rest.split('/').collect();
    if parts.len() > 1 {
        parts.pop();
    }
    let repeats = |k: usize| {
        let next = parts.get(k + 1).and_then(|next| next.strip_prefix(parts[k]));
        next.is_some_and(|tail| tail.starts_with('.'))
    };
    let kept: Vec<&str> = (0..parts.len()).filter(|&k| !repeats(k)).map(|k| parts[k]).collect();
    kept.join(".")
}

/// The module a layer is in, and what it is called there: `layer1.0` and `conv1`.
pub(super) fn split(short: &str) -> (&str, &str) {
    let mut end = short.len();
    while let Some(dot) = short[..end].rfind('.') {
        if short[dot + 1..end].starts_with(|c: char| !c.is_ascii_digit()) {
            return (&short[..dot], &short[dot + 1..]);
        }
        end = dot;
    }
    ("", short)
}

/// The end of a text that fits into so many characters.
pub(super) fn fit(text: &str, room: usize) -> String {
    let count = text.chars().count();
    if count <= room {
        return text.to_owned();
    }
    let tail: String = text.chars().skip(count + 1 - room.max(2)).collect();
    format!("…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_what_they_repeat() {
        let names = ["/layer1/layer1.0/conv1/Conv", "/features/features.0/features.0.0/Conv"];
        assert_eq!(shorten(&names), ["layer1.0.conv1", "features.0.0"]);
        assert_eq!(shorten(&["/fc/Gemm", "/Conv", "node_7"]), ["fc", "Conv", "node_7"]);
        assert_eq!(shorten(&["/a/Conv", "/a/Conv_1"]), ["/a/Conv", "/a/Conv_1"]);
    }

    #[test]
    fn layers_are_called_within_their_module() {
        assert_eq!(split("layer1.0.conv1"), ("layer1.0", "conv1"));
        assert_eq!(split("mixed.branch.0"), ("mixed", "branch.0"));
        assert_eq!(split("features.0.0"), ("", "features.0.0"));
        assert_eq!(split("fc"), ("", "fc"));
    }

    #[test]
    fn long_names_keep_their_end() {
        assert_eq!(fit("conv1", 5), "conv1");
        assert_eq!(fit("convolution", 5), "…tion");
    }
}
