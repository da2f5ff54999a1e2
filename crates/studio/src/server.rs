//! The studio as a server on this machine.

use std::future::IntoFuture;
use std::io;
use std::net::{self, IpAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use futures_util::future::{self, Either};
use tokio::net::TcpListener;

use crate::app::{App, unpack};
use crate::failure::StudioError;
use crate::folder;
use crate::guard::Guard;
use crate::jobs::Jobs;
use crate::pages;
use crate::plate::Plate;
use crate::shelf::Shelf;
use crate::store::Store;

/// How many threads answer browsers. The work of jobs has its own.
const THREADS: usize = 2;

/// How often the studio looks whether it is to end.
const PACE: Duration = Duration::from_millis(100);

/// Where the token is kept, so that open pages go on working when the studio is started again.
const TOKEN: &str = "token.json";

/// What a studio is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder to work on; it is made if it is not there.
    pub folder: PathBuf,
    /// The address of this machine to listen on.
    pub host: IpAddr,
    /// The port to listen on; any that is free if it is 0 or taken.
    pub port: u16,
    /// Bytes that a file sent by a browser may have.
    pub upload_limit: usize,
    /// The folder of the user's own box, an absolute path; none if there is to be no such box.
    pub user_box: Option<PathBuf>,
    /// Models and images for somebody who has none: paths in the folder, and what they hold.
    pub samples: &'static [(&'static str, &'static [u8])],
}

/// A studio that listens.
pub struct Studio {
    listener: net::TcpListener,
    routes: Router,
    address: String,
    jobs: Arc<Jobs>,
}

impl Studio {
    /// Opens the folder and begins to listen. The process works in the folder from then on, so that requests, and the
    /// recipes made of them, name files as they are called from there. A folder without anything in it gets the samples.
    ///
    /// # Errors
    /// If the folder cannot be used, or the address not listened on.
    pub fn open(settings: &Settings) -> Result<Self, StudioError> {
        let place = |place: String| move |error: io::Error| StudioError::Place { place, error };
        if settings.host.is_unspecified() {
            return Err(StudioError::request(format!(
                "{} is every address of this machine; name the one by which browsers will call it",
                settings.host
            )));
        }
        let named = || settings.folder.display().to_string();
        std::fs::create_dir_all(&settings.folder).map_err(place(named()))?;
        std::env::set_current_dir(&settings.folder).map_err(place(named()))?;
        let store = Store::open("".as_ref())?;
        if folder::places().is_empty() {
            unpack(settings.samples)?;
        }
        let listener = net::TcpListener::bind((settings.host, settings.port))
            .or_else(|_| net::TcpListener::bind((settings.host, 0)))
            .map_err(place(settings.host.to_string()))?;
        let port = listener.local_addr().map_err(place(settings.host.to_string()))?.port();
        let host = if settings.host.is_ipv6() {
            format!("[{}]", settings.host)
        } else {
            settings.host.to_string()
        };
        let mut hosts = vec![format!("{host}:{port}")];
        if settings.host.is_loopback() {
            hosts.push(format!("localhost:{port}"));
        }
        let token = token(&store)?;
        let address = format!("http://{}/?token={token}", hosts[0]);
        let guard = Guard { hosts: hosts.into(), token: token.into() };
        let shelf = Arc::new(Shelf::new(store.clone()));
        let jobs = Jobs::start(store.clone(), Arc::clone(&shelf))?;
        let plate = Arc::new(Mutex::new(Plate::remembered(&store)));
        let (user_box, samples) = (settings.user_box.clone(), settings.samples);
        let app = App { shelf, jobs: Arc::clone(&jobs), plate, store, user_box, samples };
        let routes = pages::routes()
            .layer(DefaultBodyLimit::max(settings.upload_limit))
            .layer(middleware::from_fn_with_state(guard, Guard::watch))
            .with_state(app);
        Ok(Self { listener, routes, address, jobs })
    }

    /// Where a browser finds it, with the token that it must know.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it answers, for whoever serves it otherwise.
    pub fn routes(&self) -> Router {
        self.routes.clone()
    }

    /// Serves until `ended` says so; a job that runs is stopped then, and can go on another time.
    ///
    /// # Errors
    /// If it cannot go on listening.
    pub fn serve(self, ended: impl Fn() -> bool) -> Result<(), StudioError> {
        let address = self.address.clone();
        let failed = |error| StudioError::Place { place: address.clone(), error };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("studio")
            .enable_all()
            .build()
            .map_err(failed)?;
        runtime
            .block_on(async {
                self.listener.set_nonblocking(true)?;
                let serving = axum::serve(TcpListener::from_std(self.listener)?, self.routes);
                // Open pages hold connections that never end by themselves.
                match future::select(serving.into_future(), pin!(until(ended))).await {
                    Either::Left((result, _)) => result,
                    Either::Right(_) => Ok(()),
                }
            })
            .map_err(failed)?;
        self.jobs.end();
        // Whatever a page still waits for ends with the process.
        runtime.shutdown_background();
        Ok(())
    }
}

/// Waits until `ended` says so.
async fn until(ended: impl Fn() -> bool) {
    while !ended() {
        tokio::time::sleep(PACE).await;
    }
}

/// The token that is remembered, or a new one of 128 random bits.
fn token(store: &Store) -> Result<String, StudioError> {
    let known: String = store.read(TOKEN);
    if known.len() == 32 {
        return Ok(known);
    }
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| StudioError::Place {
        place: "random numbers".to_owned(),
        error: io::Error::other(error.to_string()),
    })?;
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    store.write(TOKEN, &token)?;
    private(&store.place(TOKEN))?;
    Ok(token)
}

/// Keeps other users of the machine from reading a file.
#[cfg(unix)]
fn private(path: &std::path::Path) -> Result<(), StudioError> {
    use std::os::unix::fs::PermissionsExt;

    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .map_err(|error| StudioError::Place { place: path.display().to_string(), error })
}

/// Elsewhere, what a user writes is the user's own.
#[cfg(not(unix))]
fn private(_: &std::path::Path) -> Result<(), StudioError> {
    Ok(())
}
