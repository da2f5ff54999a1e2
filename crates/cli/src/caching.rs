//! Where steps of long work are kept for another time.

use std::path::{Path, PathBuf};

use brickwork::Cache;
use etcetera::BaseStrategy;

use crate::args::Global;

/// The word that stands for no folder.
const NONE: &str = "none";

/// What is kept by this program; nothing if the user wants none, or has no folder for caches.
pub(crate) fn cache(global: &Global) -> Option<Cache> {
    let usual = || Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("brickwork"));
    let folder = global.cache.clone().or_else(in_surroundings).or_else(usual);
    let folder = folder.filter(|folder| folder != Path::new(NONE));
    folder.map(|folder| Cache::new(folder, &program()))
}

/// What is kept where the environment variable `BRICKWORK_CACHE` says, if it says so.
pub fn asked_cache() -> Option<Cache> {
    let folder = in_surroundings().filter(|folder| folder != Path::new(NONE));
    folder.map(|folder| Cache::new(folder, "library"))
}

fn in_surroundings() -> Option<PathBuf> {
    std::env::var_os("BRICKWORK_CACHE").map(PathBuf::from)
}

/// What tells this program from others, whose results may differ: how large it is, and when it was built.
fn program() -> String {
    let found = std::env::current_exe().and_then(std::fs::metadata);
    let told = found.and_then(|file| Ok(format!("{} {:?}", file.len(), file.modified()?)));
    told.unwrap_or_default()
}
