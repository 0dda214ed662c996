//! `schism serve`: the store in a browser.

mod connections;
mod names;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use axum::{
    Router,
    body::Body,
    extract::{Path as UrlPath, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware,
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use clap::Args;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
};
use tower_http::services::ServeFile;

use self::names::Names;
use crate::{
    check::Budget,
    error::{ExitStatus, host_limits},
    report, run,
    store::{ConfinedFolder, REPORT_FILE},
    terminal,
};

/// Interval at which the page of a run under way is refreshed.
const REFRESH_SECONDS: &str = "3";
/// Maximum time to make the page of a run under way, for which the client waits.
const LIVE_LIMIT: Duration = Duration::from_secs(20);
const LIVE_MEMORY_BYTES: usize = 2 << 30;

/// Shows the stored runs in a browser: a table that can be sorted and filtered, with the report of each run. The table
/// refreshes itself while runs are under way.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  schism serve store                     # then open http://127.0.0.1:8090/

Only requests for the names of this address are answered (127.0.0.1, localhost, [::1], or the address of --listen), \
so that no other
page in the browser can read the store.")]
pub(crate) struct ServeArgs {
    /// Folder of the stored runs.
    #[arg(value_name = "DIR", default_value = "store")]
    store: PathBuf,
    /// Address to listen at; everyone who can reach it can read the store.
    #[arg(long, value_name = "ADDR", default_value_t = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8090))]
    listen: SocketAddr,
}

/// State shared by all requests.
#[derive(Debug)]
struct ServerState {
    root: PathBuf,
    /// Permit to make a page: pages are made one at a time.
    page_permits: Semaphore,
}

impl ServeArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        run::find_runs(&self.store)?;
        let state = Arc::new(ServerState { root: self.store.canonicalize()?, page_permits: Semaphore::new(1) });
        let runtime = host_limits::small_runtime()?;
        let ended = runtime.block_on(self.listen(state));
        // Whatever is still read or made is for nobody.
        runtime.shutdown_background();
        ended.map(|()| ExitStatus::Linearizable)
    }

    async fn listen(&self, state: Arc<ServerState>) -> anyhow::Result<()> {
        let wrong = || format!("cannot listen on {}", self.listen);
        let listener = TcpListener::bind(self.listen).await.with_context(wrong)?;
        let address = listener.local_addr().with_context(wrong)?;
        let mut interrupt = signal(SignalKind::interrupt()).context("watching for signals")?;
        let mut terminate = signal(SignalKind::terminate()).context("watching for signals")?;
        if !address.ip().is_loopback() {
            terminal::note("anyone who reaches this address can read the store");
        }
        terminal::print(&format!("http://{address}/\n"))?;
        let app = Router::new()
            .route("/", get(index))
            .route("/live/{*path}", get(live_page))
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
        Ok(Ok(page)) => html(page.into_string()),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "the store cannot be read").into_response(),
    }
}

/// Makes the page of a run under way, as far as it has come; it refreshes itself until the run is over or was killed,
/// and then leads to the report.
async fn live_page(State(state): State<Arc<ServerState>>, UrlPath(path): UrlPath<String>) -> Response {
    let Some(whole) = resolve(&state.root, &path).await else { return not_found() };
    if whole.join(REPORT_FILE).is_file() {
        return Redirect::to(&report::store::report_address(&path)).into_response();
    }
    let is_under_way = ConfinedFolder::of(&whole).is_ok_and(|folder| run::wrote_lately(&folder));
    let Ok(_place) = state.page_permits.acquire().await else { return not_found() };
    let told = tokio::task::spawn_blocking(move || {
        let budget = Budget::new(LIVE_LIMIT, LIVE_MEMORY_BYTES);
        run::rejudge(&whole, budget).map(|run| report::html(&report::facts_of(&run)))
    });
    let refresh = is_under_way.then_some([(header::REFRESH, REFRESH_SECONDS)]);
    match told.await {
        Ok(Ok(page)) => (refresh, html(page)).into_response(),
        _ => (refresh, "nothing happened yet").into_response(),
    }
}

/// Resolves a path in the store; never one outside of it.
async fn resolve(root: &Path, path: &str) -> Option<PathBuf> {
    let relative = Path::new(path);
    let stays = relative.components().all(|part| matches!(part, Component::Normal(_)));
    tokio::fs::canonicalize(root.join(relative)).await.ok().filter(|whole| stays && whole.starts_with(root))
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "no such file").into_response()
}

/// Answers with a page that may load nothing, whatever its content says.
fn html(page: String) -> Response {
    with_security_headers(Html(page).into_response())
}

fn with_security_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(report::POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    response
}

/// Maximum number of files of a folder that are listed.
const MAX_FILES: usize = 1000;

/// Answers with the list of a folder's files.
async fn folder(whole: PathBuf, path: String) -> Response {
    let listed = tokio::task::spawn_blocking(move || {
        let entries = ConfinedFolder::of(&whole)?.entries()?;
        let own = entries.into_iter().filter(|(_, kind)| kind.is_file() || kind.is_dir());
        let mut names: Vec<String> = own.filter_map(|(name, _)| name.into_string().ok()).collect();
        names.sort();
        names.truncate(MAX_FILES);
        std::io::Result::Ok(report::store::folder(&path, &names))
    });
    match listed.await {
        Ok(Ok(page)) => html(page.into_string()),
        _ => not_found(),
    }
}

/// Answers with a file of the store, or the list of a folder.
async fn file(State(state): State<Arc<ServerState>>, UrlPath(path): UrlPath<String>, request: Request) -> Response {
    let Some(whole) = resolve(&state.root, &path).await else { return not_found() };
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
    with_security_headers(response)
}
