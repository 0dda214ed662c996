//! `schism serve`: the store in a browser.

mod answers;
mod connections;
mod live;
mod names;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use anyhow::Context as _;
use axum::{
    Router,
    body::Body,
    extract::{Path as UrlPath, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::get,
};
use clap::Args;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
};
use tower_http::services::ServeFile;

use self::{
    answers::{ServerState, html, live_html, not_found, with_security_headers},
    names::Names,
};
use super::store::StoreFolder;
use crate::{
    error::{ExitStatus, Failure, host_limits},
    report, run,
    store::ConfinedFolder,
    terminal,
};

/// Shows the stored runs in a browser: a table that can be sorted and filtered, with the report of each run. The
/// table follows the store, and the page of a run under way becomes its report.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  schism serve store                     # then open http://127.0.0.1:8090/

Only requests for the names of this address are answered (127.0.0.1, localhost, [::1], or the address of --listen), \
so that no other page in the browser can read the store. At most 64 connections are open at a time, and one that is \
idle for 30 s is closed; at most 16 pages follow what changes, each for an hour until it asks again.")]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    store: StoreFolder,
    /// Address to listen at; everyone who can reach it can read the store.
    #[arg(
        long,
        value_name = "ADDR",
        default_value_t = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8090),
        value_parser = parse_address
    )]
    listen: SocketAddr,
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected an IP address and a port, such as 127.0.0.1:9000".to_owned())
}

impl ServeArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        let store = self.store.path();
        run::find_runs(store)?;
        let state = Arc::new(ServerState {
            root: store.canonicalize()?,
            page_permits: Semaphore::new(1),
            stream_permits: Arc::new(Semaphore::new(live::MAX_STREAMS)),
        });
        let runtime = host_limits::small_runtime()?;
        let ended = runtime.block_on(self.listen(state));
        // Whatever is still read or made is for nobody.
        runtime.shutdown_background();
        ended.map(|()| ExitStatus::Linearizable)
    }

    async fn listen(&self, state: Arc<ServerState>) -> anyhow::Result<()> {
        let wrong = || format!("cannot listen on {}", self.listen);
        let listener = TcpListener::bind(self.listen).await.map_err(|error| {
            let failure = Failure::new(ExitStatus::Failed, format!("{}: {error}", wrong()));
            if error.kind() == io::ErrorKind::AddrInUse {
                return failure.hint("--listen 127.0.0.1:0 takes a port that is free");
            }
            failure.hint("--listen gives another address of this host")
        })?;
        let address = listener.local_addr().with_context(wrong)?;
        let mut interrupt = signal(SignalKind::interrupt()).context("watching for signals")?;
        let mut terminate = signal(SignalKind::terminate()).context("watching for signals")?;
        if !address.ip().is_loopback() {
            terminal::note("anyone who reaches this address can read the store");
        }
        terminal::print(&format!("http://{address}/\n"))?;
        let app = Router::new()
            .route("/", get(index))
            .route("/-/events", get(live::store_events))
            .route("/-/live/{*path}", get(live::page))
            .route("/-/events/{*path}", get(live::run_events))
            .route("/-/judged/{*path}", get(live::judged))
            .route("/{*path}", get(file))
            .fallback(async || not_found())
            .layer(middleware::from_fn_with_state(Names::of(address), names::guard))
            .with_state(state);
        let stop = async {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        };
        connections::serve(listener, app, stop).await;
        Ok(())
    }
}

async fn index(State(state): State<Arc<ServerState>>) -> Response {
    let listed = tokio::task::spawn_blocking(move || {
        run::find_runs(&state.root).map(|all| report::store::page(&state.root, &all))
    });
    match listed.await {
        Ok(Ok(page)) => live_html(page.into_string()),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "the store cannot be read").into_response(),
    }
}

/// Maximum number of files of a folder that are listed.
const MAX_FILES: usize = 1000;

/// Answers with the list of a folder's files.
async fn folder(whole: PathBuf, path: String) -> Response {
    let listed = tokio::task::spawn_blocking(move || {
        let entries = ConfinedFolder::of(&whole)?.entries()?;
        let own = entries.into_iter().filter(|(_, kind)| kind.is_file() || kind.is_dir());
        let mut files: Vec<report::store::ListedFile> = own
            .filter_map(|(name, kind)| {
                let bytes = kind.is_file().then(|| whole.join(&name).symlink_metadata().map(|found| found.len()).ok());
                Some(report::store::ListedFile { name: name.into_string().ok()?, bytes: bytes.flatten() })
            })
            .collect();
        files.sort();
        let hidden = files.len().saturating_sub(MAX_FILES);
        files.truncate(MAX_FILES);
        io::Result::Ok(report::store::folder(&path, &files, hidden))
    });
    match listed.await {
        Ok(Ok(page)) => html(page.into_string()),
        _ => not_found(),
    }
}

/// Answers with a file of the store, or the list of a folder.
async fn file(State(state): State<Arc<ServerState>>, UrlPath(path): UrlPath<String>, request: Request) -> Response {
    let Some(whole) = state.resolve(&path).await else { return not_found() };
    // A pipe or a device would hold whoever opens it.
    match tokio::fs::metadata(&whole).await {
        Ok(found) if found.is_dir() => return folder(whole, path).await,
        Ok(found) if found.is_file() => {}
        _ => return not_found(),
    }
    let kind = match whole.extension().and_then(|ending| ending.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("zst" | "sqlite") => "application/octet-stream",
        _ => "text/plain; charset=utf-8",
    };
    let Ok(found) = ServeFile::new(whole).try_call(request).await else { return not_found() };
    let mut response = found.map(Body::new);
    if response.status().is_success() {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    with_security_headers(response, report::POLICY)
}
