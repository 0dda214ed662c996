//! Pages of runs under way, and the events that keep them up to date (server-sent events).

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::{Path as UrlPath, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use hyper::body::Frame;
use serde::Serialize;
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use super::answers::{ServerState, html, live_html, not_found};
use crate::{
    check::Budget,
    report,
    run::{self, ProgressReader, WatchedStage},
    store::ConfinedFolder,
};

/// Interval at which a run under way is looked at, and at which the store is.
const RUN_INTERVAL: Duration = Duration::from_secs(1);
const STORE_INTERVAL: Duration = Duration::from_secs(2);
/// Number of times that a run is found judged before its page gives up on the report, which is written right after.
const JUDGED_ROUNDS: u32 = 15;
/// Maximum time for which a page is told of what changes; it asks again after that.
const STREAM_LIMIT: Duration = Duration::from_hours(1);
/// Maximum number of pages that are told of what changes at a time.
pub(super) const MAX_STREAMS: usize = 16;
/// Maximum time and memory to judge a run as far as it has come, for which the client waits.
const JUDGING_LIMIT: Duration = Duration::from_secs(20);
const JUDGING_MEMORY_BYTES: usize = 2 << 30;

/// Answers with the page of a run under way, which becomes the report once that is there.
pub(super) async fn page(State(state): State<Arc<ServerState>>, UrlPath(path): UrlPath<String>) -> Response {
    let Some(whole) = state.resolve(&path).await else { return not_found() };
    let made = tokio::task::spawn_blocking(move || {
        let mut reader = ProgressReader::new(ConfinedFolder::of(&whole)?);
        if reader.read()?.stage == WatchedStage::Reported {
            return Ok(Redirect::to(&report::store::report_address(&path)).into_response());
        }
        std::io::Result::Ok(live_html(report::live::page(&path, &ConfinedFolder::of(&whole)?)))
    });
    made.await.ok().and_then(Result::ok).unwrap_or_else(not_found)
}

/// Answers with the report of a run as far as it has come.
pub(super) async fn judged(State(state): State<Arc<ServerState>>, UrlPath(path): UrlPath<String>) -> Response {
    let Some(whole) = state.resolve(&path).await else { return not_found() };
    let Ok(_place) = state.page_permits.acquire().await else { return not_found() };
    let made = tokio::task::spawn_blocking(move || {
        let budget = Budget::new(JUDGING_LIMIT, JUDGING_MEMORY_BYTES);
        run::rejudge(&whole, budget).map(|run| report::html(&report::facts_of(&run)))
    });
    match made.await {
        Ok(Ok(page)) => html(page),
        _ => "nothing happened yet".into_response(),
    }
}

/// Answers with the progress of a run, once a second, and with the address of what there is in the end.
pub(super) async fn run_events(State(state): State<Arc<ServerState>>, UrlPath(path): UrlPath<String>) -> Response {
    let Some(whole) = state.resolve(&path).await else { return not_found() };
    let Ok(folder) = ConfinedFolder::of(&whole) else { return not_found() };
    stream(&state, async move |sender| tell_progress(ProgressReader::new(folder), &path, sender).await)
}

async fn tell_progress(mut reader: ProgressReader, path: &str, sender: mpsc::Sender<Bytes>) {
    let mut judged_rounds = 0;
    loop {
        let read = tokio::task::spawn_blocking(move || {
            let progress = reader.read().cloned();
            (reader, progress)
        });
        let Ok((again, Ok(progress))) = read.await else { return };
        reader = again;
        let over = match progress.stage {
            WatchedStage::Reported => Some(report::store::report_address(path)),
            WatchedStage::Judged if judged_rounds == JUDGED_ROUNDS => Some(report::store::judged_address(path)),
            _ => None,
        };
        let told = sender.send(event("progress", &progress)).await;
        if let Some(address) = over {
            sender.send(event("over", &address)).await.ok();
            return;
        }
        if told.is_err() {
            return;
        }
        judged_rounds += u32::from(progress.stage == WatchedStage::Judged);
        sleep(RUN_INTERVAL).await;
    }
}

/// Answers whenever a run began, ended, or was removed.
pub(super) async fn store_events(State(state): State<Arc<ServerState>>) -> Response {
    let root = state.root.clone();
    stream(&state, async move |sender| {
        let mut before = None;
        loop {
            let root = root.clone();
            let Ok(now) = tokio::task::spawn_blocking(move || run::stages_of(&root)).await else { return };
            let name = if before.as_ref().is_none_or(|before| *before == now) { "same" } else { "changed" };
            before = Some(now);
            if sender.send(event(name, &())).await.is_err() {
                return;
            }
            sleep(STORE_INTERVAL).await;
        }
    })
}

/// Answers with the events that `tell` sends, within the limits on their number and time.
fn stream<T: Future<Output = ()> + Send + 'static>(
    state: &ServerState,
    tell: impl FnOnce(mpsc::Sender<Bytes>) -> T,
) -> Response {
    let Ok(place) = Arc::clone(&state.stream_permits).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many pages are being told of what changes").into_response();
    };
    let (sender, receiver) = mpsc::channel(1);
    let told = tell(sender);
    tokio::spawn(async move {
        timeout(STREAM_LIMIT, told).await.ok();
        drop(place);
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::new(EventBody(receiver))).into_response()
}

fn event(name: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).expect("what is told has a form in JSON");
    format!("event: {name}\ndata: {data}\n\n").into()
}

/// Body of an answer that goes on as long as there are events.
struct EventBody(mpsc::Receiver<Bytes>);

impl hyper::body::Body for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.0.poll_recv(cx).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}
