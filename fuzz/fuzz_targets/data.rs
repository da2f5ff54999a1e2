//! Any bytes as a data set of each kind that is one file, or a folder of it: refused in words, or its images can be read,
//! or are refused in words one by one.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use brickwork_data::{Dataset, Split};
use libfuzzer_sys::{Corpus, fuzz_target};
use tempfile::TempDir;

/// Files by whose names a kind of data is known; the first byte chooses among them.
const FILES: [&str; 12] = [
    "set.npz",
    "set.npy",
    "set.safetensors",
    "set.tar",
    "table.csv",
    "data_batch_1.bin",
    "train-images-idx3-ubyte",
    "train-images-idx3-ubyte.gz",
    "a/picture.png",
    "a/picture.jpg",
    "a/picture.webp",
    "a/picture.tiff",
];

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = TempDir::new().expect("a folder");
    for k in 0..FILES.len() {
        std::fs::create_dir_all(folder.path().join(k.to_string()).join("a")).expect("a folder");
    }
    folder
});

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((first, rest)) = bytes.split_first() else { return Corpus::Reject };
    let place = usize::from(*first) % FILES.len();
    let folder = FOLDER.path().join(place.to_string());
    let file = folder.join(FILES[place]);
    std::fs::write(&file, rest).expect("a file");
    let read = [opened(&file), opened(&folder)].contains(&true);
    if read { Corpus::Keep } else { Corpus::Reject }
});

/// Whether it is data.
fn opened(path: &Path) -> bool {
    let mut any = false;
    for split in [None, Some(Split::Train)] {
        match Dataset::open(path, split) {
            Err(error) => assert!(!error.to_string().is_empty()),
            Ok(data) => {
                any = true;
                for index in 0..data.len().min(4) {
                    assert!(
                        data.labels_of(index).iter().all(|&label| label < data.classes().len())
                    );
                    if let Err(error) = data.image(index) {
                        assert!(!error.to_string().is_empty());
                    }
                }
            }
        }
    }
    any
}
