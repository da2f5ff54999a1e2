//! `brickwork studio`: pages in the browser.

use brickwork_studio::{Settings, Studio};
use serde_json::json;

use super::demo;
use crate::args::{Global, StudioArgs};
use crate::boxes::UserBox;
use crate::interrupt;
use crate::print::Out;

pub(crate) fn run(args: &StudioArgs, global: &Global, out: &Out) -> anyhow::Result<()> {
    let studio = Studio::open(&Settings {
        folder: args.folder.clone(),
        host: args.host,
        port: args.port,
        upload_limit: args.upload_limit as usize * 1_000_000,
        // The studio works in its folder from then on.
        user_box: Some(std::path::absolute(UserBox { folder: global.store.clone() }.place()?)?),
        samples: demo::ASSETS,
    })?;
    let address = studio.address().to_owned();
    out.result(&json!({ "address": address, "folder": args.folder }), || {
        format!(
            "The studio works on {}/. Open it at\n\n  {address}\n\nand end it with Ctrl-C.",
            args.folder.display()
        )
    })?;
    if !args.no_open {
        // Where there is no browser, the address was printed.
        let _ = open::that_detached(&address);
    }
    Ok(studio.serve(interrupt::asked)?)
}
