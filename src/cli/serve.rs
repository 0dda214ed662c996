//! `schism serve`: the store in a browser.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use axum::{
    Router,
    extract::{Path as Asked, State},
    http::{HeaderName, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use clap::Args;

use crate::{exit::ExitStatus, kept, report, run, ui};

/// How often the page of a run that is under way is made again.
const REFRESH_SECONDS: &str = "3";

/// Lists the store in a browser: a table that can be sorted and filtered, with the report of each run; it refreshes itself while runs
/// are under way.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  schism serve store                     # then open http://127.0.0.1:8090/")]
pub(crate) struct ServeArgs {
    /// The store.
    #[arg(value_name = "DIR", default_value = "store")]
    store: PathBuf,
    /// Where to listen; whoever reaches it can read the store.
    #[arg(long, value_name = "ADDR", default_value_t = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8090))]
    listen: SocketAddr,
}

impl ServeArgs {
    pub(crate) fn execute(self) -> anyhow::Result<ExitStatus> {
        kept::find(&self.store)?;
        let root = Arc::new(self.store.canonicalize()?);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let wrong = || format!("cannot listen on {}", self.listen);
            let listener = tokio::net::TcpListener::bind(self.listen).await.with_context(wrong)?;
            let address = listener.local_addr().with_context(wrong)?;
            if !address.ip().is_loopback() {
                ui::note("anyone who reaches this address can read the store");
            }
            ui::print(&format!("http://{address}/\n"))?;
            let app = Router::new()
                .route("/", get(index))
                .route("/live/{*path}", get(live))
                .route("/{*path}", get(file))
                .with_state(root);
            let stop = async { drop(tokio::signal::ctrl_c().await) };
            axum::serve(listener, app).with_graceful_shutdown(stop).await.context("serving the store")
        })?;
        Ok(ExitStatus::Linearizable)
    }
}

async fn index(State(root): State<Arc<PathBuf>>) -> Response {
    let listed = tokio::task::spawn_blocking(move || kept::find(&root).map(|all| report::store::page(&root, &all)));
    match listed.await {
        Ok(Ok(page)) => Html(page.into_string()).into_response(),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "the store cannot be read").into_response(),
    }
}

/// The page of a run that is under way, as far as it came; it refreshes itself.
async fn live(State(root): State<Arc<PathBuf>>, Asked(path): Asked<String>) -> Response {
    let Some(whole) = inside(&root, &path).await else { return nothing() };
    let told = tokio::task::spawn_blocking(move || {
        run::again(&whole, run::check_allowance()).map(|run| report::html(&report::facts_of(&run)))
    });
    match told.await {
        Ok(Ok(page)) => ([(header::REFRESH, REFRESH_SECONDS)], Html(page)).into_response(),
        _ => ([(header::REFRESH, REFRESH_SECONDS)], "nothing happened yet").into_response(),
    }
}

/// What lies at this path in the store; never what lies elsewhere.
async fn inside(root: &Path, path: &str) -> Option<PathBuf> {
    let relative = Path::new(path);
    let stays = relative.components().all(|part| matches!(part, Component::Normal(_)));
    tokio::fs::canonicalize(root.join(relative)).await.ok().filter(|whole| stays && whole.starts_with(root))
}

fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "no such file").into_response()
}

/// A file of the store.
async fn file(State(root): State<Arc<PathBuf>>, Asked(path): Asked<String>) -> Response {
    let Some(whole) = inside(&root, &path).await else { return nothing() };
    let kind = match whole.extension().and_then(|ending| ending.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("zst" | "sqlite") => "application/octet-stream",
        _ => "text/plain; charset=utf-8",
    };
    let nosniff = (HeaderName::from_static("x-content-type-options"), "nosniff");
    match tokio::fs::read(&whole).await {
        Ok(bytes) => ([(header::CONTENT_TYPE, kind), nosniff], bytes).into_response(),
        Err(_) => nothing(),
    }
}
