//! Answers of the server: the headers that all have, and the paths of the store that they lead to.

use std::{
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use tokio::sync::Semaphore;

use crate::report;

/// State shared by all requests.
#[derive(Debug)]
pub(super) struct ServerState {
    pub(super) root: PathBuf,
    /// Permit to make a page: pages are made one at a time.
    pub(super) page_permits: Semaphore,
    /// Permits to be told of what changes.
    pub(super) stream_permits: Arc<Semaphore>,
}

impl ServerState {
    /// Resolves a path in the store; never one outside of it.
    pub(super) async fn resolve(&self, path: &str) -> Option<PathBuf> {
        let relative = Path::new(path);
        let stays = relative.components().all(|part| matches!(part, Component::Normal(_)));
        let whole = tokio::fs::canonicalize(self.root.join(relative)).await.ok();
        whole.filter(|whole| stays && whole.starts_with(&self.root))
    }
}

pub(super) fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "no such file").into_response()
}

/// Answers with a page that may load nothing, whatever its content says.
pub(super) fn html(page: String) -> Response {
    with_security_headers(Html(page).into_response(), report::POLICY)
}

/// Answers with a page that may listen to this server, and load nothing else.
pub(super) fn live_html(page: String) -> Response {
    with_security_headers(Html(page).into_response(), report::LIVE_POLICY)
}

pub(super) fn with_security_headers(mut response: Response, policy: &'static str) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    response
}
