//! Class lists as users write them: names, indices and inclusive ranges.

use crate::model::error::Error;

/// The indices that `text` selects among `names`: comma-separated names, indices or ranges such as
/// `5-7` (inclusive), rising and without repeats: a list is a set. A name wins over an index that
/// reads the same.
///
/// # Errors
/// Every item that selects nothing, with the closest names.
pub fn parse(text: &str, names: &[String]) -> Result<Vec<usize>, Error> {
    let mut found = Vec::new();
    let mut lost = Vec::new();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        match select(item, names) {
            Some(indices) => found.extend(indices),
            None => lost.push(item),
        }
    }
    if !lost.is_empty() {
        return Err(Error::classes(describe_lost(&lost, names)));
    }
    found.sort_unstable();
    found.dedup();
    if found.is_empty() {
        return Err(Error::classes(
            "no classes are selected; name at least one, as in cat,dog or 0-4".to_owned(),
        ));
    }
    Ok(found)
}

fn select(item: &str, names: &[String]) -> Option<Vec<usize>> {
    if let Some(index) = names.iter().position(|name| name == item) {
        return Some(vec![index]);
    }
    let number = |text: &str| text.trim().parse::<usize>().ok().filter(|&k| k < names.len());
    if let Some(index) = number(item) {
        return Some(vec![index]);
    }
    // A dash may also be part of a name, so every place to split is tried.
    item.match_indices('-').find_map(|(at, _)| {
        let (first, last) = (&item[..at], &item[at + 1..]);
        let named = |text: &str| names.iter().position(|name| name == text.trim());
        // Both ends are names, or both are indices.
        let by_name = named(first).zip(named(last));
        let (first, last) = by_name.or_else(|| number(first).zip(number(last)))?;
        (first <= last).then(|| (first..=last).collect())
    })
}

fn describe_lost(lost: &[&str], names: &[String]) -> String {
    let items: Vec<String> = lost
        .iter()
        .map(|item| match closest(item, names) {
            Some(name) => format!("`{item}` (did you mean `{name}`?)"),
            None => format!("`{item}`"),
        })
        .collect();
    let shown: Vec<&str> = names.iter().take(20).map(String::as_str).collect();
    let more = if names.len() > 20 { ", ..." } else { "" };
    format!(
        "no such class: {}; there are {}: {}{more} (indices 0 to {})",
        items.join(", "),
        names.len(),
        shown.join(", "),
        names.len().saturating_sub(1)
    )
}

fn closest<'a>(item: &str, names: &'a [String]) -> Option<&'a String> {
    let item = item.to_lowercase();
    names
        .iter()
        .map(|name| (distance(&item, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Edits (insert, delete, replace) between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replaced = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["airplane", "cat", "ankle-boot", "t-shirt", "3", "deer"].map(str::to_owned).to_vec()
    }

    #[test]
    fn names_indices_and_ranges() {
        let parse = |text| parse(text, &names()).unwrap();
        assert_eq!(parse("cat, 0"), [0, 1]);
        assert_eq!(parse("1-3,deer,2"), [1, 2, 3, 5]);
        assert_eq!(parse("ankle-boot"), [2]);
        // A class called 3 is meant by its name.
        assert_eq!(parse("3"), [4]);
        assert_eq!(parse("cat-t-shirt"), [1, 2, 3]);
    }

    #[test]
    fn unknown_classes_are_all_named() {
        let text = parse("cta,airplain,9,5-2", &names()).unwrap_err().to_string();
        for part in ["`cta`", "did you mean `airplane`?", "`9`", "`5-2`", "indices 0 to 5"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(parse(" , ", &names()).is_err());
    }
}
