//! Small data sets on disk, for tests.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use image::{ImageFormat, Rgb, RgbImage};
use safetensors::Dtype;
use safetensors::tensor::{TensorView, serialize};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("temporary folder")
}

pub(crate) fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().expect("parent")).expect("folder");
    fs::write(&path, bytes).expect("file");
    path
}

pub(crate) fn counted(count: usize) -> Vec<u8> {
    (0..count).map(|k| k as u8).collect()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("packs");
    encoder.finish().expect("packs")
}

pub(crate) fn idx_images(count: usize, height: usize, width: usize) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3];
    for extent in [count, height, width] {
        bytes.extend((extent as u32).to_be_bytes());
    }
    bytes.extend(counted(count * height * width));
    bytes
}

pub(crate) fn idx_labels(labels: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 1];
    bytes.extend((labels.len() as u32).to_be_bytes());
    bytes.extend(labels);
    bytes
}

/// CIFAR records; each starts with its label bytes, the pixels count up over the planes.
pub(crate) fn records(labels: &[&[u8]]) -> Vec<u8> {
    labels.iter().flat_map(|label| [label.to_vec(), counted(3072)].concat()).collect()
}

pub(crate) fn npy(descr: &str, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
    let extents: String = shape.iter().map(|extent| format!("{extent}, ")).collect();
    let header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({extents}), }}\n");
    let size = (header.len() as u16).to_le_bytes();
    [&b"\x93NUMPY\x01\x00"[..], &size, header.as_bytes(), bytes].concat()
}

pub(crate) fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        writer.start_file(format!("{name}.npy"), SimpleFileOptions::default()).expect("entry");
        writer.write_all(bytes).expect("entry");
    }
    writer.finish().expect("archive").into_inner()
}

pub(crate) fn tensors(
    arrays: &[(&str, Dtype, &[usize], &[u8])],
    class_names: Option<&str>,
) -> Vec<u8> {
    let views = arrays.iter().map(|(name, dtype, shape, bytes)| {
        (*name, TensorView::new(*dtype, shape.to_vec(), bytes).expect("view"))
    });
    let metadata = class_names.map(|names| [("class_names".to_owned(), names.to_owned())].into());
    serialize(views, metadata).expect("serialises")
}

/// A safetensors file `set` with u8 images and labels.
pub(crate) fn arrays(folder: &TempDir, shape: &[usize], images: &[u8], labels: &[u8]) -> PathBuf {
    let all =
        [("images", Dtype::U8, shape, images), ("labels", Dtype::U8, &[labels.len()][..], labels)];
    file(folder, "set.safetensors", &tensors(&all, None))
}

pub(crate) fn png(width: u32, height: u32, value: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let image = RgbImage::from_pixel(width, height, Rgb([value, value / 2, 0]));
    image.write_to(&mut bytes, ImageFormat::Png).expect("encodes");
    bytes.into_inner()
}

/// Image files of 4 by 4, of a format by name, in a folder that is returned.
pub(crate) fn tree(folder: &TempDir, names: &[&str]) -> PathBuf {
    for (k, name) in names.iter().enumerate() {
        let path = file(folder, &format!("tree/{name}"), b"");
        let image = RgbImage::from_pixel(4, 4, Rgb([k as u8, 0, 0]));
        image.save(&path).expect("saves");
    }
    Path::join(folder.path(), "tree")
}
