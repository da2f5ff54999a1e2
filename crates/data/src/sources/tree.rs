//! Image files in one folder per class.

use std::collections::BTreeSet;
use std::iter;
use std::path::{Path, PathBuf};

use super::files::{self, Entry};
use super::parts::choose;
use crate::error::{DataError, IMAGE_FORMATS};
use crate::samples::{Found, ImageFile, Labels, Samples};
use crate::split::Split;

/// A folder of images of one class.
struct Class {
    name: String,
    images: Vec<PathBuf>,
}

/// The class folders of one part.
struct Part {
    path: PathBuf,
    classes: Vec<Class>,
}

impl Part {
    fn is_empty(&self) -> bool {
        self.classes.iter().all(|class| class.images.is_empty())
    }

    fn check(&self) -> Result<(), DataError> {
        if !self.is_empty() {
            return Ok(());
        }
        let problem = format!(
            "holds no folders with {IMAGE_FORMATS} files, one folder per class; add them, or ask for \
             another part"
        );
        Err(DataError::malformed(self.path.display().to_string(), problem))
    }
}

/// Folders this deep below that of a class are looked into, which is more than anybody makes by hand.
pub(super) const DEPTH: usize = 16;

/// Opens the class folders among `entries`, or those in the split folders among them; `None` if
/// there are no images in them. A class has all images below its folder. Where all there is is one
/// folder of such folders, it is that one. Other files than images are passed over.
pub(super) fn open(
    path: &Path,
    entries: &[Entry],
    split: Option<Split>,
) -> Result<Option<Found>, DataError> {
    let folders: Vec<&Entry> = entries.iter().filter(|entry| entry.is_folder).collect();
    if let [wrapper] = folders[..] {
        let inner = files::list(&wrapper.path)?;
        if is_wrapper(&inner)? {
            return open(&wrapper.path, &inner, split);
        }
    }
    let parts = match split_folders(path, &folders)? {
        None => vec![(None, Part { path: path.into(), classes: classes(&folders)? })],
        Some(splits) => parts(&folders, &splits)?,
    };
    if parts.iter().all(|(_, part)| part.is_empty()) {
        return Ok(None);
    }
    let names = class_names(&parts)?;
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    let chosen = choose(path, parts, split)?;
    for part in chosen.parts {
        part.check()?;
        for class in part.classes {
            let label = names.iter().position(|name| *name == class.name).unwrap_or(names.len());
            labels.extend(iter::repeat_n(label, class.images.len()));
            images.extend(class.images.into_iter().map(ImageFile::Own));
        }
    }
    let (samples, labels) = (Samples::Files(images), Labels::One(labels));
    let (kind, split) = ("image files", chosen.split);
    Ok(Some(Found { kind, split, classes: names, samples, labels }))
}

/// Whether a folder that stands alone in another holds a data set: parts, or several classes.
fn is_wrapper(entries: &[Entry]) -> Result<bool, DataError> {
    if entries.iter().any(is_image) {
        return Ok(false);
    }
    let folders: Vec<&Entry> = entries.iter().filter(|entry| entry.is_folder).collect();
    if folders.iter().any(|folder| Split::of_word(&folder.name).is_some()) {
        return Ok(true);
    }
    let mut classes = 0;
    for folder in &folders {
        classes += usize::from(files::list(&folder.path)?.iter().any(is_image));
    }
    Ok(classes > 1)
}

/// What each folder stands for if they are splits, `None` if they are classes.
fn split_folders(path: &Path, folders: &[&Entry]) -> Result<Option<Vec<Option<Split>>>, DataError> {
    let kinds: Vec<Option<Split>> =
        folders.iter().map(|folder| Split::of_word(&folder.name)).collect();
    if kinds.iter().all(Option::is_none) {
        return Ok(None);
    }
    if kinds.iter().all(Option::is_some) {
        return Ok(Some(kinds));
    }
    let named = folders.iter().zip(&kinds).filter(|(_, kind)| kind.is_some());
    for (folder, _) in named {
        if !files::list(&folder.path)?.iter().any(is_image) {
            let problem = format!(
                "has a folder {} beside folders of other kinds, which may be parts or classes; \
                 open {} itself, or move the other folders away",
                folder.name,
                folder.path.display()
            );
            return Err(DataError::malformed(path.display().to_string(), problem));
        }
    }
    Ok(None)
}

fn parts(
    folders: &[&Entry],
    splits: &[Option<Split>],
) -> Result<Vec<(Option<Split>, Part)>, DataError> {
    let mut parts = Vec::new();
    for (folder, split) in folders.iter().zip(splits) {
        let entries = files::list(&folder.path)?;
        let inner: Vec<&Entry> = entries.iter().filter(|entry| entry.is_folder).collect();
        parts.push((*split, Part { path: folder.path.clone(), classes: classes(&inner)? }));
    }
    Ok(parts)
}

fn classes(folders: &[&Entry]) -> Result<Vec<Class>, DataError> {
    let class = |folder: &&Entry| {
        let mut images = Vec::new();
        gather(&folder.path, DEPTH, &mut images)?;
        Ok(Class { name: folder.name.clone(), images })
    };
    folders.iter().map(class).collect()
}

/// Adds all images in `folder` and below, folders after files.
pub(super) fn gather(
    folder: &Path,
    depth: usize,
    images: &mut Vec<PathBuf>,
) -> Result<(), DataError> {
    let entries = files::list(folder)?;
    images.extend(entries.iter().filter(|entry| is_image(entry)).map(|entry| entry.path.clone()));
    for inner in entries.iter().filter(|entry| entry.is_folder) {
        let Some(depth) = depth.checked_sub(1) else {
            let problem = format!("lies more than {DEPTH} folders below a class; move it up");
            return Err(DataError::malformed(inner.path.display().to_string(), problem));
        };
        gather(&inner.path, depth, images)?;
    }
    Ok(())
}

/// The classes of the training part, or of the first: no other part may have more.
fn class_names(parts: &[(Option<Split>, Part)]) -> Result<Vec<String>, DataError> {
    let leading = parts.iter().find(|(split, _)| *split == Some(Split::Train)).or(parts.first());
    let names = |part: &Part| -> BTreeSet<String> {
        part.classes.iter().map(|class| class.name.clone()).collect()
    };
    let known = leading.map(|(_, part)| names(part)).unwrap_or_default();
    for (_, part) in parts {
        let unknown: Vec<String> = names(part).difference(&known).cloned().collect();
        if !unknown.is_empty() {
            let problem = format!(
                "holds classes that the training part does not: {}; rename or remove them",
                unknown.join(", ")
            );
            return Err(DataError::malformed(part.path.display().to_string(), problem));
        }
    }
    Ok(in_order(known))
}

/// Names in the order of the numbers they are, or else of the alphabet.
pub(super) fn in_order(names: BTreeSet<String>) -> Vec<String> {
    let number = |name: &String| {
        name.bytes().all(|byte| byte.is_ascii_digit()).then(|| name.parse::<u64>().ok()).flatten()
    };
    let mut names: Vec<String> = names.into_iter().collect();
    if names.iter().all(|name| number(name).is_some()) {
        names.sort_by_key(number);
    }
    names
}

/// Files that are images or say that they are.
fn is_image(entry: &Entry) -> bool {
    !entry.is_folder && files::is_any_image_name(&entry.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::fixtures::{self, file};
    use crate::{Dataset, Preprocess};

    fn refuse(names: &[&str]) -> String {
        let folder = fixtures::folder();
        Dataset::open(fixtures::tree(&folder, names), None).expect_err("refused").to_string()
    }

    #[test]
    fn folders_are_classes_and_files_decode_when_asked_for() {
        let folder = fixtures::folder();
        let path = fixtures::tree(&folder, &["dog/b.png", "dog/a.PNG", "cat/x.jpg", "cat/y.jpeg"]);
        file(&folder, "tree/readme.txt", b"about");
        file(&folder, "tree/dog/.hidden", b"");
        file(&folder, "tree/dog/notes.txt", b"about");
        let data = Dataset::open(&path, None).expect("opens");
        assert_eq!(
            (data.classes(), data.labels()),
            (&["cat".into(), "dog".into()][..], &[0, 0, 1, 1][..])
        );
        let red = |index| data.image(index).expect("decodes").pixels().clone();
        assert_eq!(red(2), crate::Pixels::U8([1, 0, 0].repeat(16)), "a.PNG before b.png");
        assert_eq!(
            data.batch(&[3], &Preprocess::plain([4, 4], 3)).expect("batch").shape(),
            [1, 3, 4, 4]
        );
        assert!(matches!(
            Dataset::open(&path, Some(Split::Train)),
            Err(DataError::NoSplit { found, .. }) if found.is_empty()
        ));
    }

    #[test]
    fn parts_share_the_classes_of_training() {
        let folder = fixtures::folder();
        let path = fixtures::tree(&folder, &["train/a/1.png", "train/b/2.png", "val/b/3.png"]);
        let open = |split| Dataset::open(&path, split).expect("opens");
        assert_eq!(open(Some(Split::Test)).labels(), [1]);
        assert_eq!(open(Some(Split::Train)).labels(), [0, 1]);
        assert_eq!(open(None).labels(), [0, 1, 1]);
        fixtures::tree(&folder, &["test/a/4.png"]);
        assert_eq!(open(Some(Split::Test)).labels(), [0], "test goes before val");
        assert_eq!(open(None).len(), 4);
        fixtures::tree(&folder, &["test/c/5.png"]);
        let unknown = Dataset::open(&path, None).expect_err("refused").to_string();
        assert!(unknown.contains("training part does not: c"), "{unknown}");
    }

    #[test]
    fn a_class_may_be_called_train() {
        let folder = fixtures::folder();
        let path = fixtures::tree(&folder, &["bus/1.png", "train/2.png"]);
        assert_eq!(Dataset::open(path, None).expect("opens").classes(), ["bus", "train"]);
        let unclear = refuse(&["bus/1.png", "train/red/2.png"]);
        assert!(unclear.contains("parts or classes"), "{unclear}");
    }

    #[test]
    fn what_would_be_missed_is_refused() {
        let other = refuse(&["1.png"]);
        assert!(other.contains("not a known kind"), "{other}");
        let flat = refuse(&["train/a/1.png", "test/2.png"]);
        assert!(flat.contains("one folder per class"), "{flat}");
        let folder = fixtures::folder();
        let path = fixtures::tree(&folder, &["a/1.png"]);
        file(&folder, "tree/a/2.avif", b"ftyp");
        let unread = Dataset::open(path, None).expect("opens").unread();
        assert!(unread.len() == 1 && unread[0].to_string().contains("2.avif"), "{unread:?}");
    }

    #[test]
    fn folders_in_those_of_classes_and_around_them_are_walked() {
        let open = |names: &[&str], split| {
            let folder = fixtures::folder();
            let data = Dataset::open(fixtures::tree(&folder, names), split).expect("opens");
            (data.classes().to_vec(), data.labels().to_vec())
        };
        let named = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let deep = open(&["a/1.png", "a/deep/er/2.png", "b/deep/3.png"], None);
        assert_eq!(deep, (named(&["a", "b"]), vec![0, 0, 1]));
        assert_eq!(open(&["one/a/1.png", "one/b/2.png"], None).0, named(&["a", "b"]));
        let parts = ["one/Training/a/1.png", "one/TESTING/a/2.png", "__MACOSX/one/b/3.png"];
        assert_eq!(open(&parts, Some(Split::Test)), (named(&["a"]), vec![0]));
        assert_eq!(open(&["a/deep/1.png"], None).0, named(&["a"]));
        assert_eq!(open(&["10/1.png", "9/2.png", "09/2.png"], None).0, named(&["09", "9", "10"]));
    }

    #[test]
    fn all_unreadable_files_are_listed() {
        let folder = fixtures::folder();
        let path = fixtures::tree(&folder, &["a/1.png", "a/2.png", "b/3.png"]);
        file(&folder, "tree/a/2.png", b"nonsense");
        file(&folder, "tree/b/3.png", &fixtures::png(4, 4, 1)[..40]);
        let data = Dataset::open(&path, None).expect("opens");
        let list: Vec<String> = data.check().iter().map(ToString::to_string).collect();
        assert_eq!(list.len(), 2);
        assert!(list[0].contains("2.png: no PNG, JPEG, WebP, BMP, TIFF or GIF file"), "{list:?}");
        assert!(list[1].contains("3.png"), "{list:?}");
        let batch = data.batch(&[0, 1, 2], &Preprocess::plain([4, 4], 3)).expect_err("refused");
        assert!(batch.to_string().contains("2.png"), "the first that fails: {batch}");
    }
}
