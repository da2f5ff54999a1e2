//! What files and classes are called.

use std::path::PathBuf;

use brickwork::{list_classes, parse_classes};

use crate::failure::StudioError;

/// Where the profile of a model lies.
pub(crate) fn profile_of(file: &str) -> PathBuf {
    PathBuf::from(file).with_extension("profile.safetensors")
}

/// Where the report on a model lies.
pub(crate) fn report_of(file: &str) -> PathBuf {
    PathBuf::from(file.replace(".onnx", "-report.html"))
}

/// Classes as requests list them: by name, or by number where names would be misread.
pub(crate) fn listed(names: &[String], classes: &[usize]) -> Result<String, StudioError> {
    let by_name: Vec<String> =
        classes.iter().filter_map(|&class| names.get(class)).cloned().collect();
    let by_number: Vec<String> = classes.iter().map(usize::to_string).collect();
    let means = |list: &String| parse_classes(list, names).is_ok_and(|found| found == classes);
    let found = [list_classes(&by_name), list_classes(&by_number)].into_iter().find(means);
    found.ok_or_else(|| {
        StudioError::request("these classes cannot be told apart by name or by number")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_listed_so_that_they_are_read_back() {
        let names = ["cat", "a, b", "5-7", "\"x\"", "1"].map(str::to_owned);
        for classes in [vec![0], vec![1], vec![0, 1, 2], vec![3, 4], vec![0, 1, 2, 3, 4]] {
            let text = listed(&names, &classes).expect("these can be told apart");
            assert_eq!(parse_classes(&text, &names).expect("it is understood"), classes, "{text}");
        }
    }
}
