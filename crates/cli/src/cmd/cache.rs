//! `brickwork cache`

use anyhow::{Context, bail};
use serde_json::json;

use crate::args::{CacheArgs, Global};
use crate::caching::cache;
use crate::print::{Out, counted, thousands};

pub(crate) fn run(args: &CacheArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    let Some(cache) = cache(global) else { bail!("nothing is kept; name a folder by --cache") };
    let folder = cache.folder().display();
    let kept = if args.clear { cache.clear() } else { cache.kept() };
    let kept = kept.with_context(|| format!("cannot look into {folder}"))?;
    let result = json!({ "folder": cache.folder(), "files": kept.files, "bytes": kept.bytes, "cleared": args.clear });
    out.result(&result, || {
        let what = format!("{} of {} bytes", counted(kept.files, "step"), thousands(kept.bytes));
        if args.clear {
            format!("removed {what} from {folder}")
        } else {
            format!("{what} in {folder}")
        }
    })
}
